/** In characters. A shorter one could be guessed. */
const leastLength = 16

/** `undefined` if nothing is wrong. */
export const tokenProblem = (token: string): "none" | "short" | undefined =>
  // Other characters are not valid in a header.
  !/^[\x21-\x7E]+$/.test(token) ? "none" : token.length < leastLength ? "short" : undefined

/** As a clause. */
export const tokenMessage = (problem: "none" | "short"): string =>
  problem === "none"
    ? "is no token; accepted: letters, digits and signs, without spaces"
    : `has fewer than ${leastLength} characters, so that it could be guessed; make one with: openssl rand -base64 32`

/** For a JSON Schema: a token, or a text with a reference. */
export const tokenPattern = `\\$\\{|^[\\x21-\\x7E]{${leastLength},}$`
