import { Array as Arr, Effect, ExecutionStrategy, Option, Scope } from "effect"
import type { BackendHandle } from "../backend/BackendHandle.js"
import { resolvePolicy, startBackend } from "../backend/start.js"
import type { Snapshot } from "../catalog/Catalog.js"
import type { InvalidOptions } from "../Errors.js"
import type { Hub } from "../internal/Hub.js"
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
import { CatalogSource } from "./Claim.js"

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
  readonly source: CatalogSource
  readonly scope: Scope.CloseableScope
  readonly closed: Signal
  readonly observer: MemberObserver
}

type Members = ReadonlyMap<string, Member>

/** Another prefix replaces no backend. */
export type Prefixes = ReadonlyMap<string, string>

class MemberObserver implements BackendObserver {
  readonly #fleet: MemberContext
  readonly #source: CatalogSource
  #held: Array<Event> | undefined = []

  constructor(fleet: MemberContext, source: CatalogSource) {
    this.#fleet = fleet
    this.#source = source
  }

  changed(): void {
    this.#fleet.changed()
  }

  catalogChanged(snapshot: Snapshot | undefined): void {
    this.#fleet.offered(this.#source, snapshot)
  }

  event(event: Event): void {
    if (this.#held === undefined) this.#fleet.event(event)
    else this.#held.push(event)
  }

  announce(): void {
    const events = this.#held ?? []
    this.#held = undefined
    for (const event of events) this.#fleet.event(event)
  }
}

export interface MemberContext {
  readonly defaults: PolicyOptions | undefined
  readonly fleetStartedAt: number
  readonly permits: ConnectPermits.ConnectPermits
  readonly clockJumps: Hub<void>
  readonly event: (event: Event) => void
  readonly changed: () => void
  readonly offered: (source: CatalogSource, snapshot: Snapshot | undefined) => void
  /** Called before `current` has the new members. */
  readonly placed: (members: Members, prefixes: Prefixes) => void
}

export interface FleetMembers {
  readonly current: StateRef<Members>
  readonly pending: Set<BackendHandle>
  /** One at a time. */
  readonly apply: <R>(
    wanted: ReadonlyMap<string, BackendOptions<R>>,
    prefixes: Prefixes
  ) => Effect.Effect<Applied, InvalidOptions, R>
}

/** Closing the scope closes all members. */
export const make = (context: MemberContext): Effect.Effect<FleetMembers, never, Scope.Scope> =>
  Effect.gen(function*() {
    const current = new StateRef<Members>(new Map())
    // Last, when every member is closed.
    yield* Effect.addFinalizer(() => Effect.sync(() => current.end()))
    const parent = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.parallel)
    const lock = yield* Effect.makeSemaphore(1)
    const telemetry = yield* Telemetry.Current
    const pending = new Set<BackendHandle>()
    let closing = false
    let prefixed: Prefixes = new Map()

    const start = <R>(id: string, options: BackendOptions<R>, policy: Policy, permits: ConnectPermits.ConnectPermits) =>
      Effect.uninterruptible(Effect.gen(function*() {
        const scope = yield* Scope.fork(parent, ExecutionStrategy.sequential)
        const closed = new Signal()
        yield* Scope.addFinalizer(scope, Effect.sync(() => closed.complete()))
        const source = new CatalogSource(id)
        const observer = new MemberObserver(context, source)
        const backend = yield* startBackend(id, yield* provided(options), {
          policy,
          fleetStartedAt: context.fleetStartedAt,
          permits,
          clockJumps: context.clockJumps,
          observer
        }).pipe(
          Effect.provideService(Telemetry.Current, telemetry),
          Scope.extend(scope),
          Effect.onError(() => closeFully(scope))
        )
        yield* Scope.addFinalizer(scope, Effect.sync(() => pending.delete(backend)))
        const member: Member = { backend, options: options as BackendOptions, policy, source, scope, closed, observer }
        return member
      }))

    /** Announces events last: their readers find the members. */
    const place = (members: Members): Effect.Effect<void> =>
      Effect.sync(() => {
        context.placed(members, prefixed)
        current.set(members)
        context.changed()
        for (const { observer } of members.values()) observer.announce()
      })

    /** The old member's lists stay until its successor has connected with its own, or has failed to. */
    const inherit = (
      { source: { latest } }: Member,
      { backend, policy, scope, source }: Member
    ): Effect.Effect<unknown> => {
      const { disabled, lazy } = policy.lifecycle
      if (latest === undefined || source.latest !== undefined || disabled) return Effect.void
      const inherited = backend.onlyOffered(latest)
      context.offered(source, inherited)
      const forget = Effect.sync(() => {
        if (source.latest === inherited) context.offered(source, undefined)
      })
      return lazy
        ? Effect.void
        : Effect.forkIn(Effect.interruptible(Effect.zipRight(backend.firstOutcome, forget)), scope)
    }

    /** False, and keeps the old member, if the new one does not connect. */
    const takeOver = (id: string, old: Member, next: Member): Effect.Effect<boolean> =>
      Effect.gen(function*() {
        yield* firstOutcome(next)
        const { lastError, state } = yield* next.backend.status
        if (state !== "Connected") {
          yield* closeFully(next.scope)
          const why = lastError ?? state
          yield* SafeLog.safely(Effect.logWarning(
            `${id}: no connection with the new options (${why}); the one with the old options stays in use. Correct them and apply again`
          ))
          return false
        }
        yield* place(new Map([...current.value].map(([other, member]) => [other, other === id ? next : member])))
        yield* retire(old, next)
        return true
      })

    const apply: FleetMembers["apply"] = <R>(wanted: ReadonlyMap<string, BackendOptions<R>>, prefixes: Prefixes) =>
      lock.withPermits(1)(Effect.uninterruptible(Effect.gen(function*() {
        if (closing) return { started: [], stopped: [], replaced: [], kept: [] }
        const before = current.value
        const differing = [...wanted].filter(([id, options]) => !sameOptions(options, before.get(id)?.options))
        // What an extension refuses later ends what has begun, before any attempt.
        const [refused, policies] = Arr.separate(
          differing.map(([id, options]) => resolvePolicy(id, options, context.defaults))
        )
        const problems = Problem.join(refused)
        if (problems !== undefined) return yield* problems
        const fresh = new Map<string, Member>()
        // The attempts wait until events can be read.
        const placed = new Signal()
        const whenPlaced = ConnectPermits.after(placed.completed, context.permits)
        const abandon = Effect.suspend(() => closeAll(Array.from(fresh.values(), ({ scope }) => scope)))
        for (const [i, [id, options]] of differing.entries()) {
          const old = before.get(id)
          const policy = policies[i]!
          const permits = old === undefined || mayOverlap(old.options, old.policy) && mayOverlap(options, policy)
            ? whenPlaced
            : ConnectPermits.after(old.closed.completed, whenPlaced)
          fresh.set(id, yield* Effect.onError(start(id, options, policy, permits), () => abandon))
        }
        const successions = yield* Effect.filter(
          [...fresh].flatMap(([id, next]) => {
            const old = before.get(id)
            return old === undefined ? [] : [{ id, old, next }]
          }),
          ({ next, old }) => waitsForSuccessor(old, next)
        )
        const waiting = new Map(successions.map(({ id, old }) => [id, old]))
        for (const [id, next] of fresh) {
          pending.add(next.backend)
          const old = before.get(id)
          if (old !== undefined && !waiting.has(id)) yield* inherit(old, next)
        }
        prefixed = prefixes
        yield* place(new Map([...wanted.keys()].map((id) => [id, waiting.get(id) ?? fresh.get(id) ?? before.get(id)!])))
        placed.complete()
        const after = current.value
        const gone = [...before].filter(([id]) => !wanted.has(id)).map(([, member]) => member)
        const replaced = [...before].flatMap(([id, member]) =>
          after.has(id) && after.get(id) !== member ? [{ member, successor: after.get(id)! }] : []
        )
        const [outcomes] = yield* Effect.all([
          Effect.forEach(successions, ({ id, next, old }) => takeOver(id, old, next), { concurrency: "unbounded" }),
          Effect.forEach(replaced, ({ member, successor }) => retire(member, successor), {
            concurrency: "unbounded",
            discard: true
          }),
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

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closing = true
        return closeMembers([...current.value.values()])
      })
    )
    return { current, pending, apply }
  })

const mayOverlap = ({ connector }: Pick<BackendOptions, "connector">, { reconnect }: Policy): boolean =>
  reconnect.overlap ?? connector.overlap

const waitsForSuccessor = (old: Member, next: Member): Effect.Effect<boolean> => {
  const { disabled, lazy } = next.policy.lifecycle
  return disabled || lazy || !mayOverlap(old.options, old.policy) || !mayOverlap(next.options, next.policy)
    ? Effect.succeed(false)
    : old.backend.isConnected
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

const firstOutcome = ({ backend, policy }: Member): Effect.Effect<Option.Option<void>> =>
  Effect.timeoutOption(Effect.interruptible(backend.firstOutcome), policy.timeouts.connect)

const sameOptions = <R>(a: BackendOptions<R>, b: BackendOptions | undefined): boolean => {
  if (b === undefined) return false
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof BackendOptions>
  return a === b || [...keys].every((key) => a[key] === b[key])
}
