import type { Loss } from "@mcp-lifeline/core"
import type { Ledger } from "@mcp-lifeline/testing"
import { defaults } from "../../src/options/Policy.js"
import type { Runtime } from "../../src/runtime/Runtime.js"
import type { Slot } from "../../src/state/Slot.js"

const atOnce = 10

/** While nobody is reached, attempts for calls are at least so far apart, in milliseconds: of those the failed ones tell. (V10) */
const leastSpacing = defaults.reconnect.demandInterval * 0.25 * 0.75

/** How long a probe has in this world, in milliseconds. */
const probeTimeout = 2000

export interface Parts {
  readonly fault: (what: string) => void
  readonly isAuto: () => boolean
  readonly isCommanded: () => boolean
  readonly isSilent: (connection: number) => boolean
}

export class Pace {
  /** Somebody has asked for the lists, which are read at once for him. */
  refreshed = false
  delayed = false
  /** Each command may make an attempt, and where that fails, a call that waits may have another at once. (R8) */
  commands = 0
  /** Connections that were lost in another way: if a call was answered on one, the next attempt follows at once. (V6) */
  #losses = 0
  readonly #fault: (what: string) => void
  readonly #isAuto: () => boolean
  readonly #isCommanded: () => boolean
  readonly #isSilent: Parts["isSilent"]
  readonly #lists = new Map<number, number>()
  readonly #pings = new Map<number, number>()
  /** Connections that leave the last ping without an answer, and that no list was asked of since then. */
  readonly #mayAskBeside = new Set<number>()
  #firstCalled = Number.POSITIVE_INFINITY
  readonly #readForCalls = new Set<number>()
  #attempts: ReadonlyArray<number> = []
  #replacing: ReadonlyArray<number> = []
  #last: { readonly what: "failed" | "forgotten"; readonly at: number } | undefined
  #countedAt = Number.NEGATIVE_INFINITY
  /** When the process last may have stood still: what was sent before has its timeout from here on. */
  #leaptAt = Number.NEGATIVE_INFINITY
  /** No attempt is made before this for a call: a server has asked for time. */
  #notBefore = Number.NEGATIVE_INFINITY
  #permanent = { at: Number.NEGATIVE_INFINITY, demanded: 0 }

  constructor({ fault, isAuto, isCommanded, isSilent }: Parts) {
    this.#fault = fault
    this.#isAuto = isAuto
    this.#isCommanded = isCommanded
    this.#isSilent = isSilent
  }

  #asked(retryAfter: number | undefined, at: number): void {
    this.#notBefore = Math.max(this.#notBefore, at + (retryAfter ?? 0))
  }

  attemptFailed(retryAfter: number | undefined, at: number): void {
    this.#asked(retryAfter, at)
    this.#last = { what: "failed", at }
  }

  lost({ kind, retryAfter }: Loss, at: number): void {
    this.#asked(retryAfter, at)
    if (kind === "session") this.#last = { what: "forgotten", at }
    else this.#losses++
  }

  wrote(entry: Ledger.Entry): void {
    if (entry._tag === "Attempt") return this.#attempted(entry.at)
    if (entry._tag !== "Sent") return
    const { at, connection, method } = entry
    if (method === "ping") {
      this.#pings.set(connection, at)
      if (this.#isSilent(connection)) this.#mayAskBeside.add(connection)
      else this.#mayAskBeside.delete(connection)
    }
    if (method === "tools/call") this.#firstCalled = Math.min(this.#firstCalled, connection)
    if (method !== "tools/list") return
    // Beside a ping, or after one without an answer, it is a question whether the server lives. (V4)
    if (this.#mayAskBeside.delete(connection) || this.#pings.get(connection) === at) return
    const before = this.#lists.get(connection) ?? Number.NEGATIVE_INFINITY
    this.#lists.set(connection, at)
    if (!this.refreshed && at - before < defaults.discovery.minRefreshInterval) {
      // Beside the catalogue, once: for calls that were cut on a connection before this one. (C15)
      if (connection > this.#firstCalled && !this.#readForCalls.has(connection)) {
        this.#readForCalls.add(connection)
        return
      }
      this.#fault(`P11: lists were read ${at - before} ms after they were read`)
    }
  }

  #attempted(at: number): void {
    const last = this.#last
    this.#last = undefined
    const isRecent = (before: number): boolean => at - before < 1000
    if (last?.what === "forgotten") this.#replacing = [...this.#replacing.filter(isRecent), at]
    if (this.#replacing.length > atOnce + this.commands) {
      this.#fault(`R7: ${this.#replacing.length} sessions were replaced within a second`)
    }
    if (last?.what === "failed" && at - last.at >= leastSpacing) return
    this.#attempts = [...this.#attempts.filter(isRecent), at]
    // Beside the new sessions, an attempt may be under way, and another one may have failed.
    if (this.#attempts.length > atOnce + 2 + 2 * (this.commands + this.#losses)) {
      this.#fault(`R7: ${this.#attempts.length} attempts within a second`)
    }
  }

  pingedAt(connection: number): number {
    return this.#pings.get(connection) ?? Number.NEGATIVE_INFINITY
  }

  get leaptAt(): number {
    return this.#leaptAt
  }

  #watch(runtime: Runtime, now: () => number): void {
    const failed = runtime.failed.bind(runtime)
    let before = Number.NEGATIVE_INFINITY
    runtime.failed = (...question) => {
      const failures = runtime.traffic.failures.count
      const count = failed(...question)
      if (count === failures) return count
      // The time for which the one before has waited in vain is a part of the interval.
      if (now() - before < 0.9 * (defaults.keepalive.suspectInterval - probeTimeout)) {
        this.#fault(`H4: a failed question counts ${now() - before} ms after another one`)
      }
      this.#countedAt = before = now()
      return count
    }
  }

  published(before: Slot, slot: Slot, clock: () => number): void {
    const now = clock()
    const { current, lastError, nextAttemptAt, state } = slot
    this.#failedForGood(before, slot, now)
    if (current !== undefined && current !== before.current) this.#watch(current, clock)
    const lost = before.state._tag === "Connected" && state._tag === "Reconnecting" && nextAttemptAt !== undefined
    if (lost && lastError?.message === "scripted loss: session" && nextAttemptAt - now > 1000 && !this.delayed) {
      this.#fault(`R7: a new session is made only ${nextAttemptAt - now} ms after one was lost`)
    }
  }

  /** After an attempt that failed for good, calls have another one at a pace, however many there are. (R13) */
  #failedForGood({ state: { _tag: from } }: Slot, { state: { _tag: to } }: Slot, now: number): void {
    const { at, demanded } = this.#permanent
    if (to === from) return
    if (to === "PermanentlyFailed") this.#permanent = { at: now, demanded }
    else if (from === "PermanentlyFailed" && this.#isCommanded()) this.#permanent = { at, demanded: 0 }
    else if (from === "PermanentlyFailed" && to === "Connecting") {
      this.#permanent = { at, demanded: demanded + 1 }
      const { demandInterval, maxDelay } = defaults.reconnect
      if (now - at < Math.min(maxDelay, demandInterval * 2 ** demanded)) {
        this.#fault(`R13: attempt ${demanded + 1} for calls is made ${now - at} ms after one that failed for good`)
      }
      if (!this.#isAuto()) this.#fault("R9: an attempt after a permanent failure, though nobody commanded it")
      if (now < this.#notBefore) {
        this.#fault(`R13: an attempt at ${now}, though the server wants none before ${this.#notBefore}`)
      }
    } else if (to !== "Connecting") this.#permanent = { at, demanded: 0 }
  }

  /** Calls of so many milliseconds wait for an attempt that is so far off, after one that has failed for a reason. (R14, V10) */
  awaited(budgets: ReadonlyArray<number>, millis: number, reason: string | undefined): void {
    const { demandInterval } = defaults.reconnect
    if (!this.delayed && budgets.length > 0 && reason === "refused" && millis > demandInterval) {
      this.#fault(`V10: calls wait for an attempt that is made in ${millis} ms, though the last one has reached nobody`)
    }
    for (const budget of budgets) {
      if (!this.delayed && budget >= demandInterval && millis > Math.max(demandInterval, budget / 2)) {
        this.#fault(`R14: a call that waits ${budget} ms waits for an attempt that is made in ${millis} ms`)
      }
    }
  }

  leapt(now: number): void {
    this.#leaptAt = now
  }

  atRest({ current }: Slot, now: number): void {
    if (current === undefined || current.traffic.failures.count === 0) return
    const since = now - Math.max(this.pingedAt(current.connection.peer.pid!), this.#countedAt, this.#leaptAt)
    if (since > defaults.keepalive.suspectInterval + probeTimeout) {
      this.#fault(`H4: a question has failed, and none has followed in ${since} ms`)
    }
  }
}
