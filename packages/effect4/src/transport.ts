/** `McpClient.Transport` of `effect/ai`, which is `unstable` in Effect 4, over supervised connections. */
import type * as Facade from "@mcp-lifeline/client"
import type { AnySchema } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { Context, Effect, Layer, type Scope } from "effect"
import { McpClient, McpClientError, type McpProtocol, type McpSchema } from "effect/ai"
import { type Backend, type BackendOptions, type CallOptions, make as makeBackend } from "./Backend.js"
import type { CallError, CommandError } from "./Errors.js"

export interface TransportOptions {
  /** Of the client. The server's may differ. */
  readonly protocol: McpProtocol.ProtocolAdapter<McpClient.ProtocolVersion>
  /** For each request. Default `{ timeout: "7 days" }`: the client has limits of its own. */
  readonly call?: CallOptions | undefined
}

export interface LayerOptions<R = never> extends BackendOptions<R>, TransportOptions {}

/** `name` and `version` go to the server. */
export type ClientOptions<R = never> = Parameters<typeof McpClient.make>[0] & Omit<LayerOptions<R>, "clientInfo">

/** The backend of the transport; its `catalog.changes` has lists that changed. */
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

/** For the first time. */
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
 * For one or several clients, whose handshakes it answers itself. Requests wait, and are sent again, like those of the backend. The `cause`
 * of a TransportError is the backend's error: ResultUnknown if the server may have carried the request out.
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
    // There a modern client introduces itself, which the backend does for its server.
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
    // Lifeline lists no others.
    isCallable: () => true,
    // `notifications/initialized`, which each connection sends itself.
    notify: () => Effect.void,
    request: (message) => {
      const { id, method } = message
      // Effect's schemas refuse undefined, which in-process transports pass on.
      const answer = (said: object): McpSchema.JsonRpcResponse =>
        JSON.parse(JSON.stringify({ jsonrpc: "2.0", id, ...said }))
      return (method === "initialize" || method === "server/discover" ? introduce : send(message)).pipe(
        Effect.map((result) => answer({ result })),
        Effect.catch((error) => {
          if (error._tag !== "RemoteError") return Effect.fail(fail(reasonOf(method, error)))
          const { code, data } = error
          // The official Client prefixes it.
          return Effect.succeed(answer({
            error: { code, data, message: error.message.replace(`MCP error ${code}: `, "") }
          }))
        })
      )
    }
  }
}

/**
 * In place of `McpClient.stdio` and `McpClient.http`. Does not wait for the connection. `id`: in errors and status. Fails with a
 * ConfigurationError.
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
 * In place of `McpClient.layerStdio` and `McpClient.layerHttp`. Waits for the connection up to the client's `timeout` (default 60 seconds),
 * and up to `timeouts.wait` if attempts fail.
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
