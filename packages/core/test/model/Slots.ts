import type { ScriptedConnector } from "@mcp-lifeline/testing"
import * as Lifecycle from "../../src/lifecycle/Lifecycle.js"
import type { Slot } from "../../src/state/Slot.js"
import type { Refusals } from "./Refusals.js"
import type { Server } from "./Server.js"

/** Every event that the table could be asked, with every variant of its data. */
const events: ReadonlyArray<Lifecycle.Event> = [
  Lifecycle.Event.Demanded(),
  Lifecycle.Event.Due(),
  Lifecycle.Event.Established(),
  ...(["retry", "exhausted", "permanent"] as const).flatMap((verdict) =>
    [true, false].map((auto) => Lifecycle.Event.AttemptFailed({ verdict, auto }))
  ),
  ...[true, false].flatMap((atOnce) => [true, false].map((auto) => Lifecycle.Event.Lost({ atOnce, auto }))),
  Lifecycle.Event.Reconnect({ overlap: true }),
  Lifecycle.Event.Reconnect({ overlap: false }),
  Lifecycle.Event.Enable(),
  Lifecycle.Event.Disable(),
  Lifecycle.Event.Disconnect(),
  Lifecycle.Event.TornDown(),
  Lifecycle.Event.Released(),
  Lifecycle.Event.Close()
]

const same = (a: Lifecycle.State, b: Lifecycle.State) => JSON.stringify(a) === JSON.stringify(b)

export interface Parts {
  readonly script: ScriptedConnector.ScriptedConnector
  readonly server: Server
  readonly refusals: Refusals
  readonly now: () => number
  readonly isAsked: () => boolean
  readonly isDisconnected: () => boolean
  readonly fault: (what: string) => void
}

export class Slots {
  readonly #parts: Parts
  #before: Slot
  readonly #connections = new Map<number, number>()
  readonly #detached = new Set<number>()
  /** Generations in the order in which their close ended. */
  readonly #retired: Array<number> = []

  constructor(first: Slot, parts: Parts) {
    this.#before = first
    this.#parts = parts
  }

  connectionOf(generation: number): number | undefined {
    return this.#connections.get(generation)
  }

  isDetached(connection: number): boolean {
    return this.#detached.has(connection)
  }

  retired(generation: number): void {
    this.#retired.push(generation)
  }

  published(slot: Slot): Slot {
    const before = this.#before
    this.#before = slot
    this.#moved(before, slot)
    this.#swapped(before, slot)
    this.#catalogued(before, slot)
    return before
  }

  ended(): void {
    for (const generation of this.#connections.keys()) {
      const times = this.#retired.filter((retired) => retired === generation).length
      if (times !== 1) this.#parts.fault(`L6: generation ${generation} was retired ${times} times`)
    }
  }

  #moved(before: Slot, { current, nextAttemptAt = 0, state }: Slot): void {
    const { fault, isAsked, now } = this.#parts
    if (state === before.state && nextAttemptAt > (before.nextAttemptAt ?? Number.POSITIVE_INFINITY)) {
      fault(`R8: an attempt due at ${before.nextAttemptAt} is put off to ${nextAttemptAt}`)
    }
    if ((state._tag === "Connected") !== (current !== undefined)) {
      fault(`a runtime in ${state._tag}: ${current !== undefined}`)
    }
    if (!same(before.state, state)) {
      const allowed = events.some((event) => {
        const next = Lifecycle.transition(before.state, event)
        return next !== undefined && same(next, state)
      })
      if (!allowed) fault(`L2: ${before.state._tag} to ${state._tag} is not in the table`)
    }
    const waited = before.state._tag === "Reconnecting" || before.state._tag === "Dormant"
    if (waited && state._tag === "Connecting" && now() < before.nextAttemptAt! && !isAsked()) {
      fault(`R1: an attempt at ${now()}, though it is due at ${before.nextAttemptAt} and nobody asks for it`)
    }
  }

  #swapped(before: Slot, { current, generation, state }: Slot): void {
    const { fault } = this.#parts
    const swapped = current !== undefined && current !== before.current
    if (swapped) {
      this.#connections.set(generation, current.connection.peer.pid!)
      if (generation !== before.generation + 1) fault(`L3: generation ${before.generation} to ${generation}`)
      if (current.generation !== generation) fault("L3: the runtime has another generation than the slot")
      if (current.detached) fault(`L4: a retired runtime was installed as generation ${generation}`)
    } else if (generation !== before.generation) fault("L3: a generation without a runtime")
    if (before.current === undefined || before.current === current) return
    this.#detached.add(before.current.connection.peer.pid!)
    if (current === undefined) this.#dropped(before, state)
    const { inFlight } = before.current.traffic
    if (state._tag === "Idle" && inFlight > 0) fault(`L18: released with ${inFlight} calls in flight`)
  }

  /** L4: a generation is dropped only with a cause. */
  #dropped(before: Slot, state: Lifecycle.State): void {
    const { fault, isDisconnected, script, server } = this.#parts
    const id = before.current!.connection.peer.pid!
    const unasked = state._tag === "Reconnecting" || (state._tag === "Disconnected" && !isDisconnected())
    if (unasked && script.connections[id]!.loss === undefined && !server.isSuspect(id)) {
      fault(`L4: generation ${before.generation} was dropped without a cause`)
    }
  }

  #catalogued(before: Slot, { current, expired, generation, snapshot, state }: Slot): void {
    const { fault, refusals } = this.#parts
    if (snapshot === undefined) return
    if (before.snapshot !== undefined && snapshot.generation < before.snapshot.generation) {
      fault(`L4: the catalogue of generation ${snapshot.generation} after that of ${before.snapshot.generation}`)
    }
    const [tool] = snapshot.tools
    const source = this.#connections.get(snapshot.generation)
    // A list that was refused keeps what was known of it before.
    const refused = source !== undefined && refusals.withoutLists(source)
    if (tool?.name !== `tool-of-${source}` && !refused) {
      fault(`P1: ${tool?.name} published for generation ${snapshot.generation}`)
    }
    if (snapshot.stale === (current !== undefined && snapshot.generation === generation && !expired)) {
      fault(`P2: stale is ${snapshot.stale} in ${state._tag}`)
    }
    if (Lifecycle.entries[state._tag].catalog === "withdrawn") fault(`P2: a catalogue in ${state._tag}`)
  }
}
