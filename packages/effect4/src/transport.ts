/**
 * `McpClient.Transport` of `effect/ai` over supervised connections: Effect's client works through restarts of its server and lost sessions.
 * `effect/ai` is `unstable`: it may change with every minor version of Effect 4, and this module with it.
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
  /**
   * For each request. Default `{ timeout: "7 days" }`, the longest, because the client limits the time itself; with `{}`, the options of
   * the backend and its tools do.
   */
  readonly call?: CallOptions | undefined
}

export interface LayerOptions<R = never> extends BackendOptions<R>, TransportOptions {}

/** Of `McpClient.make`, whose name and version go to the server, and of the transport. */
export type ClientOptions<R = never> = Parameters<typeof McpClient.make>[0] & Omit<LayerOptions<R>, "clientInfo">

/** The backend of the transport, for its status, events and commands. `catalog.changes` has the lists whenever they change. */
export class Supervised extends Context.Service<Supervised, Backend>()("@mcp-lifeline/effect4/transport/Supervised") {}

const typeId = "~effect/ai/McpClient/Transport"

const fail = (reason: McpClientError.McpClientErrorReason) => new McpClientError.McpClientError({ reason })

const failure = (method: string, cause: CallError | CommandError): McpClientError.McpClientError => {
  const { message: description } = cause
  switch (cause._tag) {
    case "RequestTimeout":
      return fail(new McpClientError.TimeoutError({ operation: method }))
    case "SessionExpired":
      return fail(new McpClientError.ClosedError({ sessionExpired: true, description }))
    case "ProtocolError":
      return fail(new McpClientError.ProtocolError({ description, cause }))
    case "BackendUnavailable":
      if (cause.state !== "Closed") break
      return fail(new McpClientError.ClosedError({ description }))
    case "ConnectError":
      if (cause.status === undefined) break
      return fail(new McpClientError.HttpError({ status: cause.status, description }))
  }
  return fail(new McpClientError.TransportError({ description, cause }))
}

/** Waits for the first connection, like a call. */
const connected = ({ client, ping, reconnect }: Backend): Effect.Effect<void, CallError | CommandError> =>
  Effect.suspend(() => client.getServerCapabilities() === undefined ? ping() : Effect.void).pipe(
    // The server has not to know `ping`.
    Effect.catchTag("RemoteError", () => Effect.void),
    // Its error says more.
    Effect.catchIf(
      (error) => error._tag === "BackendUnavailable" && error.state === "PermanentlyFailed",
      () => reconnect
    )
  )

type Answered = Effect.Effect<Readonly<Record<string, unknown>>, CallError | CommandError>

const asItComes = { safeParse: (data: unknown) => ({ success: true, data }) } as unknown as AnySchema

/** The official Client puts the code before the text. */
const textOf = ({ code, message }: { readonly code: number; readonly message: string }): string =>
  message.replace(`MCP error ${code}: `, "")

/**
 * For one or several clients. Answers handshakes itself, also repeated ones, so that clients notice no restart.
 *
 * A request waits for a server that is down, up to `timeouts.wait` of the backend. If the connection is lost meanwhile, Lifeline sends it
 * again if that can do no harm. Otherwise it fails with a TransportError whose `cause` is ResultUnknown. Interrupting it cancels it at the
 * server.
 *
 * @example
 * import { Fleet } from "@mcp-lifeline/effect4"
 * import { make } from "@mcp-lifeline/effect4/transport"
 * import { Effect } from "effect"
 * import { McpClient, McpProtocol } from "effect/ai"
 *
 * export const docs = Effect.gen(function*() {
 *   const fleet = yield* Fleet.Fleet
 *   const transport = make(yield* fleet.backend("docs"), { protocol: McpProtocol.v2025_11_25 })
 *   return yield* Effect.provideService(McpClient.make({ name: "my-agent", version: "1.0.0" }), McpClient.Transport, transport)
 * })
 */
export const make = (
  backend: Backend,
  { call = { timeout: "7 days" }, protocol }: TransportOptions
): McpClient.Transport => {
  const { client } = backend
  const { protocolVersion } = protocol
  const isModern = protocolVersion === "2026-07-28"
  const lasting = { ttlMs: 0, cacheScope: "private" }
  const introduce: Answered = Effect.map(connected(backend), () => {
    const said = { capabilities: client.getServerCapabilities() ?? {}, instructions: client.getInstructions() }
    const serverInfo = client.getServerVersion()
    return isModern
      ? {
        ...said,
        ...lasting,
        supportedVersions: [protocolVersion],
        _meta: { "io.modelcontextprotocol/serverInfo": serverInfo }
      }
      : { ...said, protocolVersion, serverInfo }
  })
  const send = ({ method, params = {} }: McpSchema.JsonRpcRequest): Answered => {
    // Each request of a modern client introduces it. The backend does so where its server wants that.
    const { _meta, ...others } = params
    const request = { method, params: isModern ? others : params } as Mcp.Request
    return Effect.map(
      backend.request(request, asItComes, call) as Answered,
      (result) => isModern && /list$|read$/.test(method) ? { ...lasting, ...result } : result
    )
  }
  return {
    [typeId]: typeId,
    protocol,
    // Lifeline lists only tools that it can call.
    isCallable: () => true,
    request: (message) => {
      const { id, method } = message
      // As on a wire: Effect's schemas refuse undefined, which transports within a process do not leave out.
      const answered = (answer: object): McpSchema.JsonRpcResponse =>
        JSON.parse(JSON.stringify({ jsonrpc: "2.0", id, ...answer }))
      return (method === "initialize" || method === "server/discover" ? introduce : send(message)).pipe(
        Effect.map((result) => answered({ result })),
        Effect.catch((error) =>
          error._tag === "RemoteError"
            ? Effect.succeed(answered({ error: { code: error.code, message: textOf(error), data: error.data } }))
            : Effect.fail(failure(method, error))
        )
      )
    },
    notify: ({ method, params = {} }) =>
      // Each connection has its own.
      method === "notifications/initialized" ? Effect.void : Effect.tryPromise({
        try: () => client.notification({ method, params } as Mcp.ClientNotification),
        catch: (cause) => fail(new McpClientError.TransportError({ description: `${method} was not sent`, cause }))
      })
  }
}

/**
 * A backend with its transport, in place of `McpClient.stdio` and `McpClient.http`. Does not fail where a server is down: the handshake of
 * the client does. `id`: in errors and status. With an option that Lifeline refuses, fails with a ConfigurationError.
 */
export const layer = <R = never>(
  id: string,
  server: Facade.Server,
  { call, protocol, ...options }: LayerOptions<R>
): Layer.Layer<McpClient.Transport | Supervised, McpClientError.McpClientError, Exclude<R, Scope.Scope>> =>
  Layer.effect(McpClient.Transport, Effect.map(Supervised, (backend) => make(backend, { call, protocol }))).pipe(
    Layer.provideMerge(Layer.effect(
      Supervised,
      Effect.mapError(
        makeBackend<R>(id, server, options),
        (cause) => fail(new McpClientError.ConfigurationError({ description: cause.message, cause }))
      )
    ))
  )

/**
 * A client over `layer`, in place of `McpClient.layerStdio` and `McpClient.layerHttp`. Is built when the server has answered; fails if it
 * has not come up within `timeouts.wait`, or its first start takes longer than the client's `timeout` (default 60 seconds).
 *
 * @example
 * import { layerClient } from "@mcp-lifeline/effect4/transport"
 * import { McpProtocol } from "effect/ai"
 *
 * export const DocsLive = layerClient("docs", { command: "node", args: ["docs-server.js"] }, {
 *   name: "my-agent",
 *   version: "1.0.0",
 *   protocol: McpProtocol.v2025_11_25,
 *   keepalive: { interval: "1 minute" }
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
  const own = { name, version, title, description, websiteUrl, icons }
  const clientInfo = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined))
  return Layer.effect(McpClient.McpClient, McpClient.make({ ...own, timeout })).pipe(
    Layer.provideMerge(
      layer<R>(id, server, { ...options, clientInfo: clientInfo as Mcp.Implementation } as LayerOptions<R>)
    )
  )
}
