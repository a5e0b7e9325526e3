/** Letters to insert, delete, replace or swap with their neighbour. */
const distance = (a: string, b: string): number => {
  let before: ReadonlyArray<number> = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const changed = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
        ? (before[column - 2] ?? Infinity) + 1
        : Infinity
      current.push(Math.min(changed, swapped, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    before = above
    above = current
  }
  return above[b.length] ?? 0
}

/** No longer word was meant to be one of ours. */
const longest = 100

/** A third of the letters may be wrong; case does not matter. */
export const nearest = (word: string, known: Iterable<string>): string | undefined => {
  if (word.length > longest) return undefined
  let found: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    // A letter more or less is a letter that is wrong.
    if (Math.abs(candidate.length - word.length) >= least) continue
    const letters = distance(word.toLowerCase(), candidate.toLowerCase())
    if (letters < least) [found, least] = [candidate, letters]
  }
  return found
}
