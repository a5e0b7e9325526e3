/**
 * Commands of Claude Code that change its configuration. It writes its own file while it runs, so the file should not be changed. Pure.
 */
import * as Value from "../document/Value.js"
import type { Server } from "./Plan.js"

/** Quotes a word for a POSIX shell. */
const word = (text: string): string => /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

const plain = (value: Value.Value): unknown =>
  Value.isTable(value)
    ? Object.fromEntries([...value].map(([key, one]) => [key, plain(one)]))
    : Value.isList(value)
    ? value.map(plain)
    : value

/** Whether an entry has values that should not appear in the history of a shell. */
const isSecret = (entry: Value.Value): boolean =>
  ["env", "headers"].some((key) => {
    const table = Value.at(entry, [key])
    return Value.isTable(table) && table.size > 0
  })

/**
 * The commands that change the wrapped servers to what they are in the new configuration, and the names of servers without a command, because
 * they hold secrets or belong to a project.
 */
export const commands = (
  root: Value.Value,
  servers: ReadonlyArray<Server>,
  platform: NodeJS.Platform
): { readonly commands: ReadonlyArray<string>; readonly others: ReadonlyArray<string> } => {
  const found = servers.filter(({ outcome }) => outcome === "wrapped").map(({ name, section }) => {
    const entry = Value.at(root, [...section, name])
    const isSuited = platform !== "win32" && section.length === 1 && entry !== undefined && !isSecret(entry)
    const commands = isSuited
      ? [
        `claude mcp remove ${word(name)} --scope user`,
        `claude mcp add-json ${word(name)} ${word(JSON.stringify(plain(entry)))} --scope user`
      ]
      : []
    return { name, commands }
  })
  return {
    commands: found.flatMap(({ commands }) => commands),
    others: [...new Set(found.filter(({ commands }) => commands.length === 0).map(({ name }) => name))]
  }
}
