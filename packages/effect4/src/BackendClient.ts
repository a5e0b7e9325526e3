/**
 * A backend over a client of the facade.
 */
import type * as Facade from "@mcp-lifeline/client"
import { catalogOf, type Snapshot } from "@mcp-lifeline/client/within"
import type { AnySchema, SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { Effect, Queue, Stream } from "effect"
import { ask, type CallError, type CommandError, fromFacade } from "./Errors.js"
import * as Live from "./Live.js"
import { within } from "./Telemetry.js"

/** Options of one call. Interrupting the call takes the place of a signal. */
export type CallOptions = Omit<Facade.CallOptions, "signal">

/** The parameters of a request. */
type Params<R extends { readonly params?: unknown }> = NonNullable<R["params"]>

/** The result of `healthCheck`. */
export interface HealthCheck extends Omit<Facade.HealthCheck, "error"> {
  /** Why there was no answer. */
  readonly error: CallError | undefined
}

/**
 * One supervised MCP server. You use the same handle for all connections. Each of its streams ends when its scope has closed.
 *
 * If you interrupt a call, Lifeline sends `notifications/cancelled`, and the call ends at once. If you interrupt a command, you stop only
 * the waiting: Lifeline still carries the command out.
 */
export interface Backend {
  /** Its name. */
  readonly id: string
  /** The status. */
  readonly status: Live.Live<Facade.Status>
  /** The last good catalogue; `undefined` before the first one, and while it is withdrawn. */
  readonly catalog: Live.Live<Snapshot | undefined>
  /** The events from now on. A reader that begins before the first attempt has ended gets all from the beginning. */
  readonly events: Stream.Stream<Facade.Event>
  /** Whether it is connected, as far as Lifeline knows. Sends nothing. */
  readonly isConnected: Effect.Effect<boolean>
  /** Whether `status.healthScore` reaches a threshold, 0.7 unless you give another. Sends nothing. */
  readonly isHealthy: (threshold?: number) => Effect.Effect<boolean>
  /**
   * Ends when it has a connection and its first catalogue, or when its first attempt has failed; at once if it does not connect by itself.
   */
  readonly firstOutcome: Effect.Effect<void>
  /** Sends one ping now, without waiting for a connection. Never fails: the result says whether there was an answer. */
  readonly healthCheck: Effect.Effect<HealthCheck>
  /** Makes a new connection, or joins an attempt in progress. Ends with that attempt. */
  readonly reconnect: Effect.Effect<void, CommandError>
  /** Connects a backend that is Disabled or Disconnected. Ends with that attempt. */
  readonly enable: Effect.Effect<void, CommandError>
  /** Disconnects, withdraws the catalogue, and refuses calls until `enable`. Ends when everything is closed. */
  readonly disable: Effect.Effect<void>
  /** Closes the connection, and stays Disconnected until `reconnect` or `enable`. */
  readonly disconnect: Effect.Effect<void>
  /** Reads the lists of the catalogue again. */
  readonly refresh: Effect.Effect<void, CallError>
  /** Approves the definitions of its tools as they are now (option `pin`). Returns the names of those that differed. */
  readonly approveTools: Effect.Effect<ReadonlyArray<string>>
  /** Pauses and resumes the heartbeats. */
  readonly keepalive: { readonly pause: Effect.Effect<void>; readonly resume: Effect.Effect<void> }
  /** Any request of the protocol. The schema decodes the result. */
  readonly request: <T extends AnySchema>(
    request: Mcp.ClientRequest | Mcp.Request,
    resultSchema: T,
    options?: CallOptions
  ) => Effect.Effect<SchemaOutput<T>, CallError>
  /**
   * Calls a tool. If the connection is lost, Lifeline sends the call again only if that does no harm: the server has not carried it out,
   * the tool's hints allow it, or the options say `idempotent`. Otherwise the call fails with ResultUnknown.
   */
  readonly callTool: (
    params: Params<Mcp.CallToolRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.CallToolResult, CallError>
  /** Asks the server for one page of tools. `catalog` has all of them. */
  readonly listTools: (
    params?: Params<Mcp.ListToolsRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ListToolsResult, CallError>
  /** Asks the server for one page of prompts. */
  readonly listPrompts: (
    params?: Params<Mcp.ListPromptsRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ListPromptsResult, CallError>
  /** Gets a prompt, with its arguments filled in. */
  readonly getPrompt: (
    params: Params<Mcp.GetPromptRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.GetPromptResult, CallError>
  /** Asks the server for one page of resources. */
  readonly listResources: (
    params?: Params<Mcp.ListResourcesRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ListResourcesResult, CallError>
  /** Asks the server for one page of resource templates. */
  readonly listResourceTemplates: (
    params?: Params<Mcp.ListResourceTemplatesRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ListResourceTemplatesResult, CallError>
  /** Reads a resource by its URI. */
  readonly readResource: (
    params: Params<Mcp.ReadResourceRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.ReadResourceResult, CallError>
  /** Asks the server to announce changes of a resource, on this and every later connection. */
  readonly subscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  /** Ends a subscription. */
  readonly unsubscribeResource: (uri: string, options?: CallOptions) => Effect.Effect<void, CallError>
  /** Completions of an argument. */
  readonly complete: (
    params: Params<Mcp.CompleteRequest>,
    options?: CallOptions
  ) => Effect.Effect<Mcp.CompleteResult, CallError>
  /** Sets the lowest level of log messages that the server sends, on this and every later connection. */
  readonly setLoggingLevel: (level: Mcp.LoggingLevel, options?: CallOptions) => Effect.Effect<void, CallError>
  /** Pings the server; waits for a connection like a call. */
  readonly ping: (options?: CallOptions) => Effect.Effect<void, CallError>
  /** The client of the facade behind it, for what this interface does not have. Its errors are those of `@mcp-lifeline/client`. */
  readonly client: Facade.Client
}

/**
 * What a client or a fleet reports to listeners, as a stream that ends when `closed` does.
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
 * A backend over a client. `closed` ends when the client has closed.
 *
 * @internal
 */
export const fromClient = (client: Facade.Client, closed: Effect.Effect<void>): Backend => {
  /** A request whose method takes parameters and options. */
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
