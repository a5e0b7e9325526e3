/**
 * What has to hold of how often things are done: lists read, sessions made anew, a connection in doubt probed.
 */
import type { Ledger } from "@mcp-lifeline/testing"
import type { Slot } from "../../src/lifecycle/BackendState.js"
import { defaults } from "../../src/options/Policy.js"
import type { Runtime } from "../../src/runtime/Runtime.js"

/** New sessions that may be made at once, and one for the attempt that is under way or has failed beside them. */
const atOnce = 12

/** Watches how often things are done in a world. */
export class Pace {
  /** Somebody has asked for the lists, which are read at once for him. */
  refreshed = false
  /** A server has asked for time, which takes precedence. */
  delayed = false
  /** Each command may make an attempt, and where that fails, a call that waits may have another at once. (R8) */
  commands = 0
  readonly #fault: (what: string) => void
  readonly #lists = new Map<number, number>()
  readonly #pings = new Map<number, number>()
  #attempts: ReadonlyArray<number> = []
  /** When the process last may have stood still: what was sent before has its timeout from here on. */
  #leaptAt = Number.NEGATIVE_INFINITY

  constructor(fault: (what: string) => void) {
    this.#fault = fault
  }

  wrote(entry: Ledger.Entry): void {
    if (entry._tag === "Attempt") return this.#attempted(entry.at)
    if (entry._tag !== "Sent") return
    const { at, connection, method } = entry
    if (method === "ping") this.#pings.set(connection, at)
    if (method !== "tools/list") return
    const before = this.#lists.get(connection) ?? Number.NEGATIVE_INFINITY
    this.#lists.set(connection, at)
    if (!this.refreshed && at - before < defaults.discovery.minRefreshInterval) {
      this.#fault(`P11: lists were read ${at - before} ms after they were read`)
    }
  }

  #attempted(at: number): void {
    this.#attempts = [...this.#attempts.filter((before) => at - before < 1000), at]
    if (this.#attempts.length > atOnce + 2 * this.commands) {
      this.#fault(`R7: ${this.#attempts.length} attempts within a second`)
    }
  }

  /** When a connection was pinged last. */
  pingedAt(connection: number): number {
    return this.#pings.get(connection) ?? Number.NEGATIVE_INFINITY
  }

  /** When the clock last moved on while there was something to do. */
  get leaptAt(): number {
    return this.#leaptAt
  }

  /** Watches how the failed probes of a runtime count. */
  #watch(runtime: Runtime, now: () => number): void {
    const failed = runtime.failed.bind(runtime)
    let before = Number.NEGATIVE_INFINITY
    runtime.failed = (kind) => {
      if (kind === "request") {
        if (now() - before < defaults.keepalive.suspectInterval) {
          this.#fault(`H4: a failed probe counts ${now() - before} ms after another one`)
        }
        before = now()
      }
      return failed(kind)
    }
  }

  /** The slot has moved on. */
  published(before: Slot, { current, lastError, nextAttemptAt, state }: Slot, clock: () => number): void {
    const now = clock()
    if (current !== undefined && current.runtime !== before.current?.runtime) this.#watch(current.runtime, clock)
    const lost = before.state._tag === "Connected" && state._tag === "Reconnecting" && nextAttemptAt !== undefined
    if (lost && lastError?.message === "scripted loss: session" && nextAttemptAt - now > 1000 && !this.delayed) {
      this.#fault(`R7: a new session is made only ${nextAttemptAt - now} ms after one was lost`)
    }
  }

  /** The clock has moved on while there was something to do. */
  leapt(now: number): void {
    this.#leaptAt = now
  }

  /** Nothing is left to do now. */
  atRest({ current }: Slot, now: number): void {
    if (current === undefined || current.runtime.failures("request") === 0) return
    const since = now - Math.max(this.pingedAt(current.connection.peer.pid!), this.#leaptAt)
    // A probe that is under way has 2 seconds in this world.
    if (since > defaults.keepalive.suspectInterval + 2000) {
      this.#fault(`H4: a probe has failed, and none has followed in ${since} ms`)
    }
  }
}
