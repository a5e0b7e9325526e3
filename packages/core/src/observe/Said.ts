/** A text for who writes the program, for people and models, and for those of them who do not run the server: without commands, addresses and words of others. */
import { inWords, type Reason } from "../Reasons.js"

export interface Said {
  readonly message: string
  readonly plainMessage: string
  readonly publicMessage: string
}

/** For everybody: the name of a server, a state or a method. */
export const open = (text: string): Said => ({ message: text, plainMessage: text, publicMessage: text })

/** What only a program can do; others read `instead`. */
export const program = (text: string, instead = ""): Said => ({ ...open(instead), message: text })

export const aside = (text: string | undefined): Said => open(text === undefined ? "" : ` (${text})`)

/** Others read the reason instead, or nothing. */
export const detail = (text: string, reason?: Reason, plainMessage = text): Said => ({
  message: text,
  plainMessage,
  publicMessage: reason === undefined ? "" : inWords(reason)
})

/** Its own words are for everybody. A plain text cannot be put in. */
export const said = (strings: TemplateStringsArray, ...values: ReadonlyArray<number | Said>): Said => {
  const version = (of: (value: Said) => string): string =>
    String.raw({ raw: strings }, ...values.map((value) => typeof value === "number" ? value : of(value)))
  return {
    message: version(({ message }) => message),
    plainMessage: version(({ plainMessage }) => plainMessage),
    publicMessage: version(({ publicMessage }) => publicMessage)
  }
}
