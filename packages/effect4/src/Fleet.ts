import type * as Facade from "@mcp-lifeline/client"
import { connectAll } from "@mcp-lifeline/client"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { type Config, Context, Effect, Layer, type Scope, Stream } from "effect"
import { type Backend, type CallOptions, fromClient, streamOf } from "./BackendClient.js"
import { ask, attempt, type BackendUnavailable, type CallError, type InvalidOptions } from "./Errors.js"
import * as Live from "./Live.js"
import { type BackendOptions, lend } from "./Options.js"
import { within } from "./Telemetry.js"

/** A server's own options override these. */
export interface FleetOptions<R = never>
  extends BackendOptions<R>, Pick<Facade.FleetOptions, "connectConcurrency" | "prefix" | "variables">
{}

/** As in an mcp.json. */
export type Servers = Facade.FleetConfig | Facade.VsCodeConfig

/** Under full names. */
export interface Catalog {
  readonly tools: ReadonlyArray<Mcp.Tool>
  readonly prompts: ReadonlyArray<Mcp.Prompt>
  readonly resources: ReadonlyArray<Mcp.Resource>
  readonly resourceTemplates: ReadonlyArray<Mcp.ResourceTemplate>
}

/** Many backends, one catalogue. A slow or dead backend delays no other. Streams end when the scope has closed. */
export interface Fleet {
  /** In order. */
  readonly names: Effect.Effect<ReadonlyArray<string>>
  /** The handle stays the same if `apply` replaces the backend. */
  readonly backend: (id: string) => Effect.Effect<Backend, BackendUnavailable>
  readonly status: Live.Live<Facade.FleetStatus>
  /** From now on. */
  readonly events: Stream.Stream<Facade.Event>
  /** Asks no server. */
  readonly catalog: Live.Live<Catalog>
  /** Ends when each backend has its first outcome (`Backend.firstOutcome`). Has no timeout. */
  readonly ready: Effect.Effect<void>
  /** By full name. Waits for its backend like any call. */
  readonly callTool: (
    params: Parameters<Facade.Fleet["callTool"]>[0],
    options?: CallOptions
  ) => Effect.Effect<Mcp.CallToolResult, CallError>
  /** By full name. */
  readonly getPrompt: (
    params: Parameters<Facade.Fleet["getPrompt"]>[0],
    options?: CallOptions
  ) => Effect.Effect<Mcp.GetPromptResult, CallError>
  /** By its URI in the catalogue, or `lifeline://<server>/<encoded URI>`. */
  readonly readResource: (
    params: { readonly uri: string },
    options?: CallOptions
  ) => Effect.Effect<Mcp.ReadResourceResult, CallError>
  /** Reads the lists again, of one server or of all that are not down. */
  readonly refresh: (id?: string) => Effect.Effect<void, CallError>
  /** Starts, stops and replaces only servers whose configuration differs. If one is refused, nothing changes. */
  readonly apply: (servers: Servers) => Effect.Effect<Facade.Applied, InvalidOptions>
}

/** The service key. A program with two fleets defines a key for each. */
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
      // A status comes first, and when `apply` has changed the backends.
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
 * Makes a fleet that lives as long as the scope. Backends start to connect at once; this does not wait. Closing the scope waits until all
 * processes and sessions have ended.
 */
export const make = <R = never>(
  servers: Servers,
  options: FleetOptions<R> = {}
): Effect.Effect<Fleet, InvalidOptions, R | Scope.Scope> =>
  Effect.map(
    lend(options, (given) => connectAll(servers, { ...given, waitTimeout: 0 })),
    ({ closed, fleet }) => fromFacade(fleet, closed)
  )

/** Backends start to connect when the layer is built, and close with its scope. */
export const layer = <R = never>(
  servers: Servers,
  options?: FleetOptions<R>
): Layer.Layer<Fleet, InvalidOptions, Exclude<R, Scope.Scope>> => Layer.effect(Fleet, make(servers, options))

/** With servers from the configuration. */
export const layerConfig = <R = never>(
  servers: Config.Config<Servers>,
  options?: FleetOptions<R>
): Layer.Layer<Fleet, Config.ConfigError | InvalidOptions, Exclude<R, Scope.Scope>> =>
  Layer.effect(Fleet, Effect.flatMap(servers, (read) => make(read, options)))
