import { type Command, nameOf, type Option } from "./Command.js"

/** The columns of a line, and those left of a description. */
const width = 100
const left = 30

/** Keeps line breaks, and does not break indented lines. */
const wrap = (text: string, columns: number): ReadonlyArray<string> =>
  text.split("\n").flatMap((paragraph) => {
    if (paragraph.startsWith(" ")) return [paragraph]
    const lines: Array<string> = []
    for (const word of paragraph.split(" ")) {
      const last = lines.at(-1)
      if (last === undefined || last.length + 1 + word.length > columns) lines.push(word)
      else lines[lines.length - 1] = `${last} ${word}`
    }
    return lines
  })

const section = (heading: string, rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> =>
  rows.length === 0 ? [] : [
    [
      heading,
      ...rows.flatMap(([name, description]) => {
        const [first = "", ...rest] = wrap(description, width - left)
        const indented = rest.map((line) => `${" ".repeat(left)}${line}`)
        const start = `  ${name}`
        return start.length < left - 1
          ? [`${start.padEnd(left)}${first}`.trimEnd(), ...indented]
          : [start, ...first === "" ? [] : [`${" ".repeat(left)}${first}`], ...indented]
      })
    ].join("\n")
  ]

/** `--port NUMBER`, `--watch[=GLOB]`, `-y, --yes`. */
export const written = (key: string, { isValueOptional, short, value }: Option<unknown>): string => {
  const name = `${short === undefined ? "" : `-${short}, `}${nameOf(key)}`
  return value === undefined ? name : isValueOptional ? `${name}[=${value}]` : `${name} ${value}`
}

const placed = ({ isRequired, name }: Command<unknown>["arguments"][string]): string => isRequired ? name : `[${name}]`

const page = (parts: ReadonlyArray<string>): string => parts.join("\n\n")

export const ofCommand = <Request>(command: Command<Request>): string => {
  const options = Object.entries(command.options)
  const places = Object.values(command.arguments)
  const usage = command.usage ?? [[["[options]", ...places.map(placed)].join(" "), ""] as const]
  return page([
    wrap(command.summary, width).join("\n"),
    ...section("Usage", usage.map(([line, meaning]) => [`mcp-lifeline ${command.name} ${line}`.trimEnd(), meaning])),
    ...command.details === undefined ? [] : [wrap(command.details, width).join("\n")],
    ...section("Arguments", places.map(({ help, name }) => [name, help])),
    ...section("Options", [
      ...options.map(([key, option]) => [written(key, option), option.help] as const),
      ["-h, --help", "Show this."]
    ]),
    ...section("Environment", [
      ...options.flatMap(([key, { variable }]) =>
        variable === undefined ? [] : [[variable, `The value of ${nameOf(key)}.`] as const]
      ),
      ...Object.entries(command.environment ?? {})
    ]),
    ...section("Exit codes", Object.entries({ 2: "The command line is wrong.", ...command.exitCodes }))
  ])
}

export const ofProgram = <Request>(summary: string, commands: ReadonlyArray<Command<Request>>): string =>
  page([
    wrap(summary, width).join("\n"),
    ...section("Usage", [["mcp-lifeline COMMAND [options]", ""], ["mcp-lifeline help COMMAND", ""]]),
    ...section("Commands", commands.map(({ name, summary }) => [name, summary])),
    ...section("Options", [
      ["--version", "Show the version."],
      ["--completions SHELL", "Print completions for bash, zsh or fish."],
      ["-h, --help", "Show this."]
    ])
  ])
