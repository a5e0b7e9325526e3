/**
 * The form of the tokens by which a gateway knows who sends a request.
 */

/** In characters. A shorter one could be guessed. */
const leastLength = 16

/** What is wrong with a token: it is none, or so short that it could be guessed. `undefined` if nothing is. */
export const tokenProblem = (token: string): "none" | "short" | undefined =>
  // Other characters are not valid in a header.
  !/^[\x21-\x7E]+$/.test(token) ? "none" : token.length < leastLength ? "short" : undefined

/** The same as a clause. */
export const tokenMessage = (problem: "none" | "short"): string =>
  problem === "none"
    ? "is no token; accepted: letters, digits and signs, without spaces"
    : `has fewer than ${leastLength} characters, so that it could be guessed; make one with: openssl rand -base64 32`

/** The form for a JSON Schema: a token, or a text with a reference to one. */
export const tokenPattern = `\\$\\{|^[\\x21-\\x7E]{${leastLength},}$`
