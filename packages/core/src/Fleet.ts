import { Clock, type Config, Context, Effect, Layer, Predicate, type Scope, Stream, Struct } from "effect"
import type { ConfigError } from "effect/ConfigError"
import { constTrue } from "effect/Function"
import type { Backend, BackendOptions, CallOptions } from "./Backend.js"
import type { BackendUnavailable, CallError, InvalidOptions } from "./Errors.js"
import { CatalogIndex } from "./fleet/CatalogIndex.js"
import { type Difference, difference, type FleetCatalog } from "./fleet/FleetCatalog.js"
import type { Applied } from "./fleet/Members.js"
import * as FleetMembers from "./fleet/Members.js"
import * as Names from "./fleet/names.js"
import * as Router from "./fleet/Router.js"
import * as Unknown from "./fleet/Unknown.js"
import * as Visible from "./fleet/Visible.js"
import * as Machine from "./health/Machine.js"
import { Hub } from "./internal/Hub.js"
import { StateRef } from "./internal/StateRef.js"
import type { Event } from "./observe/Event.js"
import * as Live from "./observe/Live.js"
import * as Check from "./options/Check.js"
import { decode, type PolicyOptions } from "./options/Policy.js"
import * as Problem from "./options/Problem.js"
import * as TimeSpan from "./options/TimeSpan.js"
import type { Status } from "./state/Status.js"
import * as ConnectPermits from "./supervisor/ConnectPermits.js"

export type { Difference, Entry, FleetCatalog } from "./fleet/FleetCatalog.js"
export type { Applied } from "./fleet/Members.js"
export { type Routed, scopedUri } from "./fleet/names.js"
export type { Route } from "./fleet/Router.js"
export { isUnknown } from "./fleet/Unknown.js"

export interface FleetBackend<R = never> extends BackendOptions<R> {
  /** Prefix of its tool and prompt names. Default: the fleet's. Another prefix does not replace the backend. */
  readonly prefix?: string | undefined
}

/** By name, or as a list with ids. The first in this order that offers a name or URI gets it. */
export type Backends<R = never> =
  | Readonly<Record<string, FleetBackend<R>>>
  | ReadonlyArray<FleetBackend<R> & { readonly id: string }>

/** `R`: the services that the handlers and `onConnected` of its backends use. */
export interface FleetOptions<R = never> {
  readonly backends: Backends<R>
  /** For all backends; a backend's own options win. */
  readonly defaults?: PolicyOptions | undefined
  /**
   * Prefix of tool and prompt names: letters, digits, `_` and `-`, and `{server}` for the backend's name; `""` for none. Default
   * `"{server}__"`. Longer names than 64 characters are shortened, always alike.
   */
  readonly prefix?: string | undefined
  /** Attempts to connect at once. Default 8. */
  readonly connectConcurrency?: number | undefined
  /** Of `ready`, at most. Default 10 s. */
  readonly waitTimeout?: TimeSpan.TimeSpan | undefined
}

/** Many backends, one catalogue. A slow or dead backend delays no other. Streams end once the scope has closed. */
export interface Fleet {
  /** In order. */
  readonly backends: Effect.Effect<ReadonlyArray<Backend>>
  /** The handle stays valid until `apply` stops or replaces it. */
  readonly backend: (id: string) => Effect.Effect<Backend, BackendUnavailable>
  /** The backend, and each that `apply` replaces it with. Ends when there is none. */
  readonly backendChanges: (id: string) => Stream.Stream<Backend>
  /** A slow reader of `changes` may miss values, never the last. */
  readonly status: Live.Live<Readonly<Record<string, Status>>>
  /** Of each backend, from when on `Backend.events` says. A reader 65,536 events behind loses the oldest. */
  readonly events: Stream.Stream<Event>
  /** A slow reader of `changes` may miss values, never the last. */
  readonly catalog: Live.Live<FleetCatalog>
  /** Of the catalogue, from now on. */
  readonly differences: Stream.Stream<Difference>
  /** Ends when each backend has its `firstOutcome`, or after `waitTimeout`. */
  readonly ready: Effect.Effect<void>
  /**
   * Calls a tool by its full name. If the backend's lists are not known yet, or it is not connected and may offer others now, the call connects
   * it and waits, and fails with its BackendUnavailable. Without such a backend: BackendUnavailable (`Unknown`). Without such a tool:
   * RemoteError -32602; a name that says no backend waits for `ready` first.
   */
  readonly callTool: Backend["callTool"]
  /** By its full name. Waits and fails like `callTool`. */
  readonly getPrompt: Backend["getPrompt"]
  /**
   * By its URI or `lifeline://<backend>/<encoded URI>`. An unknown URI fails with RemoteError -32002, an unknown backend with
   * BackendUnavailable (`Unknown`). Contents under the resource's own URI get the URI that you asked for.
   */
  readonly readResource: Backend["readResource"]
  /** Of a prompt, by its full name, or of a resource template. Unknown ones fail as in `getPrompt` and `readResource`. */
  readonly complete: Backend["complete"]
  /** Which backend a full name or URI belongs to, and its name there. Waits and fails like `callTool`. */
  readonly route: (kind: Names.Routed, name: string, options?: CallOptions) => Effect.Effect<Router.Route, CallError>
  /**
   * Starts, stops and replaces only what changed: a backend stays if its options are the same object or have the same fields. Nothing changes
   * if options are refused or the fleet is closed.
   *
   * Calls in flight on a replaced backend get `timeouts.drain` to finish. A connected backend whose server may have two connections
   * (`reconnect.overlap`, or the connector's default) works until its successor is connected, and stays if the successor's first attempt fails.
   * Any other is closed first. Waiting calls go on with the successor, within their wait.
   */
  readonly apply: <R = never>(backends: Backends<R>) => Effect.Effect<Applied, InvalidOptions, R>
}

const check = Check.options(
  {
    backends: Check.is(Predicate.isObject, "backends by name, or a list of them"),
    defaults: Check.object,
    prefix: Names.checkPrefix,
    connectConcurrency: Check.whole(1, Infinity),
    waitTimeout: Check.span(0, TimeSpan.day)
  } satisfies Record<keyof FleetOptions, Check.Check>,
  "a fleet"
)

/** Lives as long as the scope. Its backends start to connect at once; this does not wait for them. Without backends the catalogue is empty. */
export const make = <R = never>(options: FleetOptions<R>): Effect.Effect<Fleet, InvalidOptions, R | Scope.Scope> =>
  Effect.gen(function*() {
    const { connectConcurrency = 8, defaults = {} } = options
    const problems = check(options, [])
    if (Problem.some(problems)) return yield* Problem.refuse("fleet", problems)
    const waitTimeout = TimeSpan.millis(options.waitTimeout ?? "10 seconds")
    // With backends, each of them is refused by its own name.
    if (Object.keys(options.backends).length === 0) yield* decode("fleet", defaults)
    const fleetStartedAt = yield* Clock.currentTimeMillis
    const permits = ConnectPermits.make(connectConcurrency)
    // A fleet of thousands that connects at once has some five events for each.
    const events = new Hub<Event>(65_536)
    const statusVersion = new StateRef(0)
    const catalogVersion = new StateRef(0)
    const index = new CatalogIndex()
    // Last, when every backend is closed and has said so.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => [events, statusVersion, catalogVersion].forEach((one) => one.end()))
    )
    const catalogChanged = () => catalogVersion.set(catalogVersion.value + 1)
    const members = yield* FleetMembers.make({
      defaults: options.defaults,
      fleetStartedAt,
      permits,
      machine: yield* Machine.make,
      event: (event) => events.emit(event),
      changed: () => statusVersion.set(statusVersion.value + 1),
      offered: (source, snapshot) => {
        index.offer(source, snapshot)
        catalogChanged()
      },
      placed: (placed, prefixes) => {
        for (const { source } of placed.values()) {
          index.rename(source, Names.prefixOf(source.id, prefixes.get(source.id)))
        }
        index.arrange(Array.from(placed.values(), ({ source }) => source))
        catalogChanged()
      }
    })
    const apply: Fleet["apply"] = (backends) =>
      Effect.flatMap(
        named(backends, options.prefix),
        ({ byId, prefixes }) => FleetMembers.apply(members, byId, prefixes)
      )
    yield* apply(options.backends)

    const all = () => Array.from(members.current.value.values(), ({ backend }) => backend)
    const status = Effect.suspend(() => {
      const each = Effect.forEach(all(), ({ id, status }) => Effect.map(status, (one) => [id, one] as const))
      return Effect.map(each, (entries) => Object.fromEntries(entries))
    })
    const readyOf = (isMeant: (backend: string) => boolean): Effect.Effect<void> =>
      Effect.suspend(() =>
        Effect.forEach(
          [...members.pending].filter(({ id }) => isMeant(id)),
          (backend) => backend.firstOutcome,
          { discard: true }
        )
      ).pipe(Effect.timeoutOption(waitTimeout), Effect.asVoid)
    const ready = readyOf(constTrue)

    const routerOf = (visible: Visible.Visible): Router.Router =>
      Router.make({
        index,
        members,
        ready: readyOf(visible.hasServer),
        visible,
        late: new WeakSet()
      })
    const router = routerOf(Visible.everything)
    const views = Visible.perVisible(routerOf)
    const viewOf = (visible: Visible.Visible): Router.Router => visible.isWhole ? router : views(visible)
    const readCatalog = Effect.sync(() => index.catalog)
    const catalog = Live.make(
      Effect.suspend(() => {
        const old = all().flatMap((backend) => backend.touchCatalog() ?? [])
        return Effect.zipRight(Effect.all(old, { concurrency: "unbounded", discard: true }), readCatalog)
      }),
      Stream.changes(Stream.mapEffect(catalogVersion.changes, () => readCatalog))
    )
    const fleet: Fleet & Pick<Router.Router, "find"> & { readonly viewOf: typeof viewOf } = {
      ...router,
      backends: Effect.sync(all),
      backend: (id) =>
        Effect.suspend(() => Effect.fromNullable(members.current.value.get(id)?.backend)).pipe(
          Effect.mapError(() => Unknown.backend(id, [...members.current.value.keys()]))
        ),
      backendChanges: (id) =>
        members.current.changes.pipe(
          Stream.map((all) => all.get(id)?.backend),
          Stream.takeWhile((backend) => backend !== undefined),
          Stream.changes
        ),
      status: Live.make(status, Stream.mapEffect(statusVersion.changes, () => status)),
      events: events.stream(() => all().flatMap(({ parts }) => parts.state.firstEvents)),
      catalog,
      differences: Stream.unwrap(Effect.map(catalog, (now) =>
        catalog.changes.pipe(
          Stream.mapAccum(now, (before, after) => [after, difference(before, after)]),
          Stream.filter(({ added, changed, removed }) => added.length + changed.length + removed.length > 0)
        ))),
      ready,
      viewOf,
      apply
    }
    return fleet
  })

/** A program with two fleets defines a tag of its own for each. */
export const Fleet = Context.GenericTag<Fleet>("@mcp-lifeline/core/Fleet")

/** Its backends start to connect when the layer is built, and close with the layer's scope. */
export const layer = <R = never>(
  options: FleetOptions<R>
): Layer.Layer<Fleet, InvalidOptions, Exclude<R, Scope.Scope>> => Layer.scoped(Fleet, make(options))

/** With options from the configuration. */
export const layerConfig = <R = never>(
  options: Config.Config<FleetOptions<R>>
): Layer.Layer<Fleet, ConfigError | InvalidOptions, Exclude<R, Scope.Scope>> =>
  Layer.scoped(Fleet, Effect.flatMap(options, (decoded) => make(decoded)))

const named = <R>(backends: Backends<R>, pattern: string | undefined) =>
  Effect.gen(function*() {
    const byId = new Map<string, BackendOptions<R>>()
    const prefixes = new Map<string, string>()
    for (const [id, given] of entriesOf(backends)) {
      if (id === "" || byId.has(id)) {
        const accepted = id === "" ? "names that are not empty" : "names that each appear once"
        return yield* Problem.refuse("fleet", [Problem.wrong(["backends"], id, accepted)])
      }
      const prefix = given.prefix ?? pattern
      if (prefix !== undefined) {
        const problems = Names.checkPrefix(prefix, ["prefix"])
        if (Problem.some(problems)) return yield* Problem.refuse(id, problems)
        prefixes.set(id, prefix)
      }
      // The same object where possible, which `apply` compares at once.
      byId.set(id, given.prefix === undefined ? given : Struct.omit(given, "prefix"))
    }
    return { byId, prefixes }
  })

const isList = <R>(backends: Backends<R>): backends is Extract<Backends<R>, ReadonlyArray<unknown>> =>
  Array.isArray(backends)

const entriesOf = <R>(backends: Backends<R>): ReadonlyArray<readonly [string, FleetBackend<R>]> =>
  isList(backends) ? backends.map(({ id, ...rest }) => [id, rest] as const) : Object.entries(backends)
