import { type Clock, Effect, Option } from "effect"
import { constFalse } from "effect/Function"
import { type CatalogMemory, fromBefore, type Snapshot, visible } from "../catalog/Catalog.js"
import { changeOf, type Kind } from "../catalog/Kind.js"
import { firstOf } from "../internal/firstOf.js"
import { Hub } from "../internal/Hub.js"
import { Inbox } from "../internal/Inbox.js"
import * as SafeLog from "../internal/SafeLog.js"
import type { Outcome } from "../internal/scopes.js"
import { Signal } from "../internal/Signal.js"
import { StateRef } from "../internal/StateRef.js"
import { entries, State } from "../lifecycle/Lifecycle.js"
import { type BackendObserver, Event } from "../observe/Event.js"
import type { Reason } from "../observe/Reason.js"
import type { Observer } from "../observe/Telemetry.js"
import type { Policy } from "../options/Policy.js"
import type { ServerNotification } from "../port/Report.js"
import type { Runtime } from "../runtime/Runtime.js"
import { Temperament } from "../runtime/Temperament.js"
import type { Message } from "./Message.js"
import { Offered } from "./Offered.js"
import type { OpenVerdict } from "./Status.js"

export interface LastError {
  readonly message: string
  readonly reason: Reason
  readonly at: number
}

/** State, generation and snapshot change in one synchronous step. `current`: exactly in Connected. */
export interface Slot {
  readonly state: State
  readonly current: Runtime | undefined
  /** Of the last runtime installed; 0 before. */
  readonly generation: number
  /** The last good one, stale or not; nothing if withdrawn. (P2) */
  readonly snapshot: Snapshot | undefined
  readonly revision: number
  /** Older than the server allows, and being read again. */
  readonly expired: boolean
  readonly nextAttemptAt: number | undefined
  /** When a call may next ask for an attempt in PermanentlyFailed; not without `reconnect.auto`. (R9, R13) */
  readonly demandableFrom: number | undefined
  readonly lastError: LastError | undefined
  /** What finds no connection here goes to another backend. */
  readonly hasSuccessor: boolean
}

export interface Counters {
  connections: number
  reconnects: number
  errors: number
  callsGivenUp: number
  abandonedCloses: number
  lastCloseError: string | undefined
  lastAttemptAt: number | undefined
  lastSuccessAt: number | undefined
  /** Of ended connections, in milliseconds. */
  pastUptime: number
}

type EventBody = Event extends infer E ? E extends Event ? Omit<E, "backend" | "at"> : never : never

export interface Beginning {
  readonly fleetStartedAt?: number | undefined
  readonly memory?: CatalogMemory | undefined
  /** Default: everything. */
  readonly offered?: Offered | undefined
  /** Default: nothing is known. */
  readonly temperament?: Temperament | undefined
}

export class BackendState {
  readonly id: string
  readonly policy: Policy
  readonly offered: Offered
  readonly clock: Clock.Clock
  readonly fleetStartedAt: number | undefined
  /** Only `publish` writes it. */
  readonly published: StateRef<Slot>
  readonly events = new Hub<Event>()
  readonly notifications = new Hub<ServerNotification>()
  /** Set before anything happens. */
  telemetry: Observer | undefined
  observer: BackendObserver | undefined
  readonly inbox = new Inbox<Message>()
  readonly temperament: Temperament
  isSigningIn: () => boolean = constFalse
  /** Of a start that outlives its attempt, on the Clock's scale. */
  startingSince: number | undefined = undefined
  /** Under way, or outliving its attempt. (V5) */
  starting: { readonly verdict: OpenVerdict | undefined } | undefined = undefined
  /** There is a first catalogue, or it is known that there is none yet. */
  readonly firstOutcome = new Signal()
  readonly counters: Counters = {
    connections: 0,
    reconnects: 0,
    errors: 0,
    callsGivenUp: 0,
    abandonedCloses: 0,
    lastCloseError: undefined,
    lastAttemptAt: undefined,
    lastSuccessAt: undefined,
    pastUptime: 0
  }
  #demanded = false
  /** `undefined` once the first attempt has ended. */
  #firstEvents: Array<Event> | undefined = []
  #entering = 0
  #entered: Signal | undefined
  readonly #memory: CatalogMemory | undefined

  constructor(
    id: string,
    policy: Policy,
    clock: Clock.Clock,
    { fleetStartedAt, memory, offered = new Offered(), temperament = new Temperament() }: Beginning = {}
  ) {
    this.id = id
    this.policy = policy
    this.offered = offered
    this.clock = clock
    this.fleetStartedAt = fleetStartedAt
    this.#memory = memory
    this.temperament = temperament
    const { disabled, lazy } = policy.lifecycle
    const first: Slot = {
      state: disabled ? State.Disabled() : lazy ? State.Idle() : State.Connecting({ probe: false }),
      current: undefined,
      generation: 0,
      snapshot: memory?.remembered && offered.only(fromBefore(memory.remembered)),
      revision: 0,
      expired: false,
      nextAttemptAt: undefined,
      demandableFrom: undefined,
      lastError: undefined,
      hasSuccessor: false
    }
    this.published = new StateRef<Slot>({ ...first, snapshot: this.#visible(first) })
  }

  keep(snapshot: Snapshot): void {
    this.safely("the memory of the catalogue", () => this.#memory?.keep(snapshot))
  }

  send(message: Message): void {
    this.inbox.offer(message)
  }

  /** Once, however many calls wait. */
  demand(): void {
    if (this.#demanded) return
    this.#demanded = true
    this.send({ _tag: "Demand" })
  }

  /** A call may take a lease at any step until the returned function is called, once. */
  entering(): () => void {
    this.#entering++
    return () => {
      if (--this.#entering > 0) return
      this.#entered?.complete()
      this.#entered = undefined
    }
  }

  get entered(): Effect.Effect<void> | undefined {
    return this.#entering === 0 ? undefined : (this.#entered ??= new Signal()).completed
  }

  takeDemand(): void {
    this.#demanded = false
  }

  /** Runs what others gave us: a throw is logged, and stops nobody. (L19) */
  safely<A>(source: string, run: () => A): A | undefined {
    try {
      return run()
    } catch (defect) {
      this.send({ _tag: "Defect", source, defect }) // guard: defect-stops-nobody
      return undefined
    }
  }

  now(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  /** On the Clock's scale. Computed in the step that sets the timer: the process may have stood still. */
  sleepUntil(time: number): Effect.Effect<void> {
    return Effect.suspend(() => Effect.sleep(Math.max(0, time - this.now())))
  }

  /** Nothing if the work has not ended by then; it is interrupted, also in a finalizer. */
  before<A, E>(time: number, work: Effect.Effect<A, E>): Effect.Effect<Option.Option<A>, E> {
    return firstOf(Effect.asSome(work), Effect.as(this.sleepUntil(time), Option.none()))
  }

  /** The fence for what a runtime does. (L4) */
  isCurrent(runtime: Runtime): boolean {
    return this.published.value.current === runtime
  }

  isStable(runtime: Runtime): boolean {
    return this.now() - runtime.installedAt >= this.policy.reconnect.stableAfter
  }

  recordConnection(): void {
    this.counters.connections++
    if (this.counters.connections > 1) this.counters.reconnects++
    this.counters.lastSuccessAt = this.now()
  }

  recordClose(
    { message, outcome, runtime: { generation, installed } }: Outcome & { readonly runtime: Runtime }
  ): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (outcome !== "closed") this.counters.lastCloseError = message
      if (outcome === "abandoned") this.counters.abandonedCloses++
      this.emit({ _tag: "RuntimeClosed", generation, installed, outcome, message })
      return outcome === "closed"
        ? Effect.void
        : SafeLog.warning(`${this.id}: closing generation ${generation} was ${outcome}: ${message}`)
    })
  }

  get firstEvents(): ReadonlyArray<Event> {
    return this.#firstEvents ?? []
  }

  announce(kinds: ReadonlyArray<Kind>): void {
    for (const method of new Set(kinds.map(changeOf))) this.tell({ method })
  }

  tell(notification: ServerNotification): void {
    this.notifications.emit(notification)
    this.offered.announce(notification)
  }

  judged(
    generation: number,
    { kind, reason }: Omit<OpenVerdict, "since">,
    kept: { verdict: OpenVerdict | undefined }
  ): void {
    const before = kept.verdict
    kept.verdict = { kind, reason, since: before?.kind === kind ? before.since : this.now() }
    if (before?.kind === kind) return
    this.emit({ _tag: "Judged", generation, kind, reason })
    this.publish({})
  }

  emit(event: EventBody): void {
    const complete = { ...event, backend: this.id, at: this.now() } as Event
    this.#firstEvents?.push(complete)
    this.#observe((observer) => observer.event(complete))
    this.events.emit(complete)
  }

  #observe(tell: (observer: BackendObserver) => void): void {
    const { observer } = this
    if (observer !== undefined) this.safely("the observer of the backend", () => tell(observer))
  }

  end(): void {
    this.offered.end()
    this.published.end()
    this.events.end()
    this.notifications.end()
  }

  publish(patch: Partial<Slot>): void {
    const before = this.published.value
    const patched = { ...before, ...patch }
    const slot = { ...patched, snapshot: this.#visible(patched) }
    this.published.set(slot)
    this.#observe((observer) => observer.changed())
    if (slot.state._tag !== before.state._tag) {
      if (before.state._tag === "Connecting") this.#firstEvents = undefined
      this.emit({ _tag: "StateChanged", from: before.state._tag, to: slot.state._tag, generation: slot.generation })
    }
    if (slot.snapshot !== before.snapshot) {
      this.emit({
        _tag: "CatalogChanged",
        generation: slot.generation,
        revision: slot.snapshot?.revision,
        stale: slot.snapshot?.stale ?? true
      })
      this.#observe((observer) => observer.catalogChanged(slot.snapshot))
    }
  }

  #visible({ current, expired, generation, snapshot, state }: Slot): Snapshot | undefined {
    return snapshot && visible(snapshot, {
      withdrawn: entries[state._tag].catalog === "withdrawn",
      expired,
      connectedGeneration: current === undefined ? undefined : generation
    })
  }
}
