/**
 * A command, declared once: what it reads from its command line, and what its help and the completions of a shell say about this.
 */

/** Refuses the value of an option: `--port must be ...`. */
export type Refuse = (why: string) => never

/** `--NAME` before or after the arguments, where `NAME` is its key with hyphens: `logFormat` is `--log-format`. */
export interface Option<A> {
  readonly help: string
  /** What its value is called in help; an option without one takes no value. */
  readonly value?: string
  /** Its value may be missing, and is given as `--NAME=VALUE` only. */
  readonly isValueOptional?: true
  readonly isRepeated?: true
  /** One letter that means the same. */
  readonly short?: string
  /** The variable of the environment that has its value if it is not given. An empty one counts as not set. */
  readonly variable?: string
  /** Reads its values as given: none, one, or several if it is repeated. An option that takes no value has an empty one. */
  readonly read: (values: ReadonlyArray<string>, refuse: Refuse) => A
}

/** An argument by its place; arguments are declared in the order in which they are given, the optional ones last. */
export interface Argument<A extends string | undefined> {
  readonly name: string
  readonly help: string
  readonly isRequired: undefined extends A ? false : true
}

type Options = Readonly<Record<string, Option<unknown>>>
type Arguments = Readonly<Record<string, Argument<string> | Argument<string | undefined>>>

/** What was given, by the keys of the declarations. */
type Given<O extends Options, A extends Arguments> =
  & { readonly [K in keyof O]: O[K] extends Option<infer B> ? B : never }
  & { readonly [K in keyof A]: A[K]["isRequired"] extends true ? string : string | undefined }

/** A command line as a whole. */
export interface Line {
  /** Whether there is an option, such as `--port`. */
  readonly has: (option: string) => boolean
  /** Where the command takes the command line of another program: this. */
  readonly program: ReadonlyArray<string> | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** Refuses the command line. */
  readonly refuse: Refuse
}

/** What help says. */
interface Help {
  readonly name: string
  /** One sentence, which also stands in the list of commands. */
  readonly summary: string
  /** Each way to write it, with what it means. Default: one that is made of the options and arguments. */
  readonly usage?: ReadonlyArray<readonly [line: string, meaning: string]>
  /** Follows the usage, as it is. */
  readonly details?: string
  /** Variables that no option names. */
  readonly environment?: Readonly<Record<string, string>>
  /** Besides 2, which all have. */
  readonly exitCodes: Readonly<Record<number, string>>
}

/** A command whose command line becomes a request. */
export interface Command<Request> extends Help {
  readonly options: Options
  readonly arguments: Arguments
  /** Whether an argument begins the command line of another program, which is not read, as is all that follows `--`. */
  readonly isProgram?: (argument: string) => boolean
  readonly request: (given: never, line: Line) => Request
}

/** Declares a command. */
export const make = <const O extends Options, const A extends Arguments, Request>(
  command: Omit<Command<Request>, "options" | "arguments" | "request"> & {
    readonly options: O
    readonly arguments: A
    readonly request: (given: Given<O, A>, line: Line) => Request
  }
): Command<Request> => command

/** The name of an option by its key. */
export const nameOf = (key: string): string => `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

export const required = (name: string, help: string): Argument<string> => ({ name, help, isRequired: true })

export const optional = (name: string, help: string): Argument<string | undefined> => ({
  name,
  help,
  isRequired: false
})

/** Is given or not, and takes no value. */
export const flag = (help: string, short?: string): Option<boolean> => ({
  help,
  ...(short === undefined ? {} : { short }),
  read: (values) => values.length > 0
})

/** Takes a text, of which `read` makes a value. */
export const value = <A>(
  value: string,
  help: string,
  read: (text: string, refuse: Refuse) => A
): Option<A | undefined> => ({
  help,
  value,
  read: ([text], refuse) => text === undefined ? undefined : read(text, refuse)
})

export const text = (name: string, help: string): Option<string | undefined> => value(name, help, (given) => given)

/** Takes texts, each with the option before it. */
export const texts = (value: string, help: string): Option<ReadonlyArray<string>> => ({
  help: `${help} May be repeated.`,
  value,
  isRepeated: true,
  read: (values) => values
})

/** A whole number. */
export const integer = (name: string, help: string, [least, most]: readonly [number, number], note = "") =>
  value(name, help, (given, refuse) => {
    const number = /^\d{1,15}$/.test(given) ? Number(given) : NaN
    return number >= least && number <= most ? number : refuse(`must be a whole number from ${least} to ${most}${note}`)
  })

/** One of a few names, as what it stands for. */
export const choice = <A>(
  choices: Readonly<Record<string, A>>,
  help: string,
  name: string = Object.keys(choices).join("|")
): Option<A | undefined> =>
  value(name, help, (given, refuse) =>
    Object.hasOwn(choices, given)
      ? choices[given] as A
      : refuse(`${given} is not known; accepted: ${Object.keys(choices).join(", ")}`))

/** With the value that it has if it is not given, which help names. */
export const withDefault = <A>(option: Option<A | undefined>, value: A & (string | number)): Option<A> => ({
  ...option,
  help: `${option.help} Default: ${value}.`,
  read: (values, refuse) => option.read(values, refuse) ?? value
})
