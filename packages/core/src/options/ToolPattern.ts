/** Of tool names: `*` stands for any number of characters, `?` for one. */

export const isGlob = (pattern: string): boolean => pattern.includes("*") || pattern.includes("?")

export const exactness = (pattern: string): number => {
  let literal = 0
  for (const character of pattern) if (character !== "*" && character !== "?") literal++
  return literal
}

/** In time linear in the name. */
export const matches = (pattern: string, name: string): boolean => {
  if (pattern === name) return true
  let at = 0
  let from = 0
  // On a mismatch the last star stands for one character more.
  let star = -1
  let resume = 0
  while (at < name.length) {
    const expected = pattern[from]
    if (expected === "*") {
      star = from++
      resume = at
    } else if (expected !== undefined && (expected === "?" || expected === name[at])) {
      from++
      at++
    } else if (star >= 0) {
      from = star + 1
      at = ++resume
    } else return false
  }
  while (pattern[from] === "*") from++
  return from === pattern.length
}
