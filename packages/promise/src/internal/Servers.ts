/**
 * A server, as a user describes it, as what the core makes a backend of.
 */
import type { Backend, ConnectError as CoreConnectError, Connection, Connector } from "@mcp-lifeline/core"
import { ConfigError as CoreConfigError, Policy } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Redacted } from "effect"
import { ConfigError } from "../Errors.js"
import type { CommonOptions, HttpServer, PolicyOptions, Server, StdioServer } from "../Options.js"
import * as Checks from "./Checks.js"
import { Handlers } from "./Handlers.js"
import * as OnConnected from "./OnConnected.js"

const groups = ["keepalive", "reconnect", "timeouts", "health", "calls", "lifecycle", "discovery"] as const

/** The options of supervision among others. */
export const policyOf = (options: PolicyOptions): PolicyOptions => {
  const picked: { -readonly [G in keyof PolicyOptions]: unknown } = {}
  for (const group of groups) if (options[group] !== undefined) picked[group] = options[group]
  return picked as PolicyOptions
}

const redacted = (values: Readonly<Record<string, string>>): Record<string, Redacted.Redacted<string>> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Redacted.make(value)]))

const invalid = (backend: string, field: string, message: string): ConfigError =>
  new ConfigError({ backend, field, message: `${backend}: ${message}` })

const isStdio = (server: Server | undefined): server is StdioServer => server?.command !== undefined

const kinds = { auto: "auto", http: "streamable", "streamable-http": "streamable", sse: "sse" } as const

const http = (name: string, server: HttpServer): Connector => {
  const kind = server.type ?? "auto"
  if (!Object.hasOwn(kinds, kind)) {
    throw invalid(name, "type", `type ${JSON.stringify(kind)} does not go with a url; possible are http and sse`)
  }
  const { headers } = server
  if (typeof headers !== "function") Checks.strings(name, "headers", headers, false)
  return HttpConnector.make({
    url: server.url,
    headers: typeof headers === "object" ? redacted(headers) : undefined,
    headerProvider: typeof headers === "function" ? async () => redacted(await headers()) : undefined,
    authProvider: server.authProvider,
    transport: kinds[kind]
  })
}

const stdio = (name: string, server: StdioServer): Connector => {
  if (server.type !== undefined && server.type !== "stdio") {
    throw invalid(name, "type", `type ${JSON.stringify(server.type)} does not go with a command; it is stdio`)
  }
  Checks.string(name, "command", server.command)
  Checks.strings(name, "args", server.args, true)
  Checks.strings(name, "env", server.env, false)
  if (server.cwd !== undefined) Checks.string(name, "cwd", server.cwd)
  const wrong = Checks.durations(name, server.stdio, ["stdinGrace", "termGrace"])
  if (wrong !== undefined) throw wrong
  return StdioConnector.make({
    ...server.stdio,
    command: server.command,
    args: server.args,
    env: server.env === undefined ? undefined : redacted(server.env),
    cwd: server.cwd
  })
}

const connectorOf = (name: string, server: Server): Connector => {
  const given = server as { readonly url?: unknown; readonly command?: unknown } | null | undefined
  if ((given?.url === undefined) === (given?.command === undefined)) {
    throw invalid(name, "server", "a server has either a command or a url")
  }
  try {
    return isStdio(server) ? stdio(name, server) : http(name, server)
  } catch (error) {
    if (error instanceof CoreConfigError) throw invalid(name, error.field, error.message)
    throw error
  }
}

/** A backend to be made, and what the facade keeps of it. */
export interface Prepared {
  readonly options: Backend.BackendOptions
  readonly handlers: Handlers
  /** Why the last attempt failed, if one has and none has succeeded since. */
  readonly lastError: () => CoreConnectError | undefined
  /** What the server said of itself in the last handshake. */
  readonly introduction: () => Introduction | undefined
}

/** What a server says of itself in the handshake. */
export type Introduction = Pick<Connection, "capabilities" | "instructions" | "serverInfo">

/** Throws ConfigError. Policy of the server wins over that of the options. */
export const prepare = (
  name: string,
  server: Server,
  options: CommonOptions,
  handlers: Handlers = new Handlers(name, options)
): Prepared => {
  const connector = connectorOf(name, server)
  const policy = Policy.merge(policyOf(options), policyOf(server)) as PolicyOptions
  const onConnected = options.onConnected && OnConnected.make(name, options.onConnected)
  let lastError: CoreConnectError | undefined
  let introduction: Introduction | undefined
  return {
    handlers,
    introduction: () => introduction,
    lastError: () => lastError,
    options: {
      ...policy,
      ...(server.disabled === undefined
        ? {}
        : { lifecycle: { disabled: server.disabled, ...policy.lifecycle } }),
      clientInfo: options.clientInfo,
      capabilities: options.capabilities,
      handlers: handlers.core,
      onConnected: onConnected && ((session) =>
        Effect.tapError(onConnected(session), (cause) => {
          lastError = OnConnected.failed(cause)
          return Effect.void
        })),
      connector: {
        ...connector,
        connect: (connectOptions) =>
          connector.connect(connectOptions).pipe(
            Effect.tap(({ capabilities, instructions, serverInfo }) => {
              lastError = undefined
              introduction = { capabilities, instructions, serverInfo }
            }),
            Effect.tapError((error) => {
              lastError = error
              return Effect.void
            })
          )
      }
    }
  }
}

/** A name for a server that was given none: its program or its host. */
export const nameOf = (server: Server | undefined): string => {
  const text = isStdio(server)
    ? String(server.command).split(/[\\/]/).at(-1)
    : URL.canParse(String(server?.url))
    ? new URL(String(server?.url)).host
    : undefined
  return (text ?? "").replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "") || "server"
}
