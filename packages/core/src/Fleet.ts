/**
 * A fleet: many backends, one catalogue.
 */
import type {
  CallToolResult,
  CompleteResult,
  GetPromptResult,
  ReadResourceResult
} from "@modelcontextprotocol/sdk/types.js"
import { Clock, type Config, Context, Effect, ExecutionStrategy, Layer, Scope, Stream } from "effect"
import type { ConfigError as ConfigProviderError } from "effect/ConfigError"
import { type Backend, type BackendOptions, type CallOptions, make as makeBackend } from "./Backend.js"
import type { Snapshot } from "./Catalog.js"
import { BackendUnavailable, type CallError, type ConfigError, RemoteError } from "./Errors.js"
import type { Event } from "./Event.js"
import { Cell } from "./internal/Cell.js"
import { Hub } from "./internal/Hub.js"
import type { Params } from "./Method.js"
import * as Permits from "./Permits.js"
import { decode, invalid, millisOf, type PolicyOptions } from "./Policy.js"
import { closeAll, closeFully } from "./Runtime.js"
import type { Status } from "./Status.js"
import { onResume } from "./Suspend.js"
import * as Telemetry from "./Telemetry.js"
import type { TimeSpan } from "./TimeSpan.js"
import * as Union from "./Union.js"

export type { Difference, Entry, FleetCatalog } from "./Union.js"

/** What `apply` did. */
export interface Applied {
  readonly started: ReadonlyArray<string>
  readonly stopped: ReadonlyArray<string>
  readonly replaced: ReadonlyArray<string>
}

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
  readonly waitTimeout?: TimeSpan | undefined
}

/** Many backends, one catalogue. A slow or dead backend delays no other (L14). */
export interface Fleet {
  readonly backends: Effect.Effect<ReadonlyArray<Backend>>
  /** The backend of a name. Its handle stays valid until `apply` stops or replaces it. */
  readonly backend: (id: string) => Effect.Effect<Backend, BackendUnavailable>
  readonly status: Effect.Effect<Readonly<Record<string, Status>>>
  readonly statusChanges: Stream.Stream<Readonly<Record<string, Status>>>
  readonly events: Stream.Stream<Event>
  readonly catalog: Effect.Effect<Union.FleetCatalog>
  /** The catalogue now and after each change. A slow reader misses intermediate values, never the last (P7). */
  readonly catalogChanges: Stream.Stream<Union.FleetCatalog>
  /** What changed, from the catalogue at the subscription on (P7). */
  readonly differences: Stream.Stream<Union.Difference>
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
  /** Reads a resource by its URI or its `lifeline://<backend>/<encoded URI>`. An unknown one fails with RemoteError -32002. */
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
  /** Starts, stops and replaces only what changed: options that are the same object, or have the same fields, stay (L15). */
  readonly apply: (backends: Backends) => Effect.Effect<Applied, ConfigError>
}

/** Where a full name leads. */
export interface Route {
  readonly backend: Backend
  readonly original: string
}

interface Member {
  readonly backend: Backend
  readonly options: BackendOptions
  readonly scope: Scope.CloseableScope
}

/**
 * Makes a fleet that lives as long as the scope. Its backends connect at once, at most `connectConcurrency` attempts at a
 * time; it does not wait for them. An empty fleet has a working, empty catalogue.
 */
export const make = (options: FleetOptions): Effect.Effect<Fleet, ConfigError, Scope.Scope> =>
  Effect.gen(function*() {
    const { connectConcurrency = 8, defaults = {} } = options
    const waitTimeout = yield* millisOf(
      "fleet",
      "waitTimeout",
      options.waitTimeout ?? "10 seconds",
      0,
      24 * 60 * 60 * 1000
    )
    // With backends, each of them is refused by its own name.
    if (Object.keys(options.backends).length === 0) yield* decode("fleet", defaults)
    if (!Number.isInteger(connectConcurrency) || connectConcurrency < 1) {
      return yield* invalid("fleet", "connectConcurrency", connectConcurrency, "a whole number from 1")
    }
    const epoch = yield* Clock.currentTimeMillis
    const permits = Permits.make(connectConcurrency)
    const parent = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.parallel)
    const members = new Cell<ReadonlyMap<string, Member>>(new Map())
    const events = new Hub<Event>()
    const statusVersion = new Cell(0)
    const catalog = new Catalogue(() => members.get())
    const lock = yield* Effect.makeSemaphore(1)
    const resumes = new Hub<void>()
    yield* onResume(() => resumes.emit())
    const telemetry = yield* Telemetry.Current

    const observer = {
      changed: () => statusVersion.set(statusVersion.get() + 1),
      catalogChanged: () => catalog.touch(),
      event: (event: Event) => events.emit(event)
    }

    const start = (id: string, backendOptions: BackendOptions) =>
      Effect.uninterruptible(Effect.gen(function*() {
        const scope = yield* Scope.fork(parent, ExecutionStrategy.sequential)
        const surroundings = { defaults: options.defaults, epoch, permits, resumes, observer }
        const backend = yield* makeBackend(id, backendOptions, surroundings).pipe(
          Effect.provideService(Telemetry.Current, telemetry),
          Scope.extend(scope),
          Effect.onError(() => closeFully(scope))
        )
        return { backend, options: backendOptions, scope }
      }))

    const apply = (backends: Backends): Effect.Effect<Applied, ConfigError> =>
      lock.withPermits(1)(Effect.uninterruptible(Effect.gen(function*() {
        const wanted = yield* named(backends)
        const before = members.get()
        const gone = [...before].filter(([id]) => !wanted.has(id))
        const replaced = [...before].filter(([id, member]) => {
          const now = wanted.get(id)
          return now !== undefined && !sameOptions(now, member.options)
        })
        const fresh = new Map<string, Member>()
        for (const [id, backendOptions] of wanted) {
          const old = before.get(id)
          if (old !== undefined && sameOptions(backendOptions, old.options)) continue
          fresh.set(
            id,
            yield* Effect.onError(start(id, backendOptions), () =>
              Effect.forEach(fresh.values(), ({ scope }) => closeFully(scope), { discard: true }))
          )
        }
        members.set(new Map([...wanted.keys()].map((id) => [id, fresh.get(id) ?? before.get(id)!])))
        observer.changed()
        catalog.touch()
        yield* closeAll([...gone, ...replaced].map(([, { scope }]) =>
          scope
        ))
        return {
          started: [...fresh.keys()].filter((id) => !before.has(id)),
          stopped: gone.map(([id]) => id),
          replaced: replaced.map(([id]) => id)
        }
      })))

    yield* apply(options.backends)
    yield* Effect.addFinalizer(() => closeAll([...members.get().values()].map(({ scope }) => scope)))

    const status = Effect.suspend(() =>
      Effect.map(
        Effect.forEach(members.get(), ([id, { backend }]) => Effect.map(backend.status, (one) => [id, one] as const)),
        (entries) => Object.fromEntries(entries)
      )
    )
    const ready = Effect.suspend(() =>
      Effect.forEach(members.get().values(), ({ backend }) => backend.settled, {
        concurrency: "unbounded",
        discard: true
      })
    ).pipe(Effect.timeoutOption(waitTimeout), Effect.asVoid)

    const look = (kind: Routed, name: string): Effect.Effect<Route | undefined> =>
      Effect.map(catalog.route(kind, name), (found) => {
        const member = found === undefined ? undefined : members.get().get(found.backend)
        return found === undefined || member === undefined
          ? undefined
          : { backend: member.backend, original: found.original }
      })

    // A name that nobody has may belong to a backend whose first catalogue is still to come: looked up again then.
    const route: Fleet["route"] = (kind, name) =>
      Effect.flatMap(look(kind, name), (now) =>
        now !== undefined
          ? Effect.succeed(now)
          : Effect.flatMap(Effect.zipRight(ready, look(kind, name)), (then) =>
            then === undefined ? Effect.fail(unknown(kind, name)) : Effect.succeed(then)))
    const catalogChanges = Stream.changesWith(
      Stream.mapEffect(catalog.version.changes, () =>
        catalog.get),
      (before, after) => before === after
    )
    const fleet: Fleet = {
      backends: Effect.sync(() => [...members.get().values()].map((member) => member.backend)),
      backend: (id) =>
        Effect.suspend(() => {
          const member = members.get().get(id)
          return member === undefined
            ? Effect.fail(noBackend(id, [...members.get().keys()]))
            : Effect.succeed(member.backend)
        }),
      status,
      statusChanges: Stream.mapEffect(statusVersion.changes, () => status),
      events: events.stream,
      catalog: catalog.get,
      catalogChanges,
      differences: Stream.unwrap(Effect.map(catalog.get, (now) =>
        catalogChanges.pipe(
          Stream.mapAccum(now, (before, after) => [after, Union.difference(before, after)]),
          Stream.filter(({ added, changed, removed }) => added.length + changed.length + removed.length > 0)
        ))),
      ready,
      callTool: (params, callOptions) =>
        Effect.flatMap(route("tools", params.name), ({ backend, original }) =>
          backend.callTool({ ...params, name: original }, callOptions)),
      getPrompt: (params, callOptions) =>
        Effect.flatMap(route("prompts", params.name), ({ backend, original }) =>
          backend.getPrompt({ ...params, name: original }, callOptions)),
      readResource: (params, callOptions) =>
        Effect.flatMap(route("resources", params.uri), ({ backend, original }) =>
          backend.readResource({ ...params, uri: original }, callOptions)),
      complete: (params, callOptions) =>
        params.ref.type === "ref/prompt"
          ? Effect.flatMap(route("prompts", params.ref.name), ({ backend, original }) =>
            backend.complete({ ...params, ref: { type: "ref/prompt", name: original } }, callOptions))
          : Effect.flatMap(route("resources", params.ref.uri), ({ backend, original }) =>
            backend.complete({ ...params, ref: { type: "ref/resource", uri: original } }, callOptions)),
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

/** The union of the members' catalogues, made when it is read and something has changed since. */
class Catalogue {
  readonly version = new Cell(0)
  readonly #members: () => ReadonlyMap<string, Member>
  #made: Union.FleetCatalog = Union.empty
  /** What the union was made of. */
  #parts: ReadonlyArray<unknown> = []
  /** Where names led that are withdrawn now, so that their calls can say why they fail. */
  #routes = new Map<string, Destination>()

  constructor(members: () => ReadonlyMap<string, Member>) {
    this.#members = members
  }

  touch(): void {
    this.version.set(this.version.get() + 1)
  }

  readonly get: Effect.Effect<Union.FleetCatalog> = Effect.suspend(() =>
    Effect.map(
      Effect.forEach(this.#members(), ([id, { backend }]) => Effect.map(backend.catalog, (one) => [id, one] as const)),
      (snapshots) => this.#unite(snapshots)
    )
  )

  /** Where a name leads, if anywhere. */
  readonly route = (kind: Routed, name: string): Effect.Effect<Destination | undefined> =>
    Effect.map(this.get, (made) => {
      const scoped = kind === "resources" ? Union.parseScopedUri(name) : undefined
      // First of all: no server may list such a URI and be asked in place of the one that it names.
      if (scoped !== undefined && this.#members().has(scoped.backend)) {
        return { backend: scoped.backend, original: scoped.uri }
      }
      const known = this.#routes.get(`${kind} ${name}`)
      if (known !== undefined || kind !== "resources") return known
      for (const [template, { backend }] of made.resourceTemplates) {
        if (template === name || Union.matchesTemplate(template, name)) return { backend, original: name }
      }
      return undefined
    })

  #unite(snapshots: ReadonlyArray<readonly [string, Snapshot | undefined]>): Union.FleetCatalog {
    const parts = snapshots.flat()
    if (parts.length === this.#parts.length && parts.every((part, i) => part === this.#parts[i])) return this.#made
    this.#parts = parts
    this.#made = Union.union(snapshots, this.#made.revision + 1)
    const withdrawn = new Set(snapshots.filter(([, snapshot]) => snapshot === undefined).map(([id]) => id))
    const routes = new Map([...this.#routes].filter(([, { backend }]) => withdrawn.has(backend)))
    for (const kind of ["tools", "prompts", "resources"] as const) {
      for (const [name, { backend, original }] of this.#made[kind]) routes.set(`${kind} ${name}`, { backend, original })
    }
    this.#routes = routes
    return this.#made
  }
}

/** The kinds of entry that are routed by their name. */
type Routed = "tools" | "prompts" | "resources"

interface Destination {
  readonly backend: string
  readonly original: string
}

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

const sameOptions = (a: BackendOptions, b: BackendOptions): boolean => {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof BackendOptions>
  return a === b || [...keys].every((key) => a[key] === b[key])
}

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
