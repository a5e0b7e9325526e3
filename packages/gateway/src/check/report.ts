import type { Backend } from "@mcp-lifeline/core"
import { ListFilter } from "@mcp-lifeline/extensions/internal"
import { Predicate } from "effect"
import * as McpJson from "../config/McpJson.js"
import * as Problem from "../document/Problem.js"
import { clean } from "../text/Text.js"

export type Connected =
  | { readonly ok: true; readonly server: string; readonly protocol: string; readonly tools: number }
  | { readonly ok: false; readonly error: string }

export interface Row {
  readonly name: string
  /** `undefined` for an entry that cannot be read. */
  readonly entry: McpJson.Entry | undefined
  /** `undefined` for an entry that makes no valid backend. */
  readonly options: Pick<Backend.BackendOptions, "connector"> | undefined
  /** The command or address of the server behind `wrap`, if the entry is `wrap`. */
  readonly wrapped?: string | undefined
  /** What `serve` has seen of it in other runs. */
  readonly learned?: ReadonlyArray<string> | undefined
  readonly connected: Connected | undefined
}

export interface Results {
  readonly file: string
  readonly rows: ReadonlyArray<Row>
  readonly problems: ReadonlyArray<Problem.Problem>
  readonly notices: ReadonlyArray<Problem.Problem>
}

const hidden = "***"

/** Masks `toolArguments`, which may be secret. */
const valueOf = (name: string, value: unknown): unknown =>
  name === "toolArguments" ? hidden : Array.isArray(value) ? ListFilter.shown(value) : value

const optionsOf = (options: object): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(options).flatMap(([group, options]: [string, unknown]) =>
      Predicate.isRecord(options)
        ? Object.entries(options).flatMap(([name, value]) =>
          value === undefined || name === "disabled"
            ? []
            : [[`${group}.${name}`, valueOf(name, value)]]
        )
        : options === undefined
        ? []
        : [[group, options]]
    )
  )

const describe = ({ connected, entry, learned = [], name, options, wrapped }: Row, mask: (text: string) => string) => {
  if (entry === undefined || options === undefined) return { name, state: "wrong" as const }
  const { placement, policy, prefix, server, sessions } = entry
  const { protocol } = server
  const ofKind = server._tag === "Http"
    ? { http: server.http }
    : { maxMemory: server.maxMemory, stdio: server.stdio }
  const common = {
    name,
    state: policy.lifecycle?.disabled === true ? "disabled" as const : "enabled" as const,
    line: entry.problem([], "").line,
    transport: server._tag === "Stdio" ? "stdio" : server.transport === "sse" ? "sse" : "http",
    target: mask(options.connector.target),
    ...(wrapped === undefined ? {} : { behindWrap: mask(wrapped) }),
    options: optionsOf({ ...policy, protocol, ...ofKind, sessions, placement, prefix }),
    ...(learned.length === 0 ? {} : { learned }),
    ...(connected === undefined
      ? {}
      : { connected: connected.ok ? connected : { ...connected, error: mask(connected.error) } })
  }
  if (server._tag === "Http") {
    const headers = Object.keys({ ...server.headers, ...server.fromClient })
    return { ...common, headers: Object.fromEntries(headers.map((header) => [header, hidden])) }
  }
  const { cwd, envFile } = server
  const env = { ...server.env, ...server.fromClient }
  return {
    ...common,
    ...(cwd === undefined ? {} : { cwd: mask(cwd) }),
    ...(envFile === undefined ? {} : { envFile: mask(envFile) }),
    env: Object.fromEntries(Object.entries(env).map(([variable, value]) => [variable, value === null ? null : hidden]))
  }
}

type Described = ReturnType<typeof describe>

const details = (server: Described): ReadonlyArray<readonly [string, string]> => {
  if (server.state === "wrong") return []
  const cwd = "cwd" in server && server.cwd !== undefined ? [["cwd", server.cwd] as const] : []
  const envFile = "envFile" in server && server.envFile !== undefined ? [["envFile", server.envFile] as const] : []
  const pairs = "env" in server ? server.env : server.headers
  const values = Object.entries(pairs).map(([name, value]) => value === null ? `${name} is unset` : `${name}=${value}`)
  const { connected } = server
  return [
    ...("behindWrap" in server && server.behindWrap !== undefined ? [["behind wrap", server.behindWrap] as const] : []),
    ...cwd,
    ...envFile,
    ...(values.length === 0 ? [] : [["env" in server ? "env" : "headers", values.join(", ")] as const]),
    ...Object.entries(server.options).map(([name, value]) => [name, JSON.stringify(value)] as const),
    ...("learned" in server && server.learned !== undefined ? [["learned", server.learned.join(", ")] as const] : []),
    ...(connected === undefined
      ? []
      : [
        connected.ok
          ? ["connected", `${connected.server}, MCP ${connected.protocol}, tools: ${connected.tools}`] as const
          : ["failed", connected.error] as const
      ])
  ]
}

const lines = (servers: ReadonlyArray<Described>): ReadonlyArray<string> => {
  const width = Math.max(0, ...servers.map(({ name }) => clean(name).length))
  return servers.flatMap((server) => {
    const what = server.state === "wrong"
      ? "cannot be used, see below"
      : `${server.transport.padEnd(5)}  ${clean(server.target)}${server.state === "disabled" ? " (disabled)" : ""}`
    return [
      `${clean(server.name).padEnd(width)}  ${what}`,
      ...details(server).map(([name, value]) => `${" ".repeat(width)}    ${name}: ${clean(value)}`)
    ]
  })
}

/** `mask` masks secrets in texts. */
export const report = ({ file, notices, problems, rows }: Results, mask: (text: string) => string) => {
  const servers = rows.map((row) => describe(row, mask))
  const ok = problems.length === 0 && rows.every(({ connected }) => connected?.ok !== false)
  const plain = ({ key, line, message }: Problem.Problem) => ({ line, key, message: mask(message) })
  return {
    ok,
    text: lines(servers).join("\n"),
    problems: [...problems, ...notices].map((problem) => clean(mask(Problem.show(problem)))),
    json: { file, ok, servers, problems: problems.map(plain), notices: notices.map(plain) }
  }
}
