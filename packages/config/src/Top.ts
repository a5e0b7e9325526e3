/**
 * Finds the key with the servers, which differs between hosts.
 */
import { Problem } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { Predicate, Record } from "effect"
import { at, type Raw, type Variables } from "./Expansion.js"
import type { Server } from "./Server.js"
import { gateway, policyOf, type Read } from "./supervision.js"
import * as Tools from "./tools.js"
import * as ToolSwitches from "./ToolSwitches.js"

export interface Top {
  readonly path: ReadonlyArray<string>
  /** By name; each is read by `readServer`. */
  readonly servers: Readonly<Record<string, unknown>>
  /** For all servers; a server's own options override them. */
  readonly policy: ServerOptions.ServerOptions
  /** Default for the servers. */
  readonly sessions: Server["sessions"]
  /** Default for the servers. */
  readonly prefix: Server["prefix"]
  readonly statusTool: boolean
  /** Servers of single clients that a gateway runs at once. */
  readonly maxOwnServers: number | undefined
  /** As written, for `readAuth`. */
  readonly auth: unknown
  /** As written, for `readAccess`. */
  readonly access: { readonly clients: unknown; readonly groups: unknown } | undefined
  /** Defaults of the file's inputs, by id. */
  readonly inputs: Variables
  /** Of opencode. */
  readonly switches: ToolSwitches.ToolSwitches
  /** Whether `{env:VAR}` is a reference in this file. */
  readonly bare: boolean
}

/** Where hosts keep servers. The first that exists counts. */
export const homes: ReadonlyArray<ReadonlyArray<string>> = [
  ["mcpServers"],
  ["servers"],
  ["mcp_servers"],
  ["context_servers"],
  ["amp.mcpServers"],
  ["mcp", "servers"],
  ["mcp"]
]

const isServer = (value: Raw): boolean =>
  ["command", "url", "type"].some((key) => Predicate.isString(value[key]) || Array.isArray(value[key]))

const homeOf = (raw: Raw): ReadonlyArray<string> =>
  homes.find((path) => {
    const found = at(raw, path)
    if (path.length === 1 && path[0] !== "mcp") return found !== undefined
    return Predicate.isRecord(found) && !isServer(found)
  }) ?? ["mcpServers"]

const inputsOf = (inputs: unknown): Variables =>
  Object.fromEntries(
    (Array.isArray(inputs) ? inputs : []).flatMap((input: unknown) =>
      Predicate.isRecord(input) && Predicate.isString(input["id"]) && Predicate.isString(input["default"])
        ? [[input["id"], input["default"]]]
        : []
    )
  )

export const readTop = (raw: unknown): Read<Top> => {
  const shape = "an object with mcpServers, an object of servers by name"
  if (!Predicate.isRecord(raw)) return { value: undefined, problems: [Problem.wrongSecret([], raw, shape)] }
  const path = homeOf(raw)
  const [first = ""] = path
  const bare = path.length === 1 && first === "mcp"
  const { rest, switches } = bare ? ToolSwitches.split(raw["tools"]) : { rest: raw["tools"], switches: {} }
  const { others, policy, problems } = policyOf({ ...raw, tools: rest }, gateway.ofAll)
  /** It has nothing but servers, not the settings of a whole host. */
  const isOwn = first === "mcpServers" || first === "servers"
  if (first === "mcpServers" && raw["servers"] !== undefined) {
    problems.push({ path: ["servers"], message: "cannot be combined with mcpServers; keep one of the two" })
  }
  const names = ["mcpServers", "$schema", "lifeline", ...ServerOptions.groups]
  const inputs = inputsOf(at(raw, [...path.slice(0, -1), "inputs"]) ?? raw["inputs"])
  for (const name of Object.keys(raw)) {
    if (raw[name] === undefined || name === "servers" || name === first || names.includes(name)) continue
    if (name === "inputs" && !Record.isEmptyRecord(inputs)) continue // Their defaults are used.
    const isForeign = !isOwn || name === "inputs" || name === "mcp"
    const message = "belongs to another program and has no effect here"
    const unknown = Problem.unknown([name], names, { of: "an mcp.json" })
    problems.push(isForeign ? { path: [name], message, key: "foreign" } : unknown)
  }
  for (const group of ["tools", "prompts", "resources"] as const) {
    const value = raw[group]
    if (value === undefined || Predicate.isRecord(value)) continue
    const options = group === "tools" ? "an object of options by tool," : "an object"
    // In a file of servers alone it was meant for us, and to pass it over would offer all.
    const misplaced = Problem.wrongSecret([group], value, `${options} with "only" and "hide"`)
    problems.push(isOwn ? misplaced : Tools.belongsToOthers([group]))
  }
  const servers = at(raw, path)
  const accepted = "an object of servers by name"
  if (!Predicate.isRecord(servers)) {
    const missing = { path, message: `is missing; accepted: ${accepted}` }
    problems.push(servers === undefined ? missing : Problem.wrongSecret(path, servers, accepted))
    return { value: undefined, problems }
  }
  const { clients, groups } = others
  const value: Top = {
    path,
    servers,
    policy: ServerOptions.forAll(policy),
    sessions: others["sessions"] as Server["sessions"],
    prefix: others["prefix"] as Server["prefix"],
    statusTool: others["statusTool"] !== false,
    maxOwnServers: others["maxOwnServers"] as number | undefined,
    auth: others["auth"],
    access: clients === undefined && groups === undefined ? undefined : { clients, groups },
    inputs,
    switches,
    bare
  }
  return { value, problems }
}
