import { Array as Arr, Effect, ExecutionStrategy, Scope } from "effect"
import type { BackendHandle } from "../backend/BackendHandle.js"
import { resolvePolicy, startBackend } from "../backend/start.js"
import type { Snapshot } from "../catalog/Catalog.js"
import type { InvalidOptions } from "../Errors.js"
import type * as Machine from "../health/Machine.js"
import * as SafeLog from "../internal/SafeLog.js"
import { closeAll, closeFully } from "../internal/scopes.js"
import { Signal } from "../internal/Signal.js"
import { StateRef } from "../internal/StateRef.js"
import type { BackendObserver, Event } from "../observe/Event.js"
import * as Telemetry from "../observe/Telemetry.js"
import { type BackendOptions, provided } from "../options/BackendOptions.js"
import type { Policy, PolicyOptions } from "../options/Policy.js"
import * as Problem from "../options/Problem.js"
import * as ConnectPermits from "../supervisor/ConnectPermits.js"
import * as Claim from "./Claim.js"

export interface Applied {
  readonly started: ReadonlyArray<string>
  readonly stopped: ReadonlyArray<string>
  readonly replaced: ReadonlyArray<string>
  /** The new options led to no connection: the old connection goes on. The next `apply` tries again. */
  readonly kept: ReadonlyArray<string>
}

export interface Member {
  readonly backend: BackendHandle
  readonly options: BackendOptions<never>
  readonly policy: Policy
  readonly source: Claim.Source
  readonly scope: Scope.CloseableScope
  readonly closed: Signal
  readonly observer: MemberObserver
}

type Members = ReadonlyMap<string, Member>

type Prefixes = ReadonlyMap<string, string>

interface MemberObserver extends BackendObserver {
  /** Events until then are held back. */
  readonly announce: () => void
}

const observerOf = ({ changed, event, offered }: Context, source: Claim.Source): MemberObserver => {
  let held: Array<Event> | undefined = []
  return {
    changed,
    catalogChanged: (snapshot) => offered(source, snapshot),
    event: (one) => {
      if (held === undefined) event(one)
      else held.push(one)
    },
    announce: () => {
      const events = held ?? []
      held = undefined
      for (const one of events) event(one)
    }
  }
}

interface Context {
  readonly defaults: PolicyOptions | undefined
  readonly fleetStartedAt: number
  readonly permits: ConnectPermits.ConnectPermits
  readonly machine: Machine.Machine
  readonly event: (event: Event) => void
  readonly changed: () => void
  readonly offered: (source: Claim.Source, snapshot: Snapshot | undefined) => void
  /** Called before `current` has the new members. */
  readonly placed: (members: Members, prefixes: Prefixes) => void
}

export interface FleetMembers extends Context {
  readonly current: StateRef<Members>
  readonly pending: Set<BackendHandle>
  readonly telemetry: Telemetry.Telemetry | undefined
  readonly scope: Scope.Scope
  readonly lock: Effect.Semaphore
  isClosing: boolean
}

export const make = (context: Context): Effect.Effect<FleetMembers, never, Scope.Scope> =>
  Effect.gen(function*() {
    const current = new StateRef<Members>(new Map())
    // Last, when every member is closed.
    yield* Effect.addFinalizer(() => Effect.sync(() => current.end()))
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.parallel)
    const lock = yield* Effect.makeSemaphore(1)
    const telemetry = yield* Telemetry.Current
    const self: FleetMembers = { ...context, current, pending: new Set(), telemetry, scope, lock, isClosing: false }
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        self.isClosing = true
        return closeMembers([...current.value.values()])
      })
    )
    return self
  })

const start = <R>(
  self: FleetMembers,
  id: string,
  options: BackendOptions<R>,
  policy: Policy,
  permits: ConnectPermits.ConnectPermits
): Effect.Effect<Member, InvalidOptions, R> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const { fleetStartedAt, machine } = self
    const scope = yield* Scope.fork(self.scope, ExecutionStrategy.sequential)
    const closed = new Signal()
    yield* Scope.addFinalizer(scope, Effect.sync(() => closed.complete()))
    const source = new Claim.Source(id)
    const observer = observerOf(self, source)
    const given = yield* provided(options)
    const backend = yield* startBackend(id, given, { policy, fleetStartedAt, permits, machine, observer }).pipe(
      Effect.provideService(Telemetry.Current, self.telemetry),
      Scope.extend(scope),
      Effect.onError(() => closeFully(scope))
    )
    yield* Scope.addFinalizer(scope, Effect.sync(() => self.pending.delete(backend)))
    return { backend, options: options as BackendOptions, policy, source, scope, closed, observer }
  }))

/** Announces events last: their readers find the members. */
const place = (self: FleetMembers, members: Members, prefixes: Prefixes): Effect.Effect<void> =>
  Effect.sync(() => {
    self.placed(members, prefixes)
    self.current.set(members)
    self.changed()
    for (const { observer } of members.values()) observer.announce()
  })

/** The old member's lists stay until its successor has connected with its own, or has failed to. */
const inherit = (
  { offered }: FleetMembers,
  { source: { latest } }: Member,
  { backend, policy, scope, source }: Member
): Effect.Effect<unknown> => {
  const { disabled, lazy } = policy.lifecycle
  if (latest === undefined || source.latest !== undefined || disabled) return Effect.void
  const inherited = backend.parts.state.offered.only({ ...latest, stale: true })
  offered(source, inherited)
  const forget = Effect.sync(() => {
    if (source.latest === inherited) offered(source, undefined)
  })
  return lazy
    ? Effect.void
    : Effect.forkIn(Effect.interruptible(Effect.zipRight(backend.firstOutcome, forget)), scope)
}

/** False, and keeps the old member, if the new one does not connect. */
const takeOver = (
  self: FleetMembers,
  { id, next, old }: { readonly id: string; readonly old: Member; readonly next: Member },
  prefixes: Prefixes
): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    yield* Effect.timeoutOption(Effect.interruptible(next.backend.firstOutcome), next.policy.timeouts.connect)
    const { lastError, state } = yield* next.backend.status
    if (state !== "Connected") {
      yield* closeFully(next.scope)
      const why = lastError ?? state
      yield* SafeLog.warning(
        `${id}: no connection with the new options (${why}); the one with the old options stays in use. Correct them and apply again`
      )
      return false
    }
    yield* place(self, new Map(self.current.value).set(id, next), prefixes)
    yield* retire(old, next)
    return true
  })

export const apply = <R>(
  self: FleetMembers,
  wanted: ReadonlyMap<string, BackendOptions<R>>,
  prefixes: Prefixes
): Effect.Effect<Applied, InvalidOptions, R> =>
  self.lock.withPermits(1)(Effect.uninterruptible(Effect.gen(function*() {
    if (self.isClosing) return { started: [], stopped: [], replaced: [], kept: [] }
    const before = self.current.value
    const differing = [...wanted].filter(([id, options]) => !sameOptions(options, before.get(id)?.options))
    // What an extension refuses later ends what has begun, before any attempt.
    const [refused, policies] = Arr.separate(differing.map(([id, given]) => resolvePolicy(id, given, self.defaults)))
    const problems = Problem.join(refused)
    if (problems !== undefined) return yield* problems
    const fresh = new Map<string, Member>()
    // The attempts wait until events can be read.
    const placed = new Signal()
    const whenPlaced = ConnectPermits.after(placed.completed, self.permits)
    const abandon = Effect.suspend(() => closeAll(Array.from(fresh.values(), ({ scope }) => scope)))
    for (const [i, [id, options]] of differing.entries()) {
      const old = before.get(id)
      const policy = policies[i]!
      const permits = old === undefined || mayOverlap(old) && mayOverlap({ options, policy })
        ? whenPlaced
        : ConnectPermits.after(old.closed.completed, whenPlaced)
      fresh.set(id, yield* Effect.onError(start(self, id, options, policy, permits), () => abandon))
    }
    const changed = [...fresh].flatMap(([id, next]) => {
      const old = before.get(id)
      return old === undefined ? [] : [{ id, old, next }]
    })
    const [replaced, successions] = Arr.partition(changed, ({ next, old }) => waitsForSuccessor(old, next))
    const waiting = new Map(successions.map(({ id, old }) => [id, old]))
    for (const { backend } of fresh.values()) self.pending.add(backend)
    for (const { next, old } of replaced) yield* inherit(self, old, next)
    const after = new Map([...wanted.keys()].map((id) => [id, waiting.get(id) ?? fresh.get(id) ?? before.get(id)!]))
    yield* place(self, after, prefixes)
    placed.complete()
    const gone = [...before].filter(([id]) => !wanted.has(id)).map(([, member]) => member)
    const [outcomes] = yield* Effect.all([
      Effect.forEach(successions, (one) => takeOver(self, one, prefixes), { concurrency: "unbounded" }),
      Effect.forEach(replaced, ({ next, old }) => retire(old, next), { concurrency: "unbounded", discard: true }),
      closeMembers(gone)
    ], { concurrency: "unbounded" })
    const kept = successions.filter((_, i) => outcomes[i] === false).map(({ id }) => id)
    return {
      started: [...fresh.keys()].filter((id) => !before.has(id)),
      stopped: gone.map(({ backend }) => backend.id),
      replaced: [...fresh.keys()].filter((id) => before.has(id) && !kept.includes(id)),
      kept
    }
  })))

const mayOverlap = <R>(
  { options, policy }: { readonly options: BackendOptions<R>; readonly policy: Policy }
): boolean => policy.reconnect.overlap ?? options.connector.overlap

const waitsForSuccessor = (old: Member, next: Member): boolean => {
  const { disabled, lazy } = next.policy.lifecycle
  return !disabled && !lazy && mayOverlap(old) && mayOverlap(next)
    && old.backend.parts.state.published.value.state._tag === "Connected"
}

/** At once. Ends when they are closed, also by another fiber. */
const closeMembers = (members: ReadonlyArray<Member>): Effect.Effect<void> =>
  Effect.zipRight(
    closeAll(members.map(({ scope }) => scope)),
    Effect.forEach(members, ({ closed }) => closed.completed, { discard: true })
  )

const retire = (member: Member, successor: Member): Effect.Effect<void> =>
  Effect.suspend(() => {
    member.backend.leaveTo(successor.backend)
    const drained = Effect.timeoutOption(Effect.interruptible(member.backend.unused()), member.policy.timeouts.drain)
    return Effect.zipRight(drained, closeMembers([member]))
  })

const sameOptions = <R>(a: BackendOptions<R>, b: BackendOptions | undefined): boolean => {
  if (b === undefined) return false
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof BackendOptions>
  return a === b || [...keys].every((key) => a[key] === b[key])
}
