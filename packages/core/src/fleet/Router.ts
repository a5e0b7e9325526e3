import type { ReadResourceResult } from "@modelcontextprotocol/sdk/types.js"
import { Array, Clock, Effect, Predicate } from "effect"
import type { Backend } from "../backend/Backend.js"
import type { BackendHandle } from "../backend/BackendHandle.js"
import { BackendUnavailable, type CallError } from "../Errors.js"
import { detail, open, said } from "../observe/Said.js"
import { type CallOptions, timeOf } from "../options/CallOptions.js"
import * as TimeSpan from "../options/TimeSpan.js"
import type { Params } from "../port/Method.js"
import * as Addresses from "./Addresses.js"
import type { CatalogIndex, Routed } from "./CatalogIndex.js"
import * as Names from "./names.js"
import * as Prefix from "./Prefix.js"
import * as Unknown from "./Unknown.js"
import type { Visible } from "./Visible.js"

export interface Route {
  readonly backend: Backend
  readonly original: string
}

type Backends = () => ReadonlyMap<string, { readonly backend: BackendHandle }>

export class Router {
  readonly #index: Pick<CatalogIndex, "catalog" | "isBefore" | "prefixOf" | "route">
  readonly #backends: Backends
  readonly #pending: Set<BackendHandle>
  readonly #ready: Effect.Effect<void>
  /** Waited for as long as a call may, without a first outcome. */
  readonly #late = new WeakSet<BackendHandle>()
  readonly #visible: Visible | undefined

  /** `pending`: may have no first outcome yet. `ready`: all have it. Default of `visible`: everything. */
  constructor(
    index: Pick<CatalogIndex, "catalog" | "isBefore" | "prefixOf" | "route">,
    backends: Backends,
    pending: Set<BackendHandle>,
    ready: Effect.Effect<void>,
    visible?: Visible
  ) {
    this.#visible = visible
    this.#index = index
    this.#backends = backends
    this.#pending = pending
    this.#ready = ready
  }

  readonly prefixOf = (id: string): string => this.#index.prefixOf(id)

  /** Of an unknown name, first connects and waits for the backends that it says, or waits for all until `ready`. */
  readonly route = (
    kind: Routed,
    name: string,
    options?: CallOptions
  ): Effect.Effect<Route, CallError> =>
    Effect.suspend(() => {
      const now = this.find(kind, name)
      if (now !== undefined) return Effect.succeed(now)
      const earlier = this.#earlier(kind, name, this.#index.route(kind, name)?.backend)
      if (earlier.length > 0) {
        return Effect.zipRight(
          Effect.map(this.#waitForAll(options), () => earlier.forEach((one) => this.#late.add(one))),
          this.route(kind, name, options)
        )
      }
      const said = this.#said(kind, name)
      const waited = said.length > 0
        ? listed(said, options, () => this.find(kind, name) !== undefined)
        : Effect.as(this.#saysUnknown(kind, name) ? Effect.void : this.#waitForAll(options), undefined)
      return Effect.flatMap(waited, (failure) => {
        const then = this.find(kind, name)
        if (then !== undefined) return Effect.succeed(then)
        return failure === undefined ? this.#seek(kind, name, said) : Effect.fail(failure)
      })
    })

  #seek(kind: Routed, name: string, said: ReadonlyArray<BackendHandle>): Effect.Effect<Route, CallError> {
    const others = this.#saysUnknown(kind, name) ? [] : this.#entries.map(([, { backend }]) => backend)
    const sought = said.length > 0 ? said : others
    const all = Effect.forEach(sought, (backend) => backend.seek(kind), { concurrency: "unbounded" })
    return Effect.flatMap(all, (refusals) => {
      const found = this.find(kind, name)
      if (found !== undefined) return Effect.succeed(found)
      const [refused] = said.length > 0 ? refusals.filter(Predicate.isNotUndefined) : []
      return Effect.fail(refused === undefined ? this.#unknown(kind, name) : notAsked(refused))
    })
  }

  /** The call counts from the step that finds the backend; finding is part of its time. */
  #ask<A>(
    kind: Routed,
    name: string,
    options: CallOptions | undefined,
    ask: (backend: Backend, original: string, options: CallOptions | undefined) => Effect.Effect<A, CallError>
  ): Effect.Effect<A, CallError> {
    return Effect.uninterruptibleMask((restore) => {
      const now = this.find(kind, name)
      if (now !== undefined) return now.backend.enter(restore(ask(now.backend, now.original, options)))
      return restore(Effect.gen(this, function*() {
        const start = yield* Clock.currentTimeMillis
        yield* this.route(kind, name, options)
        return yield* this.#ask(kind, name, less(options, (yield* Clock.currentTimeMillis) - start), ask)
      }))
    })
  }

  get #entries(): ReadonlyArray<readonly [id: string, member: { readonly backend: BackendHandle }]> {
    const all = [...this.#backends()]
    return this.#visible === undefined ? all : all.filter(([id]) => this.#visible?.hasServer(id) === true)
  }

  #waitForAll(options: CallOptions | undefined): Effect.Effect<void> {
    const time = timeOf(options)
    return time === undefined ? this.#ready : Effect.asVoid(Effect.timeoutOption(this.#ready, time))
  }

  #said(kind: Routed, name: string): ReadonlyArray<BackendHandle> {
    return this.#entries.flatMap(([id, { backend }]) =>
      Names.maySay(kind, id, name, this.prefixOf(id)) ? [backend] : []
    )
  }

  /** Only standard prefixes say a backend. */
  #saysUnknown(kind: Routed, name: string): boolean {
    return Names.backendSaid(kind, name) !== undefined
      && (kind === "resources" ||
        this.#entries.every(([id]) => this.prefixOf(id) === Prefix.of(id)))
  }

  /** A caller that knows the name of an earlier backend without a first outcome must not get a faster one. */
  #earlier(kind: Routed, name: string, holder: string | undefined): ReadonlyArray<BackendHandle> {
    const found: Array<BackendHandle> = []
    if (holder === undefined || kind === "resources") return found
    for (const one of this.#pending) {
      if (one.hasFirstOutcome) this.#pending.delete(one)
      else if (
        this.#visible?.hasServer(one.id) !== false && !this.#late.has(one) && this.#index.isBefore(one.id, holder)
        && Names.mayName(one.id, name, this.prefixOf(one.id))
      ) found.push(one)
    }
    return found
  }

  #unknown(kind: Routed, name: string): CallError {
    return Unknown.entry(kind, name, {
      backends: this.#entries.map(([id]) => id),
      prefixOf: this.prefixOf,
      catalogs: [this.#index.catalog]
    })
  }

  readonly callTool = (params: Params<"tools/call">, options?: CallOptions, onRouted?: (to: Route) => void) =>
    this.#ask("tools", params.name, options, (backend, name, left) => {
      onRouted?.({ backend, original: name })
      return this.#addressed(backend, backend.callTool({ ...params, name }, left))
    })

  readonly getPrompt = (params: Params<"prompts/get">, options?: CallOptions) =>
    this.#ask(
      "prompts",
      params.name,
      options,
      (backend, name, left) => this.#addressed(backend, backend.getPrompt({ ...params, name }, left))
    )

  #addressed<A extends object, E>({ id }: Backend, asked: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const address = Addresses.of(id, (uri) => this.find("resources", uri)?.backend.id)
    return Effect.map(asked, (result) => Addresses.inResult(result, address))
  }

  readonly readResource = (
    params: Params<"resources/read">,
    options?: CallOptions
  ): Effect.Effect<ReadResourceResult, CallError> =>
    this.#ask("resources", params.uri, options, (backend, uri, left) => {
      const result = backend.readResource({ ...params, uri }, left)
      return uri === params.uri ? result : Effect.map(result, (result) => Addresses.underAsked(result, uri, params.uri))
    })

  readonly complete = (params: Params<"completion/complete">, options?: CallOptions) => {
    const { ref } = params
    const [kind, name] = ref.type === "ref/prompt" ? ["prompts", ref.name] as const : ["resources", ref.uri] as const
    return this.#ask(kind, name, options, (backend, original, left) => {
      const there = ref.type === "ref/prompt" ? { type: ref.type, name: original } : { type: ref.type, uri: original }
      return backend.complete({ ...params, ref: there }, left)
    })
  }

  readonly find = (kind: Routed, name: string): Route & { readonly backend: BackendHandle } | undefined => {
    const found = this.#index.route(kind, name)
    const backend = found && this.#backends().get(found.backend)?.backend
    if (found === undefined || backend === undefined) return this.#withheld(kind, name)
    return this.#pending.size > 0 && this.#earlier(kind, name, found.backend).length > 0
      ? undefined
      : { backend, original: found.original }
  }

  /** The backend that withholds a tool says why. */
  #withheld(kind: Routed, name: string): Route & { readonly backend: BackendHandle } | undefined {
    if (kind !== "tools") return undefined
    for (const [id, { backend }] of this.#entries) {
      const original = backend.withheld.find((tool) =>
        Names.fullName(id, tool, this.prefixOf(id)) === name && this.#visible?.hasTool(id, tool) !== false
      )
      if (original !== undefined) return { backend, original }
    }
    return undefined
  }
}

/** Until these backends have given their lists, or `isFound`; then why one has not. */
const listed = (
  backends: ReadonlyArray<BackendHandle>,
  options: CallOptions | undefined,
  isFound: () => boolean
): Effect.Effect<CallError | undefined> =>
  Effect.forEach(
    backends,
    (backend) =>
      Effect.flatMap(
        Effect.either(backend.listed(options)),
        // Failing ends the wait for the others.
        (outcome) => isFound() ? Effect.fail("found") : Effect.succeed(outcome)
      ),
    { concurrency: "unbounded" }
  ).pipe(
    Effect.map((outcomes) => Array.getLefts(outcomes).map(notAsked)[0]),
    Effect.orElseSucceed(() => undefined)
  )

/** Whatever became of the request for the lists. */
const notAsked = (error: CallError): CallError => {
  if (error._tag === "BackendUnavailable" || error._tag === "ConnectionLost" || error._tag === "SessionExpired") {
    return error
  }
  const { backend, generation, message: lastError } = error
  const why = detail(`: ${lastError}`)
  return new BackendUnavailable({
    backend,
    generation,
    state: "Connected",
    lastError,
    cause: error,
    ...said`${open(backend)}: the call was not sent, because the server did not give the lists of what it offers${why}`
  })
}

/** `taken`: milliseconds. */
const less = (options: CallOptions | undefined, taken: number): CallOptions | undefined => {
  if (options === undefined) return undefined
  const rest = (time: CallOptions["timeout"]) =>
    time === undefined ? undefined : Math.max(1, TimeSpan.millis(time) - taken)
  return { ...options, timeout: rest(options.timeout), maxTotalTimeout: rest(options.maxTotalTimeout) }
}
