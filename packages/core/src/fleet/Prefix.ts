/**
 * What stands before the names of a server's tools and prompts in a fleet, as a pattern that users write.
 */
import * as Check from "../options/Check.js"

/** Stands for the name of the server. */
const placeholder = "{server}"

/** The pattern without an option. */
export const standard = `${placeholder}__`

/** Its own text is of characters that hosts accept, and so short that names keep most of their 64. */
export const check: Check.Check = Check.matching(
  /^(?=.{0,40}$)[A-Za-z0-9_-]*(\{server\}[A-Za-z0-9_-]*)?$/,
  `a text of letters, digits, "_" and "-" in which ${placeholder} stands for the server's name, or "" for none`
)

/** The prefix of one server. */
export const of = (server: string, pattern: string = standard): string => pattern.replace(placeholder, () => server)
