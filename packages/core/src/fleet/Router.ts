import { Array as Arr, Clock, Effect, Predicate } from "effect"
import type { Backend } from "../backend/Backend.js"
import type { BackendHandle } from "../backend/BackendHandle.js"
import { BackendUnavailable, type CallError } from "../Errors.js"
import { detail, open, said } from "../observe/Said.js"
import { type CallOptions, timeOf } from "../options/CallOptions.js"
import * as TimeSpan from "../options/TimeSpan.js"
import type { Params } from "../port/Method.js"
import * as Addresses from "./Addresses.js"
import type { CatalogIndex } from "./CatalogIndex.js"
import type { FleetMembers } from "./Members.js"
import * as Names from "./names.js"
import * as Unknown from "./Unknown.js"
import * as Visible from "./Visible.js"

export interface Route {
  readonly backend: Backend
  readonly original: string
}

export interface Reach {
  readonly index: CatalogIndex
  readonly members: Pick<FleetMembers, "current" | "pending">
  readonly ready: Effect.Effect<void>
  readonly visible: Visible.Visible
  /** Waited for as long as a call may, without a first outcome. */
  readonly late: WeakSet<BackendHandle>
}

type Found = Route & { readonly backend: BackendHandle }

export type Router = ReturnType<typeof make>

export const make = (self: Reach) => ({
  existing: (): Unknown.Existing => existing(self),
  find: (kind: Names.Routed, name: string) => find(self, { kind, name }),
  route: (kind: Names.Routed, name: string, options?: CallOptions) => route(self, { kind, name }, options),
  callTool: (params: Params<"tools/call">, options?: CallOptions, onRouted?: (to: Route) => void) =>
    ask(self, { kind: "tools", name: params.name }, options, (backend, name, left) => {
      onRouted?.({ backend, original: name })
      return addressed(self, backend, backend.callTool({ ...params, name }, left))
    }),
  getPrompt: (params: Params<"prompts/get">, options?: CallOptions) =>
    ask(
      self,
      { kind: "prompts", name: params.name },
      options,
      (backend, name, left) => addressed(self, backend, backend.getPrompt({ ...params, name }, left))
    ),
  readResource: (params: Params<"resources/read">, options?: CallOptions) =>
    ask(self, { kind: "resources", name: params.uri }, options, (backend, uri, left) => {
      const result = backend.readResource({ ...params, uri }, left)
      return uri === params.uri ? result : Effect.map(result, (one) => Addresses.underAsked(one, uri, params.uri))
    }),
  complete: (params: Params<"completion/complete">, options?: CallOptions) => {
    const { ref } = params
    const wanted: Names.Wanted = ref.type === "ref/prompt"
      ? { kind: "prompts", name: ref.name }
      : { kind: "resources", name: ref.uri }
    return ask(self, wanted, options, (backend, original, left) => {
      const there = ref.type === "ref/prompt" ? { type: ref.type, name: original } : { type: ref.type, uri: original }
      return backend.complete({ ...params, ref: there }, left)
    })
  }
})

/** The call counts from the step that finds the backend; finding is part of its time. */
const ask = <A>(
  self: Reach,
  wanted: Names.Wanted,
  options: CallOptions | undefined,
  send: (backend: Backend, original: string, options: CallOptions | undefined) => Effect.Effect<A, CallError>
): Effect.Effect<A, CallError> =>
  Effect.uninterruptibleMask((restore) => {
    const now = find(self, wanted)
    if (now !== undefined) return now.backend.enter(restore(send(now.backend, now.original, options)))
    return restore(Effect.gen(function*() {
      const start = yield* Clock.currentTimeMillis
      yield* route(self, wanted, options)
      return yield* ask(self, wanted, less(options, (yield* Clock.currentTimeMillis) - start), send)
    }))
  })

const addressed = <A extends object, E>(self: Reach, { id }: Backend, asked: Effect.Effect<A, E>) => {
  const address = Addresses.of(id, (uri) => find(self, { kind: "resources", name: uri })?.backend.id)
  return Effect.map(asked, (result) => Addresses.inResult(result, address))
}

const find = (self: Reach, wanted: Names.Wanted): Found | undefined => {
  const found = Visible.route(self.index, self.visible, wanted)
  const backend = found && self.members.current.value.get(found.backend)?.backend
  if (found === undefined || backend === undefined) return withheld(self, wanted)
  return self.members.pending.size > 0 && earlier(self, wanted, found.backend).length > 0
    ? undefined
    : { backend, original: found.original }
}

/** The backend that withholds a tool says why. */
const withheld = (self: Reach, { kind, name }: Names.Wanted): Found | undefined => {
  if (kind !== "tools") return undefined
  for (const backend of usable(self)) {
    const { id } = backend
    const original = backend.parts.extensions.withheld().find((tool) =>
      Names.fullName(id, tool, self.index.prefixOf(id)) === name && self.visible.hasTool(id, tool)
    )
    if (original !== undefined) return { backend, original }
  }
  return undefined
}

/** A caller that knows the name of an earlier backend without a first outcome must not get a faster one. */
const earlier = (self: Reach, { kind, name }: Names.Wanted, holder: string | undefined) => {
  const { index, late, members: { pending }, visible } = self
  if (holder === undefined || kind === "resources") return []
  for (const one of pending) if (one.parts.state.firstOutcome.isComplete) pending.delete(one)
  return [...pending].filter((one) =>
    visible.hasServer(one.id) && !late.has(one) && index.isBefore(one.id, holder)
    && Names.mayName(one.id, name, index.prefixOf(one.id))
  )
}

/** Of an unknown name, first connects and waits for the backends that it says, or waits for all until `ready`. */
const route = (self: Reach, wanted: Names.Wanted, options: CallOptions | undefined): Effect.Effect<Found, CallError> =>
  Effect.gen(function*() {
    const now = find(self, wanted)
    if (now !== undefined) return now
    const before = earlier(self, wanted, Visible.route(self.index, self.visible, wanted)?.backend)
    if (before.length > 0) {
      yield* waitForAll(self, options)
      for (const one of before) self.late.add(one)
      return yield* route(self, wanted, options)
    }
    const { kind, name } = wanted
    const said = usable(self).filter(({ id }) => Names.maySay(kind, id, name, self.index.prefixOf(id)))
    const others = (): ReadonlyArray<BackendHandle> =>
      Unknown.backendSaid(kind, name, existing(self)) === undefined ? usable(self) : []
    if (said.length === 0 && others().length > 0) yield* waitForAll(self, options)
    const failure = yield* listed(said, options, () => find(self, wanted) !== undefined)
    const then = find(self, wanted)
    if (then !== undefined) return then
    if (failure !== undefined) return yield* failure
    const seek = (backend: BackendHandle) => backend.seek(kind)
    const refusals = yield* Effect.forEach(said.length > 0 ? said : others(), seek, { concurrency: "unbounded" })
    const sought = find(self, wanted)
    if (sought !== undefined) return sought
    const refused = said.length > 0 ? refusals.find(Predicate.isNotUndefined) : undefined
    return yield* refused === undefined ? Unknown.entry(kind, name, existing(self)) : notAsked(refused)
  })

const usable = ({ members, visible }: Reach): ReadonlyArray<BackendHandle> =>
  Array.from(members.current.value.values(), ({ backend }) => backend).filter(({ id }) => visible.hasServer(id))

const waitForAll = ({ ready }: Reach, options: CallOptions | undefined): Effect.Effect<void> => {
  const time = timeOf(options)
  return time === undefined ? ready : Effect.asVoid(Effect.timeoutOption(ready, time))
}

const existing = (self: Reach): Unknown.Existing => ({
  backends: usable(self).map(({ id }) => id),
  prefixOf: (id) => self.index.prefixOf(id),
  catalogs: [Visible.catalog(self.index, self.visible)]
})

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
    Effect.map((outcomes) => Arr.getLefts(outcomes).map(notAsked)[0]),
    Effect.orElseSucceed(() => undefined)
  )

const notAsked = (error: CallError): CallError => {
  if (error._tag === "BackendUnavailable" || error._tag === "ConnectionLost" || error._tag === "SessionExpired") {
    return error
  }
  const { backend, generation, message: lastError, plainMessage = lastError } = error
  const why = detail(`: ${lastError}`, undefined, `: ${plainMessage}`)
  return new BackendUnavailable({
    backend,
    generation,
    state: "Connected",
    lastError,
    cause: error,
    ...said`${open(backend)}: the call was not sent, because the server did not give the lists of what it offers${why}`
  })
}

const less = (options: CallOptions | undefined, taken: number): CallOptions | undefined => {
  if (options === undefined) return undefined
  const rest = (time: CallOptions["timeout"]) =>
    time === undefined ? undefined : Math.max(1, TimeSpan.millis(time) - taken)
  return { ...options, timeout: rest(options.timeout), maxTotalTimeout: rest(options.maxTotalTimeout) }
}
