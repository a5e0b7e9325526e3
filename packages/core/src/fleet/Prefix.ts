import { Predicate } from "effect"
import * as Check from "../options/Check.js"
import * as Problem from "../options/Problem.js"

const placeholder = "{server}"

export const standard = `${placeholder}__`

/** Names keep most of the 64 characters that hosts accept. */
const longest = 40

export const reserved = "lifeline__"

const form = /^[A-Za-z0-9_-]*(\{server\}[A-Za-z0-9_-]*)?$/

export const check: Check.Check = Check.described(
  (value, path) => {
    if (Predicate.isString(value) && value.length > longest) {
      const message =
        `has ${value.length} characters; accepted: at most ${longest}, so that names keep most of their 64`
      return [{ path, message }]
    }
    if (!Predicate.isString(value) || !form.test(value)) return [Problem.wrong(path, value, accepted)]
    if (!value.startsWith(reserved)) return []
    const other = `give another text, such as "${standard}"`
    return [{ path, message: `begins with ${reserved}, as only Lifeline's own names do; ${other}` }]
  },
  { type: "string", maxLength: longest, pattern: form.source.replace("^", `^(?!${reserved})`) }
)

const accepted =
  `a text of letters, digits, "_" and "-", of at most ${longest} characters, in which ${placeholder} stands for the server's name, or "" for none`

export const of = (server: string, pattern: string = standard): string => pattern.replace(placeholder, () => server)
