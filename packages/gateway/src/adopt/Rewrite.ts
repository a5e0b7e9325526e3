import * as LifelineCommand from "@mcp-lifeline/config/LifelineCommand"
import * as Value from "../document/Value.js"
import { type Decision, type Dialect, left, type Options } from "./Decision.js"
import { reachOf, type Section } from "./Entries.js"
import type { Launcher } from "./Launcher.js"
import type { Pair } from "./Patch.js"
import { rewriteRemote, signInOf } from "./Remote.js"
import { shellWords, unsafeForShell } from "./WindowsShell.js"

const dialectOf = (entry: Value.Table, section: Section): Dialect => {
  const type = entry.get("type")
  if (section.at(-1) === "extensions") return { command: "cmd", env: "envs", local: "stdio", isOneList: false }
  const isOpencode = section[0] === "mcp" &&
    (Value.isList(entry.get("command")) || type === "local" || type === "remote")
  return isOpencode
    ? { command: "command", env: "environment", local: "local", isOneList: true }
    : { command: "command", env: "env", local: "stdio", isOneList: false }
}

const hasArguments = (command: string, args: ReadonlyArray<string>): boolean =>
  args.length === 0 && /^[^/\\]+\s/.test(command)

const wrapCommand = (launcher: Launcher): Launcher => [...launcher, "wrap"]

const isInShell = ([shell, option]: Launcher): boolean => shell === "cmd" && option === "/c"

const wrap = (...pairs: ReadonlyArray<readonly [key: string, becomes: Pair]>): Decision => ({
  _tag: "Wrap",
  patch: new Map(pairs)
})

/** Returns why there is none that can be changed. */
const commandLine = (entry: Value.Table, { command, isOneList }: Dialect): ReadonlyArray<string> | string => {
  const written = entry.get(command)
  if (isOneList) {
    const words = Value.texts(written)
    return words === undefined || words.length === 0 ? "its command is not a list of texts" : words
  }
  const program = Value.text(written)
  if (program === undefined || program.trim() === "") return "its command is not a text"
  const args = entry.has("args") ? Value.texts(entry.get("args")) : []
  return args === undefined ? "its args are not a list of texts" : [program, ...args]
}

const rewriteStarted = (entry: Value.Table, dialect: Dialect, { launcher, platform }: Options): Decision => {
  const { command: key, isOneList } = dialect
  const words = commandLine(entry, dialect)
  if (typeof words === "string") return left(words)
  const [command = "", ...args] = words
  const shell = isInShell(launcher) ? shellWords(platform, words) : 0
  if (shell === 0 && !isOneList && hasArguments(command, args)) {
    return left("its command has arguments in it; write them as args and adopt it again")
  }
  const unsafe = unsafeForShell(platform, words.slice(shell), shell > 0)
  if (unsafe !== undefined) return left(unsafe)
  // Lifeline needs the shell of Windows to be started, and starts scripts itself.
  const [program = "", ...rest] = [...launcher.slice(shell === 0 ? 0 : 2), "wrap", "--"]
  if (isOneList) return wrap([key, { key, change: { at: shell, items: [program, ...rest] } }])
  if (shell > 0) return wrap(["args", { key: "args", change: { at: shell - 1, items: [program, ...rest] } }])
  if (platform === "win32" && /\s/.test(command)) {
    return left("its command has blanks, which hosts on Windows do not hand on in arguments; wrap it by hand")
  }
  const before = [...rest, command]
  return entry.has("args")
    ? wrap([key, { key, change: { to: program } }], ["args", { key: "args", change: { at: 0, items: before } }])
    : wrap([key, { before: [[key, program]], key: "args", change: { to: before } }])
}

const wordsOf = (entry: Value.Table): ReadonlyArray<string> =>
  [entry.get("command"), entry.get("cmd"), entry.get("args")].flatMap((value) =>
    (Value.isList(value) ? value : [value]).filter((word) => typeof word === "string")
  )

/** In whatever form the command line is. */
export const isWrapped = (value: Value.Value): boolean =>
  Value.isTable(value) && LifelineCommand.of(wordsOf(reachOf(value).table)) === "wrap"

const rewrite = (entry: Value.Table, section: Section, options: Options): Decision => {
  const dialect = dialectOf(entry, section)
  const urls = ["url", "serverUrl", "httpUrl", "uri"].filter((key) => entry.has(key))
  if (entry.has(dialect.command)) {
    return urls.length === 0
      ? rewriteStarted(entry, dialect, options)
      : left(`it has both ${dialect.command} and ${urls[0]}`)
  }
  const [url] = urls
  if (url === undefined) return left("it has neither a command nor a URL")
  return urls.length > 1 ? left(`it has both ${urls.join(" and ")}`) : rewriteRemote(entry, url, dialect, options)
}

export const decide = (value: Value.Value, section: Section, options: Options): Decision => {
  const { isNamed, launcher, platform } = options
  if (!Value.isTable(value)) return left("it is not an object with a command or a URL")
  const { path, table } = reachOf(value)
  const words = wordsOf(table)
  const command = LifelineCommand.of(words)
  if (command === "wrap" || wrapCommand(launcher).every((word, index) => words[index] === word)) {
    return { _tag: "Wrapped" }
  }
  if (command !== undefined) return left("it is Lifeline itself")
  if (!isNamed && (value.get("disabled") === true || value.get("enabled") === false)) {
    return left("it is disabled; name it with --only to wrap it all the same")
  }
  if (platform === "win32" && launcher.slice(1).some((word) => /\s/.test(word))) {
    return left(
      "it would need a path of mcp-lifeline with blanks, which hosts on Windows do not hand on in arguments; "
        + "install mcp-lifeline with npm install --global, so that the PATH finds it"
    )
  }
  const signIn = path.length === 0 ? undefined : signInOf(value)
  if (signIn !== undefined) return left(signIn)
  const decision = rewrite(table, section, options)
  const [key] = path
  return decision._tag === "Wrap" && key !== undefined
    ? { ...decision, patch: new Map([[key, { key, change: { patch: decision.patch } }]]) }
    : decision
}
