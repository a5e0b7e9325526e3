/**
 * `McpClient.Transport` of `effect/ai` over supervised connections. `effect/ai` is `unstable`: it may change with every minor version of Effect
 * 4, and this module with it.
 */
import type * as Facade from "@mcp-lifeline/client"
import type { AnySchema } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { Context, Effect, Layer, type Scope } from "effect"
import { McpClient, McpClientError, type McpProtocol, type McpSchema } from "effect/ai"
import { type Backend, type BackendOptions, type CallOptions, make as makeBackend } from "./Backend.js"
import type { CallError, CommandError } from "./Errors.js"

export interface TransportOptions {
  /** What the client speaks. The server may speak another revision. */
  readonly protocol: McpProtocol.ProtocolAdapter<McpClient.ProtocolVersion>
  /** For each request. Default `{ timeout: "7 days" }`, because the client limits the time; with `{}`, the backend does. */
  readonly call?: CallOptions | undefined
}

export interface LayerOptions<R = never> extends BackendOptions<R>, TransportOptions {}

/** The name and version of `McpClient.make` go to the server. */
export type ClientOptions<R = never> = Parameters<typeof McpClient.make>[0] & Omit<LayerOptions<R>, "clientInfo">

/** The backend of the transport. `catalog.changes` has the server's lists after each change. */
export class Supervised extends Context.Service<Supervised, Backend>()("@mcp-lifeline/effect4/transport/Supervised") {}

type Answer = Effect.Effect<Readonly<Record<string, unknown>>, CallError | CommandError>

const fail = (reason: McpClientError.McpClientErrorReason) => new McpClientError.McpClientError({ reason })

const reasonOf = (operation: string, cause: CallError | CommandError): McpClientError.McpClientErrorReason => {
  const { _tag, message: description } = cause
  if (_tag === "RequestTimeout") return new McpClientError.TimeoutError({ operation })
  if (_tag === "SessionExpired") return new McpClientError.ClosedError({ sessionExpired: true, description })
  if (_tag === "ProtocolError") return new McpClientError.ProtocolError({ description, cause })
  if (_tag === "BackendUnavailable" && cause.state === "Closed") return new McpClientError.ClosedError({ description })
  if (_tag === "ConnectError" && cause.status !== undefined) {
    const wait = cause.retryAfter === undefined ? {} : { retryAfter: String(Math.ceil(cause.retryAfter / 1000)) }
    return new McpClientError.HttpError({ status: cause.status, description, ...wait })
  }
  return new McpClientError.TransportError({ description, cause })
}

/** Waits for the first connection, like a call. */
const connected = ({ client, ping, reconnect }: Backend): Effect.Effect<void, CallError | CommandError> =>
  Effect.suspend(() => client.getServerCapabilities() === undefined ? ping() : Effect.void).pipe(
    // A server may not know `ping`.
    Effect.catchTag("RemoteError", () => Effect.void),
    // Its error has the HTTP status.
    Effect.catchIf(
      (error) => error._tag === "BackendUnavailable" && error.state === "PermanentlyFailed",
      () => reconnect
    )
  )

const asItComes = { safeParse: (data: unknown) => ({ success: true, data }) } as unknown as AnySchema

/**
 * For one or several clients, whose handshakes it answers itself.
 *
 * A request waits for a server that is down, up to the backend's `timeouts.wait`. If the connection is lost during a request, Lifeline sends
 * it again if that can do no harm. Otherwise it fails with a TransportError whose `cause` is a ResultUnknown. An interruption cancels it at
 * the server.
 */
export const make = (
  backend: Backend,
  { call = { timeout: "7 days" }, protocol }: TransportOptions
): McpClient.Transport => {
  const { client } = backend
  const { protocolVersion } = protocol
  const isModern = protocolVersion === "2026-07-28"
  const lasting = { ttlMs: 0, cacheScope: "private" }
  const introduce: Answer = Effect.map(connected(backend), () => {
    const said = { capabilities: client.getServerCapabilities() ?? {}, instructions: client.getInstructions() }
    const serverInfo = client.getServerVersion()
    if (!isModern) return { ...said, protocolVersion, serverInfo }
    const _meta = { "io.modelcontextprotocol/serverInfo": serverInfo }
    return { ...said, ...lasting, supportedVersions: [protocolVersion], _meta }
  })
  const send = ({ method, params = {} }: McpSchema.JsonRpcRequest): Answer => {
    // There a modern client introduces itself. The backend does so itself where the server wants that.
    const { _meta, ...others } = params
    const request = { method, params: isModern ? others : params } as Mcp.Request
    const isLasting = isModern && /\/(?:list|read)$/.test(method)
    return Effect.map(
      backend.request(request, asItComes, call) as Answer,
      (result) => isLasting ? { ...lasting, ...result } : result
    )
  }
  return {
    "~effect/ai/McpClient/Transport": "~effect/ai/McpClient/Transport",
    protocol,
    // Lists have only tools that Lifeline can call.
    isCallable: () => true,
    // Only `notifications/initialized`, which each connection sends itself.
    notify: () => Effect.void,
    request: (message) => {
      const { id, method } = message
      // As on a wire: Effect's schemas refuse undefined, which a transport within one process may pass on.
      const answer = (said: object): McpSchema.JsonRpcResponse =>
        JSON.parse(JSON.stringify({ jsonrpc: "2.0", id, ...said }))
      return (method === "initialize" || method === "server/discover" ? introduce : send(message)).pipe(
        Effect.map((result) => answer({ result })),
        Effect.catch((error) => {
          if (error._tag !== "RemoteError") return Effect.fail(fail(reasonOf(method, error)))
          const { code, data } = error
          // The official Client puts the code before the server's text.
          return Effect.succeed(answer({
            error: { code, data, message: error.message.replace(`MCP error ${code}: `, "") }
          }))
        })
      )
    }
  }
}

/**
 * In place of `McpClient.stdio` and `McpClient.http`. Begins to connect, and does not wait. `id`: in errors and status. Fails with a
 * ConfigurationError if an option is refused.
 */
export const layer = <R = never>(
  id: string,
  server: Facade.Server,
  { call, protocol, ...options }: LayerOptions<R>
): Layer.Layer<McpClient.Transport | Supervised, McpClientError.McpClientError, Exclude<R, Scope.Scope>> =>
  Layer.effectContext(
    makeBackend<R>(id, server, options).pipe(
      Effect.map((backend) =>
        Context.add(Context.make(Supervised, backend), McpClient.Transport, make(backend, { call, protocol }))
      ),
      Effect.mapError((cause) => fail(new McpClientError.ConfigurationError({ description: cause.message, cause })))
    )
  )

/**
 * In place of `McpClient.layerStdio` and `McpClient.layerHttp`. Waits for the first connection: for a server that is down up to
 * `timeouts.wait`, for one that starts slowly up to the client's `timeout` (default 60 seconds).
 *
 * @example
 * import { layerClient } from "@mcp-lifeline/effect4/transport"
 * import { McpProtocol } from "effect/ai"
 *
 * export const DocsLive = layerClient("docs", { command: "node", args: ["docs-server.js"] }, {
 *   name: "my-agent",
 *   version: "1.0.0",
 *   protocol: McpProtocol.v2025_11_25
 * })
 */
export const layerClient = <R = never>(
  id: string,
  server: Facade.Server,
  { description, icons, name, timeout, title, version, websiteUrl, ...options }: ClientOptions<R>
): Layer.Layer<
  McpClient.McpClient | McpClient.Transport | Supervised,
  McpClientError.McpClientError,
  Exclude<R, Scope.Scope>
> => {
  const client = { name, version, title, description, websiteUrl, icons }
  const clientInfo = JSON.parse(JSON.stringify(client)) as Mcp.Implementation
  return Layer.effect(McpClient.McpClient, McpClient.make({ ...client, timeout })).pipe(
    Layer.provideMerge(layer<R>(id, server, { ...options, clientInfo } as LayerOptions<R>))
  )
}
