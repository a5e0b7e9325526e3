/**
 * The form of the tokens by which a gateway knows who sends a request.
 */

/** In characters. A shorter one could be guessed. */
const leastLength = 16

/** What is wrong with a token, as a clause; `undefined` if nothing is. */
export const tokenProblem = (token: string): "none" | "short" | undefined =>
  // Other characters are not valid in a header.
  !/^[\x21-\x7E]+$/.test(token) ? "none" : token.length < leastLength ? "short" : undefined

/** Says of a token that it is too short. */
export const tooShort =
  `has fewer than ${leastLength} characters, so that it could be guessed; make one with: openssl rand -base64 32`

/** The form for a JSON Schema: a token, or a text with a reference to one. */
export const tokenPattern = `\\$\\{|^[\\x21-\\x7E]{${leastLength},}$`
