import type { Path } from "./Value.js"

export interface Span {
  readonly start: number
  readonly end: number
}

export interface Scalar extends Span {
  readonly kind: "scalar"
  readonly value: unknown
}

/** `flow`: the items stand between brackets, separated by commas; otherwise each on its own line. */
export interface List extends Span {
  readonly kind: "list"
  readonly flow: boolean
  readonly items: ReadonlyArray<Node>
}

export interface Fields extends Span {
  readonly kind: "table"
  readonly flow: boolean
  readonly pairs: ReadonlyArray<Pair>
  /** In TOML, the lines that are about it, where it is not written behind its key. */
  readonly parts?: ReadonlyArray<Span>
}

export type Node = Scalar | List | Fields

export interface Pair {
  readonly key: string
  /** In TOML there may be several, because headers and dotted keys can repeat a key. */
  readonly keys: readonly [Span, ...ReadonlyArray<Span>]
  readonly value: Node
}

/** `message` says why, with the line if it is known. */
export class Unreadable extends Error {
  readonly line: number | undefined

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`)
    this.line = line
  }
}

/** From 1. */
export const lineAt = (text: string, offset: number): number => {
  let line = 1
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line++
  return line
}

/** A blank in place of the byte order mark, so that positions stay the same. */
export const unmarked = (text: string): string => text.replace(/^\uFEFF/, " ")

/** Throws an Unreadable if the text is nested too deeply for the parser's recursion. */
export const parsed = <A>(parse: () => A): A => {
  try {
    return parse()
  } catch (error) {
    if (error instanceof RangeError) throw new Unreadable("nested too deeply")
    throw error
  }
}

/** Only if the table has this key exactly once. */
export const pairOf = (node: Node | undefined, key: string): Pair | undefined => {
  const found = node?.kind === "table" ? node.pairs.filter((pair) => pair.key === key) : []
  return found.length === 1 ? found[0] : undefined
}

export const at = (node: Node | undefined, [step, ...rest]: Path): Node | undefined => {
  if (step === undefined) return node
  if (typeof step === "number") return node?.kind === "list" ? at(node.items[step], rest) : undefined
  return at(pairOf(node, step)?.value, rest)
}

export const words = (node: Node): ReadonlyArray<Span> => {
  if (node.kind === "scalar") return [node]
  return node.kind === "list"
    ? node.items.flatMap(words)
    : node.pairs.flatMap(({ keys, value }) => [...keys, ...words(value)])
}

export interface Splice extends Span {
  readonly text: string
}

export const spliced = (text: string, splices: ReadonlyArray<Splice>): string =>
  splices.toSorted((a, b) => b.start - a.start).reduce(
    (result, { end, start, text }) => result.slice(0, start) + text + result.slice(end),
    text
  )

export const lineStart = (text: string, at: number): number => text.lastIndexOf("\n", at - 1) + 1

export const lineEnd = (text: string, at: number): number => {
  const end = text.indexOf("\n", at)
  if (end === -1) return text.length
  return text[end - 1] === "\r" ? end - 1 : end
}

/** Blocks of YAML end with a line break. */
export const trimmed = (text: string, { end, start }: Span): Span => ({
  start,
  end: start + text.slice(start, end).trimEnd().length
})

const isComment = (text: string): boolean => text.split("\n").every((line) => /^\s*(#|$)/.test(line))

/** A value of a text. */
export interface Place {
  readonly text: string
  readonly root: Node
  readonly path: Path
}

/** All of its text, with its key, and the comments in it. */
export const spans = ({ path, root, text }: Place): ReadonlyArray<Span> => {
  const parent = at(root, path.slice(0, -1))
  const pair = pairOf(parent, String(path.at(-1)))
  const node = pair?.value ?? at(root, path)
  if (node === undefined || parent?.kind === "scalar") return []
  const whole = trimmed(text, { start: pair?.keys[0].start ?? node.start, end: node.end })
  if (parent?.flow === true) return [whole]
  const places: Array<Span> = []
  for (const { end, start } of node.kind === "table" && node.parts !== undefined ? node.parts : [whole]) {
    const last = places.at(-1)
    const isNext = last !== undefined && isComment(text.slice(last.end, start))
    places.splice(isNext ? -1 : places.length, 1, { start: isNext ? last.start : start, end: lineEnd(text, end) })
  }
  return places
}

const column = (text: string, { start }: Span): number => start - lineStart(text, start)

/** Below another column, as lines of YAML may need it. */
const moved = (text: string, by: number): string =>
  by === 0 ? text : text.replaceAll(/\n( *)(?=\S)/g, (_, { length }) => `\n${" ".repeat(Math.max(0, length + by))}`)

/** With the text of another place in place of that of this one. */
export const restored = (now: Place, old: Place): string => {
  const places = spans(now)
  const texts = spans(old).map((place, index) =>
    moved(old.text.slice(place.start, place.end), column(now.text, places[index] ?? place) - column(old.text, place))
  )
  const isLast = (index: number) => index === places.length - 1
  return spliced(
    now.text,
    places.map((place, index) => ({
      ...place,
      text: texts.slice(index, isLast(index) ? undefined : index + 1).join("\n")
    }))
  )
}
