/**
 * Reading the lists of whichever runtime is installed, and publishing them.
 */
import { Effect, Schedule } from "effect"
import type { RequestError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import { withDeadline } from "../internal/deadline.js"
import type { BackendState } from "../lifecycle/BackendState.js"
import { backoff } from "../lifecycle/backoff.js"
import type { Installed } from "../runtime/Installed.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { Kind, Snapshot } from "./Catalog.js"
import * as Discovery from "./Discovery.js"

/** One reading of lists at a time; what is asked for meanwhile is read after it, once. (P4) */
interface Reading {
  readonly runtime: Runtime
  readonly wanted: Set<Kind>
  readonly lock: Effect.Semaphore
  running: boolean
}

/** Reads the lists of one backend. */
export class Refresh {
  readonly #backend: BackendState
  readonly #probe: Probe
  #reading: Reading | undefined
  /** Whether anybody wants a catalogue. */
  #isWanted: boolean

  constructor(backend: BackendState, probe: Probe) {
    this.#backend = backend
    this.#probe = probe
    this.#isWanted = backend.policy.discovery.mode === "eager"
  }

  /** Begins for a runtime that has just been installed, where somebody wants its lists. */
  attach(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#isWanted) return this.#begin(runtime, Discovery.kinds)
      this.#backend.firstOutcome.complete()
      return Effect.void
    })
  }

  /** Somebody asks for the catalogue: reads the lists of the installed runtime, and of each later one. */
  get want(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#isWanted) return Effect.void
      this.#isWanted = true
      const { current } = this.#backend.published.value
      return current === undefined ? Effect.void : this.#begin(current.runtime, Discovery.kinds)
    })
  }

  /** Reads some lists of a runtime now, and all of them again every `refreshInterval`. Happens once for a runtime. */
  #begin(runtime: Runtime, kinds: ReadonlyArray<Kind>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#reading?.runtime === runtime) return Effect.void
      this.#reading = { runtime, wanted: new Set(kinds), lock: Effect.unsafeMakeSemaphore(1), running: false }
      const { refreshInterval } = this.#backend.policy.discovery
      if (refreshInterval === undefined) return this.readChanged(runtime)
      const all = Effect.suspend(() =>
        this.noteChanged(runtime, Discovery.kinds) ? this.readChanged(runtime) : Effect.void
      )
      const again = runtime.fork(Effect.schedule(all, Schedule.spaced(refreshInterval)))
      return Effect.asVoid(Effect.zipRight(this.readChanged(runtime), again))
    })
  }

  /** Notes that lists have changed. True where `readChanged` has to be called: nothing is read now that will see it. */
  noteChanged(runtime: Runtime, kinds: ReadonlyArray<Kind>): boolean {
    const reading = this.#reading
    if (reading?.runtime !== runtime || kinds.every((kind) => reading.wanted.has(kind))) return false
    for (const kind of kinds) reading.wanted.add(kind)
    return !reading.running
  }

  /** Reads the lists that have changed, in the background, again and again until it has them or the runtime is lost. */
  readChanged(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      const reading = this.#reading
      if (reading?.runtime !== runtime || reading.running || reading.wanted.size === 0) return Effect.void
      reading.running = true
      return Effect.asVoid(runtime.fork(this.#readUntilDone(reading)))
    })
  }

  /** Reads all lists now, for somebody who waits. (P9) */
  now(installed: Installed): Effect.Effect<void, RequestError> {
    return Effect.suspend(() => {
      const first = this.#isWanted ? Effect.void : this.#begin(installed.runtime, [])
      this.#isWanted = true
      return Effect.zipRight(
        first,
        Effect.suspend(() => {
          const lock = this.#reading?.runtime === installed.runtime ? this.#reading.lock : Effect.unsafeMakeSemaphore(1)
          return this.#readOnce(installed, Discovery.kinds, lock)
        })
      )
    })
  }

  #readUntilDone(reading: Reading): Effect.Effect<void> {
    const once: Effect.Effect<void, RequestError> = Effect.suspend(() => {
      const { current } = this.#backend.published.value
      if (current?.runtime !== reading.runtime) return Effect.void
      const kinds = [...reading.wanted]
      reading.wanted.clear()
      return Effect.tapError(this.#readOnce(current, kinds, reading.lock), (error) =>
        Effect.sync(() => {
          for (const kind of kinds) reading.wanted.add(kind)
          this.#backend.firstOutcome.complete()
          if (error.fate === "answered") reading.runtime.heard(this.#backend.now())
        }))
    })
    return Effect.retry(once, backoff(this.#backend.policy.reconnect)).pipe(
      Effect.repeat({
        while: () => {
          reading.running = this.#backend.isCurrent(reading.runtime) && reading.wanted.size > 0
          return reading.running
        }
      }),
      Effect.onError(() =>
        Effect.sync(() => {
          reading.running = false
        })
      ),
      Effect.ignore
    )
  }

  #readOnce(
    { connection, runtime }: Installed,
    kinds: ReadonlyArray<Kind>,
    lock: Effect.Semaphore
  ): Effect.Effect<void, RequestError> {
    const backend = this.#backend
    const { id, policy } = backend
    const lists = Discovery.read(id, connection, kinds, policy, () => runtime.answered(backend.now()))
    return lock.withPermits(1)(
      Effect.matchEffect(withDeadline(lists, policy.timeouts.request * policy.discovery.maxPages), {
        onSuccess: (lists) => Effect.sync(() => this.#publish({ connection, runtime }, lists)),
        onFailure: (error) =>
          Effect.suspend(() => {
            if (backend.isCurrent(runtime)) {
              backend.emit({ _tag: "DiscoveryFailed", generation: runtime.generation, message: error.message })
              this.#probe.countFailure(runtime, "discovery", error)
            }
            return Effect.fail(error)
          })
      })
    )
  }

  /** Publishes what was read, if its runtime is still the installed one. */
  #publish({ connection, runtime }: Installed, lists: ReadonlyArray<Discovery.ReadList>): void {
    const backend = this.#backend
    const slot = backend.published.value
    if (slot.current?.runtime !== runtime) return // guard: late-lists
    for (const { refused } of lists) {
      if (refused !== undefined) {
        backend.emit({ _tag: "DiscoveryFailed", generation: runtime.generation, message: refused })
      }
    }
    const revision = slot.revision + 1
    const snapshot: Snapshot = {
      ...Discovery.merge(slot.snapshot, lists, backend.id),
      generation: runtime.generation,
      revision,
      stale: false,
      serverInfo: connection.serverInfo,
      capabilities: connection.capabilities,
      instructions: connection.instructions,
      protocolVersion: connection.protocolVersion
    }
    const known = slot.snapshot
    const isNew = known === undefined || !isSame({ ...known, revision }, snapshot)
    if (isNew) backend.publish({ revision, snapshot })
    this.#backend.firstOutcome.complete()
  }
}

/** Whether two catalogues say the same. What is no JSON, as a connector in this process may have it, counts as new. */
const isSame = (a: Snapshot, b: Snapshot): boolean => {
  try {
    return JSON.stringify(a) === JSON.stringify(b)
  } catch {
    return false
  }
}
