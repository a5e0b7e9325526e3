/**
 * Loads no code that runs a command.
 */
import { nearest } from "@mcp-lifeline/core/options"
import { PlainText } from "@mcp-lifeline/core/text"
import { parseArgs } from "node:util"
import { type Command, type Line, nameOf } from "./Command.js"

/** The command line makes no sense: exit code 2. `message` is one line that says what would. */
// A plain Error: the program prints help and usage errors without loading Effect.
export class UsageError extends Error {
  readonly _tag = "UsageError"
  constructor({ message }: { readonly message: string }) {
    super(message)
  }
}

/** `; did you mean X?`, if the user probably meant one of these. */
export const suggestion = (text: string, names: Iterable<string>): string => {
  const meant = nearest(text, names)
  return meant === undefined ? "" : `; did you mean ${meant}?`
}

export const mistake = (why: string, command?: string): UsageError => {
  const see = why.endsWith("?") ? " See" : "; see"
  return new UsageError({
    message: PlainText.line(`${why}${see} mcp-lifeline ${command === undefined ? "" : `${command} `}--help`)
  })
}

/**
 * Takes the words after the name of the command. Returns `undefined` for `--help`. Throws a UsageError.
 */
export const read = <Request>(
  command: Command<Request>,
  args: ReadonlyArray<string>,
  env: Line["env"]
): Request | undefined => {
  const refuse = (why: string): never => {
    throw mistake(why, command.name)
  }
  const options = new Map(Object.entries(command.options).map(([key, option]) => [nameOf(key), { key, option }]))
  const names = [...options.keys(), "--help"]
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: {
      help: { type: "boolean", short: "h" },
      ...Object.fromEntries(
        [...options].map(([name, { option: { isValueOptional, short, value } }]) => [name.slice(2), {
          type: value === undefined || isValueOptional ? "boolean" as const : "string" as const,
          ...(short === undefined ? {} : { short })
        }])
      )
    }
  })

  const valuesByName = new Map<string, Array<string>>()
  const positionals: Array<string> = []
  let program: ReadonlyArray<string> | undefined
  for (const token of tokens) {
    if (token.kind === "option-terminator") {
      if (command.isProgram === undefined) continue
      program = args.slice(token.index + 1)
      break
    }
    if (token.kind === "positional") {
      if (command.isProgram?.(token.value)) {
        program = args.slice(token.index)
        break
      }
      positionals.push(token.value)
      continue
    }
    const { inlineValue, rawName, value } = token
    const name = `--${token.name}`
    if (name === "--help") return undefined
    const option = options.get(name)?.option
    // The value of an unknown option may be a secret, so it is not shown.
    if (option === undefined) return refuse(`unknown option ${rawName}${suggestion(rawName, names)}`)
    if (option.value === undefined && value !== undefined) return refuse(`${name} takes no value`)
    const isMissing = option.value !== undefined && value === undefined && !option.isValueOptional
    // The next option, or `--`, is a value only behind `=`.
    const isNext = inlineValue === false && (value === "--" || names.includes(value.split("=", 1)[0] ?? ""))
    if (isMissing || isNext || value === "") return refuse(`${name} needs a value`)
    const values = valuesByName.get(name) ?? []
    if (values.length > 0 && !option.isRepeated) return refuse(`${name} appears more than once`)
    valuesByName.set(name, [...values, value ?? ""])
  }

  const places = Object.entries(command.arguments)
  const extra = positionals[places.length]
  if (extra !== undefined) {
    const taken = places.map(([, { name }]) => name).join(" and ")
    refuse(`unknown argument ${extra}: ${command.name} takes ${taken === "" ? "none" : `only ${taken}`}`)
  }
  const found = [
    ...[...options].map(([name, { key, option }]) => {
      const given = valuesByName.get(name)
      const variable = given === undefined ? option.variable : undefined
      const value = variable === undefined ? undefined : env[variable]
      const values = given ?? (value ? [value] : [])
      return [key, option.read(values, (why) => refuse(`${value ? variable : name} ${why}`))]
    }),
    ...places.map(([key, argument], place) => {
      const { isRequired, name } = argument
      const value = positionals[place]
      if (value === "") refuse(`${name} is empty`)
      if (isRequired && value === undefined) refuse(`${command.name} needs ${name}`)
      return [key, value]
    })
  ]
  const line: Line = { has: (option) => valuesByName.has(option), program, env, refuse }
  return command.request(Object.fromEntries(found) as never, line)
}
