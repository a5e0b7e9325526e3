/**
 * Decides what to do with one server of a configuration. Pure.
 */
import * as Value from "../document/Value.js"
import { type Decision, type Dialect, left } from "./Decision.js"
import type { Section } from "./Entries.js"
import { lifelineCommand, shellWords, unsafeForShell, wrapCommand } from "./LifelineCommand.js"
import { rewriteRemote } from "./Remote.js"

export interface Options {
  readonly platform: NodeJS.Platform
  /** Whether the user has named this server. */
  readonly isNamed: boolean
}

const dialectOf = (entry: Value.Table, section: Section): Dialect => {
  const type = entry.get("type")
  if (section.at(-1) === "extensions") return { command: "cmd", env: "envs", local: "stdio", isOneList: false }
  const isOpencode = section[0] === "mcp" &&
    (Value.isList(entry.get("command")) || type === "local" || type === "remote")
  return isOpencode
    ? { command: "command", env: "environment", local: "local", isOneList: true }
    : { command: "command", env: "env", local: "stdio", isOneList: false }
}

/** Whether a command contains its arguments, and is not a path with blanks. */
const isCommandLine = (command: string, args: ReadonlyArray<string>): boolean =>
  args.length === 0 && /^[^/\\]+\s/.test(command)

/** Puts Lifeline between the shell of Windows and the server: Lifeline needs the shell to be started, and starts scripts itself. */
const rewriteInShell = (
  dialect: Dialect,
  platform: NodeJS.Platform,
  shell: number,
  words: ReadonlyArray<string>
): Decision => {
  const unsafe = unsafeForShell(platform, words.slice(shell), true)
  if (unsafe !== undefined) return left(unsafe)
  const [path, at] = dialect.isOneList ? [dialect.command, shell] : ["args", shell - 1]
  const [, , ...npx] = wrapCommand(platform)
  return { _tag: "Wrap", edits: [{ _tag: "Prepend", path: [path], at, items: [...npx, "--"] }] }
}

const rewriteStarted = (entry: Value.Table, dialect: Dialect, platform: NodeJS.Platform): Decision => {
  const [program, ...rest] = wrapCommand(platform)
  const written = entry.get(dialect.command)
  if (dialect.isOneList) {
    const words = Value.texts(written)
    if (words === undefined || words.length === 0) return left("its command is not a list of texts")
    const shell = shellWords(platform, words)
    if (shell > 0) return rewriteInShell(dialect, platform, shell, words)
    const unsafe = unsafeForShell(platform, words)
    if (unsafe !== undefined) return left(unsafe)
    return { _tag: "Wrap", edits: [{ _tag: "Prepend", path: [dialect.command], items: [program, ...rest, "--"] }] }
  }
  const command = Value.text(written)
  if (command === undefined || command.trim() === "") return left("its command is not a text")
  const args = entry.has("args") ? Value.texts(entry.get("args")) : []
  if (args === undefined) return left("its args are not a list of texts")
  const shell = shellWords(platform, [command, ...args])
  if (shell > 0) return rewriteInShell(dialect, platform, shell, [command, ...args])
  if (isCommandLine(command, args)) {
    return left("its command has arguments in it; write them as args and adopt it again")
  }
  const unsafe = unsafeForShell(platform, [command, ...args])
  if (unsafe !== undefined) return left(unsafe)
  if (platform === "win32" && /\s/.test(command)) {
    return left("its command has blanks, which hosts on Windows do not hand on in arguments; wrap it by hand")
  }
  const before = [...rest, "--", command]
  return {
    _tag: "Wrap",
    edits: [
      { _tag: "Replace", path: [dialect.command], from: command, to: program },
      entry.has("args")
        ? { _tag: "Prepend", path: ["args"], items: before }
        : { _tag: "Insert", path: [], after: dialect.command, key: "args", value: before }
    ]
  }
}

const wordsOf = (entry: Value.Table): ReadonlyArray<string> =>
  [entry.get("command"), entry.get("cmd"), entry.get("args")].flatMap((value) =>
    (Value.isList(value) ? value : [value]).filter((word) => typeof word === "string")
  )

/** Decides about one server. */
export const decide = (value: Value.Value, section: Section, { isNamed, platform }: Options): Decision => {
  if (!Value.isTable(value)) return left("it is not an object with a command or a URL")
  const command = lifelineCommand(wordsOf(value))
  if (command === "wrap") return { _tag: "Wrapped" }
  if (command !== undefined) return left("it is Lifeline itself")
  if (!isNamed && (value.get("disabled") === true || value.get("enabled") === false)) {
    return left("it is disabled; name it with --only to wrap it all the same")
  }
  const dialect = dialectOf(value, section)
  const urls = ["url", "serverUrl", "httpUrl", "uri"].filter((key) => value.has(key))
  if (value.has(dialect.command)) {
    return urls.length === 0
      ? rewriteStarted(value, dialect, platform)
      : left(`it has both ${dialect.command} and ${urls[0]}`)
  }
  const [url] = urls
  if (url === undefined) return left("it has neither a command nor a URL")
  return urls.length > 1 ? left(`it has both ${urls.join(" and ")}`) : rewriteRemote(value, url, dialect, platform)
}
