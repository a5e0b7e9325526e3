/**
 * A command is declared once, for the parser, the help and the completions.
 */
import { TimeSpan } from "@mcp-lifeline/core/options"

/** As in `--port must be ...`. */
export type Refuse = (why: string) => never

/** Its name is its key with hyphens: `logFormat` is `--log-format`. It may stand before or after the arguments. */
export interface Option<A> {
  readonly help: string
  /** In help. Without it, the option takes no value. */
  readonly value?: string
  /** The value can be given only as `--NAME=VALUE`. */
  readonly isValueOptional?: true
  readonly isRepeated?: true
  /** One letter. */
  readonly short?: string
  /** The environment variable to use if the option is missing. An empty one counts as not set. */
  readonly variable?: string
  /** Takes none, one, or several values if the option is repeated. A flag has one empty value. */
  readonly read: (values: ReadonlyArray<string>, refuse: Refuse) => A
}

/** Arguments are declared in their order, optional ones last. */
export interface Argument<A extends string | undefined> {
  readonly name: string
  readonly help: string
  readonly isRequired: undefined extends A ? false : true
}

type Options = Readonly<Record<string, Option<unknown>>>
type Arguments = Readonly<Record<string, Argument<string> | Argument<string | undefined>>>

/** By the keys of their declarations. */
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer A> ? A : never }

type Parsed<O extends Options, A extends Arguments> =
  & Values<O>
  & {
    readonly [K in keyof A]: A[K]["isRequired"] extends true ? string : string | undefined
  }

export interface Line {
  /** `option`: such as `--port`. */
  readonly has: (option: string) => boolean
  /** The command line of another program, if the command takes one. */
  readonly program: ReadonlyArray<string> | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly refuse: Refuse
}

interface Help {
  readonly name: string
  /** One sentence, also for the list of commands. */
  readonly summary: string
  /** Default: one form, made of the options and arguments. */
  readonly usage?: ReadonlyArray<readonly [line: string, meaning: string]>
  readonly details?: string
  /** Environment variables without an option. */
  readonly environment?: Readonly<Record<string, string>>
  /** Except 2, which every command has. */
  readonly exitCodes: Readonly<Record<number, string>>
}

export interface Command<Request> extends Help {
  readonly options: Options
  readonly arguments: Arguments
  /** Whether an argument begins the command line of another program, which is not parsed. What follows `--` is one, too. */
  readonly isProgram?: (argument: string) => boolean
  readonly request: (parsed: never, line: Line) => Request
}

export const make = <const O extends Options, const A extends Arguments, Request>(
  command: Omit<Command<Request>, "options" | "arguments" | "request"> & {
    readonly options: O
    readonly arguments: A
    readonly request: (parsed: Parsed<O, A>, line: Line) => Request
  }
): Command<Request> => command

export const nameOf = (key: string): string => `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

export const required = (name: string, help: string): Argument<string> => ({ name, help, isRequired: true })

export const optional = (name: string, help: string): Argument<string | undefined> => ({
  name,
  help,
  isRequired: false
})

export const flag = (help: string, short?: string): Option<boolean> => ({
  help,
  ...(short === undefined ? {} : { short }),
  read: (values) => values.length > 0
})

export const value = <A>(
  value: string,
  help: string,
  read: (text: string, refuse: Refuse) => A
): Option<A | undefined> => ({
  help,
  value,
  read: ([text], refuse) => text === undefined ? undefined : read(text, refuse)
})

export const text = (name: string, help: string): Option<string | undefined> => value(name, help, (text) => text)

export const texts = (value: string, help: string): Option<ReadonlyArray<string>> => ({
  help: `${help} May be repeated.`,
  value,
  isRepeated: true,
  read: (values) => values
})

export const integer = (name: string, help: string, [least, most]: readonly [number, number], note = "") =>
  value(name, help, (text, refuse) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN
    return number >= least && number <= most ? number : refuse(`must be a whole number from ${least} to ${most}${note}`)
  })

/** In milliseconds. */
export const span = (help: string, [least, most]: readonly [number, number], example: string) =>
  value("DURATION", help, (text, refuse) => {
    const millis = TimeSpan.toMillis(text)
    return millis !== undefined && millis >= least && millis <= most
      ? Math.round(millis)
      : refuse(`must be a duration from ${TimeSpan.range(least, most)}, such as ${example}`)
  })

export const choice = <A>(
  choices: Readonly<Record<string, A>>,
  help: string,
  name: string = Object.keys(choices).join("|")
): Option<A | undefined> =>
  value(name, help, (text, refuse) =>
    Object.hasOwn(choices, text)
      ? choices[text] as A
      : refuse(`${text} is not known; accepted: ${Object.keys(choices).join(", ")}`))

/** Help names the default, too. */
export const withDefault = <A>(option: Option<A | undefined>, value: A & (string | number)): Option<A> => ({
  ...option,
  help: `${option.help} Default: ${value}.`,
  read: (values, refuse) => option.read(values, refuse) ?? value
})
