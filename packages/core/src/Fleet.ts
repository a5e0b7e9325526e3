/**
 * A fleet: many backends, one catalogue.
 */
import type {
  CallToolResult,
  CompleteResult,
  GetPromptResult,
  ReadResourceResult
} from "@modelcontextprotocol/sdk/types.js"
import { Clock, type Config, Context, Effect, Layer, Predicate, type Scope, Stream } from "effect"
import type { ConfigError as ConfigProviderError } from "effect/ConfigError"
import type { Backend, BackendOptions, CallOptions } from "./Backend.js"
import { CatalogIndex, type Routed } from "./fleet/CatalogIndex.js"
import * as Check from "./options/Check.js"
import { BackendUnavailable, type CallError, type ConfigError, RemoteError } from "./Errors.js"
import type { Event } from "./observe/Event.js"
import { type Difference, difference, type FleetCatalog } from "./fleet/FleetCatalog.js"
import type { Applied } from "./fleet/Members.js"
import * as FleetMembers from "./fleet/Members.js"
import { Cell } from "./internal/Cell.js"
import { onClockJump } from "./internal/ClockJump.js"
import { Hub } from "./internal/Hub.js"
import type { Params } from "./port/Method.js"
import * as Permits from "./fleet/ConnectPermits.js"
import { decode, invalid, type PolicyOptions } from "./options/Policy.js"
import * as Problem from "./options/Problem.js"
import type { Status } from "./Status.js"
import * as TimeSpan from "./options/TimeSpan.js"

export type { Routed } from "./fleet/CatalogIndex.js"
export type { Difference, Entry, FleetCatalog } from "./fleet/FleetCatalog.js"
export type { Applied } from "./fleet/Members.js"

/** The backends of a fleet by name, or in a list with their ids; in the order in which they claim what several offer. */
export type Backends =
  | Readonly<Record<string, BackendOptions>>
  | ReadonlyArray<BackendOptions & { readonly id: string }>

/** A fleet's options. */
export interface FleetOptions {
  readonly backends: Backends
  /** Options below each backend's own. */
  readonly defaults?: PolicyOptions | undefined
  /** Attempts under way at once. Default 8. */
  readonly connectConcurrency?: number | undefined
  /** How long `ready` waits at most. Default 10 s. */
  readonly waitTimeout?: TimeSpan.TimeSpan | undefined
}

/**
 * Many backends, one catalogue. A slow or dead backend delays no other (L14). Each of its streams ends once its scope has
 * closed.
 */
export interface Fleet {
  readonly backends: Effect.Effect<ReadonlyArray<Backend>>
  /** The backend of a name. Its handle stays valid until `apply` stops or replaces it. */
  readonly backend: (id: string) => Effect.Effect<Backend, BackendUnavailable>
  /** The backend of a name now, and each that `apply` replaces it with. Ends when there is none of that name. */
  readonly backendChanges: (id: string) => Stream.Stream<Backend>
  /** The status of every backend. Takes time in proportion to their number: ask one backend where one is wanted. */
  readonly status: Effect.Effect<Readonly<Record<string, Status>>>
  /**
   * The status of every backend now, and again after each change of one. A slow reader misses intermediate values, never the
   * last.
   */
  readonly statusChanges: Stream.Stream<Readonly<Record<string, Status>>>
  readonly events: Stream.Stream<Event>
  readonly catalog: Effect.Effect<FleetCatalog>
  /** The catalogue now and after each change. A slow reader misses intermediate values, never the last (P7). */
  readonly catalogChanges: Stream.Stream<FleetCatalog>
  /** What changed, from the catalogue at the subscription on (P7). */
  readonly differences: Stream.Stream<Difference>
  /** Ends when each backend is settled, at most after `waitTimeout`. */
  readonly ready: Effect.Effect<void>
  /**
   * Calls a tool by its full name. A name that nobody has is looked up again when every backend is settled, at most after
   * `waitTimeout`; then it fails with RemoteError -32602.
   */
  readonly callTool: (params: Params<"tools/call">, options?: CallOptions) => Effect.Effect<CallToolResult, CallError>
  /** Gets a prompt by its full name. An unknown name fails with RemoteError -32602. */
  readonly getPrompt: (
    params: Params<"prompts/get">,
    options?: CallOptions
  ) => Effect.Effect<GetPromptResult, CallError>
  /**
   * Reads a resource by its URI or its `lifeline://<backend>/<encoded URI>`. An unknown one fails with RemoteError -32002. Its
   * contents have the URI that was asked for, where the server gives them the URI that this stands for.
   */
  readonly readResource: (
    params: Params<"resources/read">,
    options?: CallOptions
  ) => Effect.Effect<ReadResourceResult, CallError>
  readonly complete: (
    params: Params<"completion/complete">,
    options?: CallOptions
  ) => Effect.Effect<CompleteResult, CallError>
  /** The backend and the name there that a full name (or URI) stands for. */
  readonly route: (kind: Routed, name: string) => Effect.Effect<Route, RemoteError>
  /**
   * Starts, stops and replaces only what changed: options that are the same object, or have the same fields, stay (L15). Where
   * one is refused, nothing changes; nor does it when the fleet is closed.
   *
   * The calls under way on a backend that is replaced get `timeouts.drain` to end. Where its server may have two connections at
   * once (`reconnect.overlap`, or the connector's) and it is connected, it goes on until its successor is connected; where the
   * successor's first attempt fails, the old one stays. Any other is closed before its successor connects, and new calls wait
   * for that (L12).
   */
  readonly apply: (backends: Backends) => Effect.Effect<Applied, ConfigError>
}

/** Where a full name leads. */
export interface Route {
  readonly backend: Backend
  readonly original: string
}

const check = Check.options(
  {
    backends: Check.is(Predicate.isObject, "backends by name, or a list of them"),
    defaults: Check.object,
    connectConcurrency: Check.whole(1, Infinity),
    waitTimeout: Check.span(0, 24 * 60 * 60 * 1000)
  } satisfies Record<keyof FleetOptions, Check.Check>,
  "a fleet"
)

/**
 * Makes a fleet that lives as long as the scope. Its backends connect at once, at most `connectConcurrency` attempts at a
 * time; it does not wait for them. An empty fleet has a working, empty catalogue.
 */
export const make = (options: FleetOptions): Effect.Effect<Fleet, ConfigError, Scope.Scope> =>
  Effect.gen(function*() {
    const { connectConcurrency = 8, defaults = {} } = options
    const problems = check(options, [])
    if (Problem.some(problems)) return yield* Problem.refuse("fleet", problems)
    const waitTimeout = TimeSpan.millis(options.waitTimeout ?? "10 seconds")
    // With backends, each of them is refused by its own name.
    if (Object.keys(options.backends).length === 0) yield* decode("fleet", defaults)
    const fleetStartedAt = yield* Clock.currentTimeMillis
    const permits = Permits.make(connectConcurrency)
    const events = new Hub<Event>()
    const statusVersion = new Cell(0)
    const catalogVersion = new Cell(0)
    const index = new CatalogIndex()
    // Runs last, when every backend is closed and has said so.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => [events, statusVersion, catalogVersion].forEach((one) => one.end()))
    )
    const clockJumps = new Hub<void>()
    yield* onClockJump(() => clockJumps.emit())
    const catalogChanged = () => catalogVersion.set(catalogVersion.get() + 1)
    const members = yield* FleetMembers.make({
      defaults: options.defaults,
      fleetStartedAt,
      permits,
      clockJumps,
      event: (event) => events.emit(event),
      changed: () => statusVersion.set(statusVersion.get() + 1),
      offered: (owner, snapshot) => {
        index.offer(owner, snapshot)
        catalogChanged()
      },
      placed: (placed) => {
        index.arrange(Array.from(placed.values(), ({ owner }) => owner))
        catalogChanged()
      }
    })
    const apply = (backends: Backends) => Effect.flatMap(named(backends), members.apply)
    yield* apply(options.backends)

    const status = Effect.suspend(() =>
      Effect.map(
        Effect.forEach(
          members.current.get(),
          ([id, { backend }]) => Effect.map(backend.status, (one) => [id, one] as const)
        ),
        (entries) => Object.fromEntries(entries)
      )
    )
    const ready = Effect.suspend(() =>
      Effect.forEach(
        [...members.unsettled],
        (backend) => Effect.map(backend.settled, () => members.unsettled.delete(backend)),
        {
          discard: true
        }
      )
    ).pipe(Effect.timeoutOption(waitTimeout), Effect.asVoid)

    const look = (kind: Routed, name: string): Route | undefined => {
      const found = index.route(kind, name)
      const member = found && members.current.get().get(found.backend)
      return found && member && { backend: member.backend, original: found.original }
    }

    // A name that nobody has may belong to a backend whose first catalogue is still to come: looked up again then.
    const route: Fleet["route"] = (kind, name) =>
      Effect.suspend(() => {
        const now = look(kind, name)
        return now !== undefined ? Effect.succeed(now) : Effect.flatMap(ready, () => {
          const then = look(kind, name)
          return then === undefined ? Effect.fail(unknown(kind, name)) : Effect.succeed(then)
        })
      })
    const catalog = Effect.sync(() => index.catalog)
    const catalogChanges = Stream.changesWith(
      Stream.mapEffect(catalogVersion.changes, () => catalog),
      (before, after) => before === after
    )
    const fleet: Fleet = {
      backends: Effect.sync(() => [...members.current.get().values()].map((member) => member.backend)),
      backend: (id) =>
        Effect.suspend(() => {
          const member = members.current.get().get(id)
          return member === undefined
            ? Effect.fail(noBackend(id, [...members.current.get().keys()]))
            : Effect.succeed(member.backend)
        }),
      backendChanges: (id) =>
        members.current.changes.pipe(
          Stream.map((all) => all.get(id)?.backend),
          Stream.takeWhile((backend) => backend !== undefined),
          Stream.changes
        ),
      status,
      statusChanges: Stream.mapEffect(statusVersion.changes, () => status),
      events: events.stream,
      catalog,
      catalogChanges,
      differences: Stream.unwrap(Effect.map(catalog, (now) =>
        catalogChanges.pipe(
          Stream.mapAccum(now, (before, after) => [after, difference(before, after)]),
          Stream.filter(({ added, changed, removed }) => added.length + changed.length + removed.length > 0)
        ))),
      ready,
      callTool: (params, callOptions) =>
        Effect.flatMap(
          route("tools", params.name),
          ({ backend, original }) => backend.callTool({ ...params, name: original }, callOptions)
        ),
      getPrompt: (params, callOptions) =>
        Effect.flatMap(
          route("prompts", params.name),
          ({ backend, original }) => backend.getPrompt({ ...params, name: original }, callOptions)
        ),
      readResource: (params, callOptions) =>
        Effect.flatMap(route("resources", params.uri), ({ backend, original }) =>
          Effect.map(backend.readResource({ ...params, uri: original }, callOptions), (result) =>
            original === params.uri ? result : underAskedUri(result, original, params.uri))),
      complete: (params, callOptions) =>
        params.ref.type === "ref/prompt"
          ? Effect.flatMap(
            route("prompts", params.ref.name),
            ({ backend, original }) =>
              backend.complete({ ...params, ref: { type: "ref/prompt", name: original } }, callOptions)
          )
          : Effect.flatMap(
            route("resources", params.ref.uri),
            ({ backend, original }) =>
              backend.complete({ ...params, ref: { type: "ref/resource", uri: original } }, callOptions)
          ),
      route,
      apply
    }
    return fleet
  })

/** The tag of a program's fleet. */
export class FleetTag extends Context.Tag("@mcp-lifeline/core/Fleet")<FleetTag, Fleet>() {}

/** The fleet as a service: its backends begin to connect when the layer is built, and are closed with it. */
export const layer = (options: FleetOptions): Layer.Layer<FleetTag, ConfigError> =>
  Layer.scoped(FleetTag, make(options))

/** The same with options that are read from the configuration. */
export const layerConfig = (
  options: Config.Config<FleetOptions>
): Layer.Layer<FleetTag, ConfigError | ConfigProviderError> => Layer.scoped(FleetTag, Effect.flatMap(options, make))

const named = (backends: Backends): Effect.Effect<ReadonlyMap<string, BackendOptions>, ConfigError> =>
  Effect.suspend(() => {
    const entries = Array.isArray(backends)
      ? (backends as ReadonlyArray<BackendOptions & { readonly id: string }>).map(({ id, ...rest }) =>
        [id, rest] as const
      )
      : Object.entries(backends as Readonly<Record<string, BackendOptions>>)
    const byId = new Map<string, BackendOptions>()
    for (const [id, options] of entries) {
      if (id === "") return Effect.fail(invalid("fleet", "backends", id, "names that are not empty"))
      if (byId.has(id)) {
        return Effect.fail(invalid("fleet", "backends", id, "names that are each there once"))
      }
      byId.set(id, options)
    }
    return Effect.succeed(byId)
  })

/**
 * The contents of a resource under the URI that was asked for, so that who compares the two finds them the same. Contents with
 * other URIs, as of the files of a folder, keep theirs: only their server knows what those stand for.
 */
const underAskedUri = (result: ReadResourceResult, original: string, asked: string): ReadResourceResult =>
  Array.isArray(result.contents)
    ? { ...result, contents: result.contents.map((one) => one?.uri === original ? { ...one, uri: asked } : one) }
    : result

const codes = { tools: -32602, prompts: -32602, resources: -32002 } as const

const unknown = (kind: Routed, name: string): RemoteError =>
  new RemoteError({
    backend: "fleet",
    method: kind === "tools" ? "tools/call" : kind === "prompts" ? "prompts/get" : "resources/read",
    code: codes[kind],
    data: { name },
    message: `no backend offers the ${kind.slice(0, -1)} ${JSON.stringify(name)}; see the list of ${kind}`
  })

const noBackend = (id: string, ids: ReadonlyArray<string>): BackendUnavailable =>
  new BackendUnavailable({
    backend: id,
    state: "Unknown",
    message: `there is no backend ${JSON.stringify(id)}; there are: ${ids.join(", ") || "none"}`
  })
