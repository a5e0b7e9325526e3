/**
 * The difference of two texts, line by line, as `diff -u` shows it. Pure.
 */

export interface Line {
  readonly sign: " " | "-" | "+"
  readonly text: string
}

/** How many unchanged lines to show around a change. */
const contextLines = 2

/** The shortest edit script from one list of lines to the other (Myers). */
const compare = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): ReadonlyArray<Line> => {
  const reach = new Map([[1, 0]])
  const trace: Array<ReadonlyMap<number, number>> = []
  const furthest = (k: number): number => reach.get(k) ?? -1
  search: for (let d = 0; d <= a.length + b.length; d++) {
    trace.push(new Map(reach))
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && furthest(k - 1) < furthest(k + 1)) ? furthest(k + 1) : furthest(k - 1) + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++
      reach.set(k, x)
      if (x >= a.length && x - k >= b.length) break search
    }
  }
  const lines: Array<Line> = []
  let [x, y] = [a.length, b.length]
  for (let d = trace.length - 1; d >= 0; d--) {
    const reached = trace[d] ?? new Map<number, number>()
    const k = x - y
    const isDown = k === -d || (k !== d && (reached.get(k - 1) ?? -1) < (reached.get(k + 1) ?? -1))
    const from = isDown ? k + 1 : k - 1
    const fromX = d === 0 ? 0 : reached.get(from) ?? 0
    const fromY = d === 0 ? 0 : fromX - from
    while (x > fromX && y > fromY) {
      x--
      y--
      lines.push({ sign: " ", text: a[x] ?? "" })
    }
    if (d === 0) break
    if (isDown) lines.push({ sign: "+", text: b[--y] ?? "" })
    else lines.push({ sign: "-", text: a[--x] ?? "" })
  }
  return lines.toReversed()
}

const split = (text: string): ReadonlyArray<string> => text.split(/\r?\n/)

/** The changed lines with a few unchanged ones, each group below a line `@@ -FROM +FROM @@`. */
export const lines = (before: string, after: string): ReadonlyArray<string> => {
  const all = compare(split(before), split(after))
  const isShown = all.map((_, index) =>
    all.slice(Math.max(0, index - contextLines), index + contextLines + 1).some(({ sign }) => sign !== " ")
  )
  const result: Array<string> = []
  let [old, next] = [1, 1]
  for (const [index, { sign, text }] of all.entries()) {
    if (isShown[index] === true) {
      if (isShown[index - 1] !== true) result.push(`@@ -${old} +${next} @@`)
      result.push(`${sign}${text}`)
    }
    if (sign !== "+") old++
    if (sign !== "-") next++
  }
  return result
}

const colours: Readonly<Record<string, string>> = { "-": "31", "+": "32", "@": "36" }

/** Adds the colours of a terminal to a line of a difference. */
export const coloured = (line: string): string => {
  const colour = colours[line[0] ?? ""]
  return colour === undefined ? line : `\u001B[${colour}m${line}\u001B[39m`
}
