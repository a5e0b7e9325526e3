/**
 * What readers see of a backend: one immutable value, published by its supervisor; and the journal that holds it together
 * with what is counted and told over the life of a backend.
 */
import type { Clock } from "effect"
import type { Snapshot } from "./Catalog.js"
import type { Connection } from "./Connection.js"
import type { ServerNotification } from "./Connector.js"
import { Event } from "./Event.js"
import * as Health from "./Health.js"
import { Cell } from "./internal/Cell.js"
import { Hub } from "./internal/Hub.js"
import { makeMemory } from "./Keepalive.js"
import { isWithdrawn, State } from "./Lifecycle.js"
import type { Policy } from "./Policy.js"
import type { Runtime } from "./Runtime.js"
import type { Observer } from "./Telemetry.js"

/** The current runtime with its connection: what a call needs. */
export interface Installed {
  readonly runtime: Runtime
  readonly connection: Connection
}

/** The slot of a backend. `current` is there exactly in Connected. */
export interface Slot {
  readonly state: State
  readonly current: Installed | undefined
  /** Of the last installed runtime; 0 before the first. */
  readonly generation: number
  /** What callers see: the last good catalogue, stale or not; nothing where it is withdrawn (P2). */
  readonly snapshot: Snapshot | undefined
  /** Of the last published catalogue. */
  readonly revision: number
  readonly nextAttemptAt: number | undefined
  readonly lastError: { readonly message: string; readonly at: number } | undefined
}

/** What is counted over the life of a backend. */
export interface Tally {
  connections: number
  reconnects: number
  errors: number
  abandonedCloses: number
  lastCloseError: string | undefined
  lastAttemptAt: number | undefined
  lastSuccessAt: number | undefined
  /** Uptime of connections that have ended, in milliseconds. */
  pastUptime: number
  history: Health.History
}

/** Event without what every event has. */
type Told = Event extends infer E ? E extends Event ? Omit<E, "backend" | "at"> : never : never

/** Everything that is written down about one backend. All of it is synchronous. */
export class Journal {
  readonly id: string
  readonly policy: Policy
  readonly clock: Clock.Clock
  /** When its fleet was made; undefined for a backend on its own. */
  readonly epoch: number | undefined
  readonly cell: Cell<Slot>
  readonly events = new Hub<Event>()
  readonly notifications = new Hub<ServerNotification>()
  /** What keepalive remembers over reconnects. */
  readonly memory = makeMemory()
  /** Set before anything happens, where somebody measures. */
  telemetry: Observer | undefined
  /** Called when something that others gave us has thrown: what it was, and what it threw. */
  onDefect: (source: string, defect: unknown) => void = () => {}
  readonly tally: Tally = {
    connections: 0,
    reconnects: 0,
    errors: 0,
    abandonedCloses: 0,
    lastCloseError: undefined,
    lastAttemptAt: undefined,
    lastSuccessAt: undefined,
    pastUptime: 0,
    history: Health.empty
  }

  constructor(id: string, policy: Policy, clock: Clock.Clock, epoch?: number) {
    this.id = id
    this.policy = policy
    this.clock = clock
    this.epoch = epoch
    const { disabled, lazy } = policy.lifecycle
    this.cell = new Cell<Slot>({
      state: disabled ? State.Disabled() : lazy ? State.Idle() : State.Connecting({ probe: false }),
      current: undefined,
      generation: 0,
      snapshot: undefined,
      revision: 0,
      nextAttemptAt: undefined,
      lastError: undefined
    })
  }

  now(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  /** Whether a runtime is the installed one: the fence for everything that a runtime reports (L4). */
  isCurrent(runtime: Runtime): boolean {
    return this.cell.get().current?.runtime === runtime
  }

  tell(event: Told): void {
    this.events.emit({ ...event, backend: this.id, at: this.now() } as Event)
  }

  /** The backend is closed for good: ends every stream of it. */
  end(): void {
    this.cell.end()
    this.events.end()
    this.notifications.end()
  }

  /** Publishes one new value of the slot, and tells what changed with it. */
  publish(patch: Partial<Slot>): void {
    const before = this.cell.get()
    const patched = { ...before, ...patch }
    const slot = { ...patched, snapshot: visible(patched) }
    this.cell.set(slot)
    if (slot.state._tag !== before.state._tag) {
      this.tell({ _tag: "StateChanged", from: before.state._tag, to: slot.state._tag, generation: slot.generation })
    }
    if (slot.snapshot !== before.snapshot) {
      this.tell({
        _tag: "CatalogChanged",
        generation: slot.generation,
        revision: slot.snapshot?.revision,
        stale: slot.snapshot?.stale ?? true
      })
    }
  }
}

/** The snapshot as the state lets it be seen: withdrawn, stale or current (P2). */
const visible = ({ current, generation, snapshot, state }: Slot): Snapshot | undefined => {
  if (snapshot === undefined || isWithdrawn(state)) return undefined
  const stale = current === undefined || snapshot.generation !== generation
  return stale === snapshot.stale ? snapshot : { ...snapshot, stale }
}
