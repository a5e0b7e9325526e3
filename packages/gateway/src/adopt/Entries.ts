import * as Value from "../document/Value.js"

/** Keys from the top of the file to the servers; `*` stands for any key. */
export type Section = ReadonlyArray<string>

export interface Entry {
  readonly name: string
  readonly section: Section
  readonly path: Value.Path
  readonly value: Value.Value
}

export const sections: Readonly<Record<"json" | "toml" | "yaml", ReadonlyArray<Section>>> = {
  json: [
    ["mcpServers"],
    ["servers"],
    ["context_servers"],
    ["mcp", "servers"],
    ["mcp"],
    ["amp.mcpServers"],
    ["projects", "*", "mcpServers"]
  ],
  toml: [["mcp_servers"]],
  yaml: [["mcpServers"], ["extensions"]]
}

const concrete = (value: Value.Value | undefined, [step, ...rest]: Section): ReadonlyArray<Section> => {
  if (step === undefined) return [[]]
  if (!Value.isTable(value)) return []
  const steps = step === "*" ? [...value.keys()] : value.has(step) ? [step] : []
  return steps.flatMap((one) => concrete(value.get(one), rest).map((below) => [one, ...below]))
}

/** A table is a server if it has one of these keys. */
const serverKeys = ["command", "cmd", "url", "serverUrl", "httpUrl", "uri"]

/** Says how to reach the server: `transport` in the files of the Cline CLI, else the entry. */
export const reachOf = (entry: Value.Table): { readonly table: Value.Table; readonly path: ReadonlyArray<string> } => {
  const table = entry.get("transport")
  return Value.isTable(table) && !serverKeys.some((key) => entry.has(key))
    ? { table, path: ["transport"] }
    : { table: entry, path: [] }
}

/** For sections that also have other values. */
const isServer = (value: Value.Value): boolean => Value.isTable(value) && serverKeys.some((key) => value.has(key))

export const read = (root: Value.Value, sections: ReadonlyArray<Section>): ReadonlyArray<Entry> =>
  sections.flatMap((pattern) => concrete(root, pattern)).flatMap((section) => {
    const servers = Value.at(root, section)
    if (Value.isList(servers)) {
      return servers.map((value, index): Entry => ({
        name: Value.text(Value.at(value, ["name"])) ?? `#${index + 1}`,
        section,
        path: [...section, index],
        value
      }))
    }
    if (!Value.isTable(servers)) return []
    const all = [...servers].map(([name, value]): Entry => ({ name, section, path: [...section, name], value }))
    return ["mcp", "extensions", "context_servers"].includes(section.at(-1) ?? "")
      ? all.filter(({ value }) => isServer(value))
      : all
  })
