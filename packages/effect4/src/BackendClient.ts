import type * as Facade from "@mcp-lifeline/client"
import { catalogOf, type Snapshot } from "@mcp-lifeline/client/within"
import type { AnySchema, SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { Effect, Queue, Stream } from "effect"
import { ask, type CallError, type CommandError, fromFacade } from "./Errors.js"
import * as Live from "./Live.js"
import { within } from "./Telemetry.js"

/** Interrupting the call takes the place of a signal. */
export type CallOptions = Omit<Facade.CallOptions, "signal">

type Params<R extends { readonly params?: unknown }> = NonNullable<R["params"]>

export interface HealthCheck extends Omit<Facade.HealthCheck, "error"> {
  /** Why there was no answer. */
  readonly error: CallError | undefined
}

/**
 * One supervised MCP server; the same handle for all connections. Its streams end when its scope has closed.
 *
 * An interrupted call ends at once, and Lifeline sends `notifications/cancelled`. An interrupted command stops only the waiting: it is
 * still carried out.
 */
export interface Backend {
  readonly id: string
  readonly status: Live.Live<Facade.Status>
  /** The last good one; `undefined` before the first, and while it is withdrawn. */
  readonly catalog: Live.Live<Snapshot | undefined>
  /** From now on. A reader that begins before the first outcome gets all events. */
  readonly events: Stream.Stream<Facade.Event>
  /** As far as Lifeline knows. Sends nothing. */
  readonly isConnected: Effect.Effect<boolean>
  /** Whether `status.healthScore` reaches a threshold (default 0.7). Sends nothing. */
  readonly isHealthy: (threshold?: number) => Effect.Effect<boolean>
  /** Ends with a connection and its first catalogue, or when the first attempt has failed; at once if it does not connect by itself. */
  readonly firstOutcome: Effect.Effect<void>
  /** Sends one ping now, without waiting for a connection. Never fails: the result says whether there was an answer. */
  readonly healthCheck: Effect.Effect<HealthCheck>
  /** Makes a new connection, or joins an attempt in progress. Ends with it. */
  readonly reconnect: Effect.Effect<void, CommandError>
  /** Connects a backend that is Disabled or Disconnected. Ends with that attempt. */
  readonly enable: Effect.Effect<void, CommandError>
  /** Disconnects, withdraws the catalogue, and refuses calls until `enable`. Ends when everything is closed. */
  readonly disable: Effect.Effect<void>
  /** Stays Disconnected until `reconnect` or `enable`. */
  readonly disconnect: Effect.Effect<void>
  /** Reads the catalogue again. */
  readonly refresh: Effect.Effect<void, CallError>
  /** Approves the current definitions of the tools (option `pin`). Returns the names of those that differed. */
  readonly approveTools: Effect.Effect<ReadonlyArray<string>>
  /** Of the heartbeats. */
  readonly keepalive: { readonly pause: Effect.Effect<void>; readonly resume: Effect.Effect<void> }
  /** Any request. The schema decodes the result. */
  readonly request: <T extends AnySchema>(
    request: Mcp.ClientRequest | Mcp.Request,
    resultSchema: T,
    options?: CallOptions
  ) => Effect.Effect<SchemaOutput<T>, CallError>
  /**
   * Calls a tool. After a lost connection, sends the call again only if the server has not carried it out, the tool's hints allow it, or
   * the options say `idempotent`. Otherwise fails with ResultUnknown.
   */
  readonly callTool: (
    params: Params<Mcp.CallToolRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.CallToolResult, CallError>
  /** One page from the server. `catalog` has all tools. */
  readonly listTools: (
    params?: Params<Mcp.ListToolsRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ListToolsResult, CallError>
  /** One page from the server. */
  readonly listPrompts: (
    params?: Params<Mcp.ListPromptsRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ListPromptsResult, CallError>
  readonly getPrompt: (
    params: Params<Mcp.GetPromptRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.GetPromptResult, CallError>
  /** One page from the server. */
  readonly listResources: (
    params?: Params<Mcp.ListResourcesRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ListResourcesResult, CallError>
  /** One page from the server. */
  readonly listResourceTemplates: (
    params?: Params<Mcp.ListResourceTemplatesRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ListResourceTemplatesResult, CallError>
  readonly readResource: (
    params: Params<Mcp.ReadResourceRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ReadResourceResult, CallError>
  /** The server announces changes, on this and every later connection. */
  readonly subscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  readonly unsubscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  readonly complete: (
    params: Params<Mcp.CompleteRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.CompleteResult, CallError>
  /** Sets the lowest level of the server's log messages, on this and every later connection. */
  readonly setLoggingLevel: (level: Mcp.LoggingLevel, options?: CallOptions) => Effect.Effect<void, CallError>
  /** Waits for a connection like a call. */
  readonly ping: (options?: CallOptions) => Effect.Effect<void, CallError>
  /** The facade's client, for what this interface does not have. Its errors are those of `@mcp-lifeline/client`. */
  readonly client: Facade.Client
}

/**
 * Ends when `closed` does.
 *
 * @internal
 */
export const streamOf = <A>(
  listen: (listener: (value: A) => void) => () => void,
  closed: Effect.Effect<void>
): Stream.Stream<A> =>
  Stream.callback<A>(
    (queue) =>
      Effect.gen(function*() {
        yield* Effect.acquireRelease(
          Effect.sync(() => listen((value) => Queue.offerUnsafe(queue, value))),
          (stop) => Effect.sync(stop)
        )
        yield* closed
        yield* Queue.end(queue)
      }),
    { bufferSize: 65_536, strategy: "sliding" }
  )

/**
 * `closed` ends when the client has closed.
 *
 * @internal
 */
export const fromClient = (client: Facade.Client, closed: Effect.Effect<void>): Backend => {
  const asking =
    <P, A>(send: (params: P, options: Facade.CallOptions) => Promise<A>) => (params: P, options?: CallOptions) =>
      within(params, (params) => ask((signal) => send(params, { ...options, signal })))
  const commanding = <A, E extends CallError | CommandError>(
    send: (options: Facade.SignalOptions) => Promise<A>
  ): Effect.Effect<A, E> => ask<A, E>((signal) => send({ signal }))
  const subscribe = asking((params: { uri: string }, options) => client.subscribeResource(params, options))
  const unsubscribe = asking((params: { uri: string }, options) => client.unsubscribeResource(params, options))
  const sources = catalogOf(client)
  const status = Live.make(() => client.status, () => client.statusChanges())
  return {
    id: client.name,
    client,
    status,
    catalog: Live.make(() => sources.catalog, () => sources.catalogChanges()),
    events: streamOf((listener) => client.on("event", listener), closed),
    isConnected: Effect.sync(() => client.status.state === "Connected"),
    isHealthy: (threshold) => Effect.sync(() => client.isHealthy(threshold)),
    firstOutcome: Effect.ignore(commanding((options) => sources.firstOutcome(options))),
    healthCheck: Effect.map(
      commanding<Facade.HealthCheck, never>((options) => client.healthCheck(options)),
      ({ error, ...rest }) => ({ ...rest, error: error && fromFacade(error) as CallError })
    ),
    reconnect: commanding((options) => client.reconnect(options)),
    enable: commanding((options) => client.enable(options)),
    disable: commanding((options) => client.disable(options)),
    disconnect: commanding((options) => client.disconnect(options)),
    refresh: commanding((options) => client.refresh(options)),
    approveTools: commanding((options) => client.approveTools(options)),
    keepalive: {
      pause: commanding(() => client.keepalive.pause()),
      resume: commanding(() => client.keepalive.resume())
    },
    request: (request, schema, options) =>
      within(
        request.params,
        (params) =>
          ask((signal) => client.request({ ...request, params } as Mcp.Request, schema, { ...options, signal }))
      ),
    callTool: asking((params, options) => client.callTool(params, undefined, options) as Promise<Mcp.CallToolResult>),
    listTools: asking((params, options) => client.listTools(params, options)),
    listPrompts: asking((params, options) => client.listPrompts(params, options)),
    getPrompt: asking((params, options) => client.getPrompt(params, options)),
    listResources: asking((params, options) => client.listResources(params, options)),
    listResourceTemplates: asking((params, options) => client.listResourceTemplates(params, options)),
    readResource: asking((params, options) => client.readResource(params, options)),
    subscribeResource: (uri, options) => Effect.asVoid(subscribe({ uri }, options)),
    unsubscribeResource: (uri, options) => Effect.asVoid(unsubscribe({ uri }, options)),
    complete: asking((params, options) => client.complete(params, options)),
    setLoggingLevel: (level, options) =>
      ask(async (signal) => void await client.setLoggingLevel(level, { ...options, signal })),
    ping: (options) => ask(async (signal) => void await client.ping({ ...options, signal }))
  }
}
