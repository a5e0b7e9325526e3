/**
 * What stands before the names of a server's tools and prompts in a fleet, as a pattern that users write.
 */
import { Predicate } from "effect"
import * as Check from "../options/Check.js"
import * as Problem from "../options/Problem.js"

/** Stands for the name of the server. */
const placeholder = "{server}"

/** The pattern without an option. */
export const standard = `${placeholder}__`

/** So short that names keep most of the 64 characters that hosts accept. */
const longest = 40

/** Names that begin so are Lifeline's own. */
export const reserved = "lifeline__"

/** Its own text is of characters that hosts accept. */
const form = /^[A-Za-z0-9_-]*(\{server\}[A-Za-z0-9_-]*)?$/

/** Accepts a pattern. What is too long, or reserved, is refused with the limit that it breaks. */
export const check: Check.Check = Check.described(
  (value, path) => {
    if (!Predicate.isString(value)) return [Problem.wrong(path, value, accepted)]
    if (value.length > longest) {
      return [{
        path,
        message: `has ${value.length} characters; accepted: at most ${longest}, so that names keep most of their 64`
      }]
    }
    if (!form.test(value)) return [Problem.wrong(path, value, accepted)]
    return value.startsWith(reserved)
      ? [{
        path,
        message: `begins with ${reserved}, as only Lifeline's own names do; give another text, such as "${standard}"`
      }]
      : []
  },
  { type: "string", maxLength: longest, pattern: form.source.replace("^", `^(?!${reserved})`) }
)

const accepted =
  `a text of letters, digits, "_" and "-", of at most ${longest} characters, in which ${placeholder} stands for the server's name, or "" for none`

/** The prefix of one server. */
export const of = (server: string, pattern: string = standard): string => pattern.replace(placeholder, () => server)
