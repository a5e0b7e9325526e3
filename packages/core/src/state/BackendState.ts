import { type Clock, Effect, Option } from "effect"
import { constFalse } from "effect/Function"
import { type CatalogMemory, empty, fromBefore, type Lists, type Snapshot } from "../catalog/Catalog.js"
import { changeOf, type Kind } from "../catalog/Kind.js"
import { Hub } from "../internal/Hub.js"
import { Inbox } from "../internal/Inbox.js"
import { firstOf } from "../internal/races.js"
import { Signal } from "../internal/Signal.js"
import { StateRef } from "../internal/StateRef.js"
import type { BackendObserver, Event } from "../observe/Event.js"
import type { Observer } from "../observe/Telemetry.js"
import type { Policy } from "../options/Policy.js"
import type { ServerNotification } from "../port/Report.js"
import type { Runtime } from "../runtime/Runtime.js"
import { Temperament } from "../runtime/Temperament.js"
import * as Health from "./Health.js"
import type { Message } from "./Message.js"
import { Offered } from "./Offered.js"
import * as Slot from "./Slot.js"
import type { OpenVerdict } from "./Status.js"

export interface Beginning {
  readonly fleetStartedAt?: number | undefined
  readonly memory?: CatalogMemory | undefined
  readonly extensionStatus?: ((catalog: Snapshot | undefined) => object) | undefined
  readonly observer?: BackendObserver | undefined
  readonly offered?: Offered | undefined
  readonly temperament?: Temperament | undefined
}

export class BackendState {
  readonly id: string
  readonly policy: Policy
  readonly offered: Offered
  readonly clock: Clock.Clock
  readonly fleetStartedAt: number | undefined
  /** Only `update` writes it. */
  readonly published: StateRef<Slot.Slot>
  readonly events = new Hub<Event>()
  readonly notifications = new Hub<ServerNotification>()
  telemetry: Observer | undefined
  readonly observer: BackendObserver | undefined
  readonly inbox = new Inbox<Message>()
  readonly temperament: Temperament
  isSigningIn: () => boolean = constFalse
  /** There is a first catalogue, or it is known that there is none yet. */
  readonly firstOutcome = new Signal()
  #demanded = false
  #firstEvents: Array<Event> | undefined = []
  #entering = 0
  #entered: Signal | undefined
  readonly #memory: CatalogMemory | undefined
  /** As the server gave them last, in the order of before. */
  lists: Lists
  readonly #extensionStatus: (catalog: Snapshot | undefined) => object

  constructor(
    id: string,
    policy: Policy,
    clock: Clock.Clock,
    {
      extensionStatus = constNothing,
      fleetStartedAt,
      memory,
      observer,
      offered = new Offered(),
      temperament = new Temperament()
    }: Beginning = {}
  ) {
    this.id = id
    this.policy = policy
    this.offered = offered
    this.clock = clock
    this.fleetStartedAt = fleetStartedAt
    this.#memory = memory
    this.lists = memory?.remembered ?? empty
    this.#extensionStatus = extensionStatus
    this.observer = observer
    this.temperament = temperament
    const first = Slot.begin(policy, memory?.remembered && offered.only(fromBefore(memory.remembered)))
    this.published = new StateRef(this.#extended(Slot.shown(first)))
  }

  keep(snapshot: Snapshot): void {
    this.safely("the memory of the catalogue", () => this.#memory?.keep(snapshot))
  }

  send(message: Message): void {
    this.inbox.offer(message)
  }

  demand(): void {
    if (this.#demanded) return
    this.#demanded = true
    this.send({ _tag: "Demand" })
  }

  /** A call may take a lease until it calls the returned function, once. */
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

  /** Logs what the code of others throws. (L19) */
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

  tellFirstOutcome(): void {
    this.firstOutcome.complete()
    this.#forgetFirstEvents()
  }

  #forgetFirstEvents(): void {
    const { counts, state } = this.published.value
    const hasEnded = counts.lastAttemptAt !== undefined && state._tag !== "Connecting"
    if (hasEnded && this.firstOutcome.isComplete) this.#firstEvents = undefined
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

  /** `before`: it holds since then. */
  judged({ kind, reason }: Omit<OpenVerdict, "since">, before: OpenVerdict | undefined): OpenVerdict {
    return { kind, reason, since: before?.kind === kind ? before.since : this.now() }
  }

  emit(event: Slot.EventBody): void {
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

  /** Tells what follows from the difference in the same step. */
  update(change: (slot: Slot.Slot) => Slot.Slot): void {
    const before = this.published.value
    const changed = change(before)
    if (changed === before) return
    const shown = Slot.shown(changed)
    const isSame = shown.snapshot === before.snapshot
    const slot = isSame ? shown : this.#extended(shown)
    this.published.set(slot)
    this.#observe((observer) => observer.changed())
    this.#forgetFirstEvents()
    for (const event of Slot.eventsBetween(before, slot, this.policy)) this.emit(event)
    if (!isSame) this.#observe((observer) => observer.catalogChanged(slot.snapshot))
    if (slot.history === before.history) return
    const score = Health.score(slot.history)
    if (score !== Health.score(before.history)) this.telemetry?.health?.(score)
  }

  #extended(slot: Slot.Slot): Slot.Slot {
    const status = this.safely("an extension's status", () => this.#extensionStatus(slot.snapshot))
    return { ...slot, extensions: status ?? nothing }
  }

  extensionsChanged(): void {
    this.update((slot) => this.#extended(slot))
  }
}

const nothing = {}
const constNothing = (): object => nothing
