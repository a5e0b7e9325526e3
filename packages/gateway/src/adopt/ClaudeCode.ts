/**
 * Claude Code writes its file while it runs: its own commands change it.
 */
import * as Value from "../document/Value.js"
import { shellWord } from "../text/shellWord.js"
import type { Server } from "./Plan.js"

/** Has values that should not appear in the history of a shell. */
const isSecret = (entry: Value.Value): boolean =>
  ["env", "headers"].some((key) => {
    const table = Value.at(entry, [key])
    return Value.isTable(table) && table.size > 0
  })

/** `others` have no command, because they hold secrets or belong to a project. */
export interface Commands {
  readonly commands: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
  readonly others: ReadonlyArray<string>
}

export const commands = (root: Value.Value, servers: ReadonlyArray<Server>, platform: NodeJS.Platform): Commands => {
  const isChanged = ({ outcome }: Server) => outcome === "wrapped" || outcome === "unwrapped"
  const found = servers.filter(isChanged).map(({ name, section }) => {
    const entry = Value.at(root, [...section, name])
    const isSuited = platform !== "win32" && section.length === 1 && entry !== undefined && !isSecret(entry)
    const commands = isSuited
      ? [
        `claude mcp remove ${shellWord(name, platform)} --scope user`,
        `claude mcp add-json ${shellWord(name, platform)} ${
          shellWord(JSON.stringify(Value.plain(entry)), platform)
        } --scope user`
      ]
      : []
    return { name, commands }
  })
  const named = (isSuited: boolean) => [
    ...new Set(found.filter(({ commands }) => commands.length > 0 === isSuited).map(({ name }) => name))
  ]
  return { commands: found.flatMap(({ commands }) => commands), changed: named(true), others: named(false) }
}
