/**
 * A fleet: many backends, one catalogue, as a service of Effect 4.
 */
import type * as Facade from "@mcp-lifeline/client"
import { connectAll } from "@mcp-lifeline/client"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { type Config, Context, Effect, Layer, type Scope, Stream } from "effect"
import { type Backend, type CallOptions, fromClient, streamOf } from "./BackendClient.js"
import { ask, attempt, type BackendUnavailable, type CallError, type InvalidOptions } from "./Errors.js"
import * as Live from "./Live.js"
import { type BackendOptions, lend } from "./Options.js"
import { within } from "./Telemetry.js"

/** The options of a fleet. Those of servers are defaults, which a server's own options override. */
export interface FleetOptions<R = never>
  extends BackendOptions<R>, Pick<Facade.FleetOptions, "connectConcurrency" | "prefix" | "variables">
{}

/** The servers, as in an mcp.json. */
export type Servers = Facade.FleetConfig | Facade.VsCodeConfig

/** What all servers offer, under full names. */
export interface Catalog {
  readonly tools: ReadonlyArray<Mcp.Tool>
  readonly prompts: ReadonlyArray<Mcp.Prompt>
  readonly resources: ReadonlyArray<Mcp.Resource>
  readonly resourceTemplates: ReadonlyArray<Mcp.ResourceTemplate>
}

/** Many backends, one catalogue. A slow or dead backend delays no other. Each of its streams ends once its scope has closed. */
export interface Fleet {
  /** The names of the backends, in order. */
  readonly names: Effect.Effect<ReadonlyArray<string>>
  /** The backend with this name. The handle stays the same if `apply` replaces the backend. */
  readonly backend: (id: string) => Effect.Effect<Backend, BackendUnavailable>
  /** The status of each backend. */
  readonly status: Live.Live<Facade.FleetStatus>
  /** What happens to each backend, from now on. */
  readonly events: Stream.Stream<Facade.Event>
  /** The catalogue of all backends. Asks no server. */
  readonly catalog: Live.Live<Catalog>
  /** Ends when each backend has its first outcome (`Backend.firstOutcome`). Give it a timeout of your own. */
  readonly ready: Effect.Effect<void>
  /** Calls a tool by its full name, and waits for its backend like any call. */
  readonly callTool: (
    params: Parameters<Facade.Fleet["callTool"]>[0],
    options?: CallOptions
  ) => Effect.Effect<Mcp.CallToolResult, CallError>
  /** Gets a prompt by its full name. */
  readonly getPrompt: (
    params: Parameters<Facade.Fleet["getPrompt"]>[0],
    options?: CallOptions
  ) => Effect.Effect<Mcp.GetPromptResult, CallError>
  /** Reads a resource by its URI in the catalogue, or by `lifeline://<server>/<encoded URI>`. */
  readonly readResource: (
    params: { readonly uri: string },
    options?: CallOptions
  ) => Effect.Effect<Mcp.ReadResourceResult, CallError>
  /** Reads the lists of one server again, or of all servers that are not down. */
  readonly refresh: (id?: string) => Effect.Effect<void, CallError>
  /** Starts, stops and replaces only the servers whose configuration differs. If the options of one are refused, nothing changes. */
  readonly apply: (servers: Servers) => Effect.Effect<Facade.Applied, InvalidOptions>
}

/** The service key of a program's fleet. A program with two fleets defines a key of its own for each. */
export const Fleet: Context.Service<Fleet, Fleet> = Context.Service<Fleet>("@mcp-lifeline/effect4/Fleet")

const isSame = (before: Catalog, after: Catalog): boolean =>
  (["tools", "prompts", "resources", "resourceTemplates"] as const).every((kind) =>
    before[kind].length === after[kind].length && before[kind].every((one, index) => one === after[kind][index])
  )

const fromFacade = (fleet: Facade.Fleet, closed: Effect.Effect<void>): Fleet => {
  const status = Live.make(() => fleet.status, () => fleet.statusChanges())
  const events = streamOf<Facade.Event>((listener) => fleet.on("event", listener), closed)
  const readCatalog = Effect.promise(async (): Promise<Catalog> => ({
    ...await fleet.listTools(),
    ...await fleet.listPrompts(),
    ...await fleet.listResources(),
    ...await fleet.listResourceTemplates()
  }))
  return {
    names: Effect.sync(() => fleet.names),
    backend: (id) => ask(async () => fromClient(fleet.client(id), closed)),
    status,
    events,
    catalog: {
      get: readCatalog,
      // A status comes first, and when `apply` has changed which backends there are.
      changes: Stream.merge(status.changes, Stream.filter(events, ({ _tag }) => _tag === "CatalogChanged")).pipe(
        Stream.mapEffect(() => readCatalog),
        Stream.changesWith(isSame)
      )
    },
    ready: Effect.suspend(() =>
      Effect.forEach(fleet.names, (name) => fromClient(fleet.client(name), closed).firstOutcome, {
        concurrency: "unbounded",
        discard: true
      })
    ),
    callTool: (given, options) =>
      within(
        given,
        (params) =>
          ask((signal) => fleet.callTool(params, undefined, { ...options, signal }) as Promise<Mcp.CallToolResult>)
      ),
    getPrompt: (given, options) =>
      within(given, (params) => ask((signal) => fleet.getPrompt(params, { ...options, signal }))),
    readResource: (given, options) =>
      within(given, (params) => ask((signal) => fleet.readResource(params, { ...options, signal }))),
    refresh: (id) => ask((signal) => fleet.refresh(id, { signal })),
    apply: (servers) => Effect.mapError(attempt(() => fleet.apply(servers)), (error) => error as InvalidOptions)
  }
}

/**
 * Makes a fleet that lives as long as the scope. Its backends start to connect at once; this does not wait for them. Closing the scope waits
 * until all processes and sessions have ended.
 */
export const make = <R = never>(
  servers: Servers,
  options: FleetOptions<R> = {}
): Effect.Effect<Fleet, InvalidOptions, R | Scope.Scope> =>
  Effect.map(
    lend(options, (given) => connectAll(servers, { ...given, waitTimeout: 0 })),
    ({ closed, fleet }) => fromFacade(fleet, closed)
  )

/** The fleet as a service. Its backends start to connect when the layer is built, and close with the layer's scope. */
export const layer = <R = never>(
  servers: Servers,
  options?: FleetOptions<R>
): Layer.Layer<Fleet, InvalidOptions, Exclude<R, Scope.Scope>> => Layer.effect(Fleet, make(servers, options))

/** The same with servers that are read from the configuration. */
export const layerConfig = <R = never>(
  servers: Config.Config<Servers>,
  options?: FleetOptions<R>
): Layer.Layer<Fleet, Config.ConfigError | InvalidOptions, Exclude<R, Scope.Scope>> =>
  Layer.effect(Fleet, Effect.flatMap(servers, (read) => make(read, options)))
