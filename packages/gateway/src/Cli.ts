/** Carries nothing out. */
import * as Adopt from "./adopt/Arguments.js"
import * as Check from "./check/Arguments.js"
import * as Command from "./commandLine/Command.js"
import { scripts } from "./commandLine/completions.js"
import * as Help from "./commandLine/help.js"
import { mistake, read as readCommand, suggestion, type UsageError } from "./commandLine/read.js"
import * as Ask from "./commands/Arguments.js"
import * as SignIn from "./login/Arguments.js"
import * as Serve from "./serve/Arguments.js"
import { version } from "./text/Version.js"
import * as Wrap from "./wrap/Arguments.js"

export type Request =
  | Serve.Request
  | Check.Request
  | Ask.Request
  | Wrap.Request
  | Adopt.Request
  | SignIn.Request

/** Help, the version, completions. */
export interface Text {
  readonly _tag: "Text"
  readonly text: string
}

const summary = "Keeps MCP servers alive, and serves them as one."

const textOf = (text: string): Text => ({ _tag: "Text", text })

const unknown = (name: string): UsageError => {
  const names = commands.map((one) => one.name)
  return mistake(`unknown command ${name}${suggestion(name, names) || `; there are: ${names.join(", ")}`}`)
}

const help = Command.make({
  name: "help",
  summary: "Show the help of the program, or of a command.",
  arguments: { name: Command.optional("COMMAND", "The command. Without it, all commands are listed.") },
  options: {},
  exitCodes: { 0: "It is shown." },
  request: ({ name }): Text => {
    if (name === undefined) return textOf(Help.ofProgram(summary, commands))
    const command = commands.find((one) => one.name === name)
    if (command === undefined) throw unknown(name)
    return textOf(Help.ofCommand(command))
  }
})

export const commands: ReadonlyArray<Command.Command<Request | Text>> = [
  Serve.command,
  Check.command,
  ...Ask.commands,
  Wrap.command,
  Adopt.command,
  ...SignIn.commands,
  help
]

/** `args`: without the program's name. Throws a UsageError. */
export const read = (args: ReadonlyArray<string>, env: Command.Line["env"]): Request | Text => {
  const [name, ...rest] = args
  const command = commands.find((one) => one.name === name)
  if (command !== undefined) return readCommand(command, rest, env) ?? textOf(Help.ofCommand(command))
  if (name === undefined || name === "--help" || name === "-h") return textOf(Help.ofProgram(summary, commands))
  if (name === "--version") return textOf(version)
  const [, shell = rest[0] ?? ""] = /^--completions(?:=(.*))?$/.exec(name) ?? []
  if (name.startsWith("--completions")) {
    const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
    if (script === undefined) throw mistake("--completions must be one of bash, zsh, fish")
    return textOf(script(commands))
  }
  const option = name.split("=", 1)[0] ?? name
  if (name.startsWith("-")) throw mistake(`unknown option ${option}${suggestion(option, ["--help", "--version"])}`)
  throw unknown(name)
}
