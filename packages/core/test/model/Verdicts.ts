import type { Loss, ProcessSight } from "@mcp-lifeline/core"
import type { ScriptedConnector } from "@mcp-lifeline/testing"
import { defaults } from "../../src/options/Policy.js"

const doings = ["works", "stopped", "still", "waits"] as const
export type Doing = typeof doings[number]

export const isDoing = (mode: string): mode is Doing => (doings as ReadonlyArray<string>).includes(mode)

/** Milliseconds in a mode after which any two sights that are compared are of that mode; and, at most, between two examinations. */
const known = 15_000
/** Milliseconds for which a silent server is kept at least, whatever it shows. */
const least = 2000
/** Milliseconds within which a server that is known to be dead is replaced. (V3) */
const most = 10_000

interface Process {
  mode: string
  before: string
  since: number
  readonly connectedAt: number
  /** Bytes. */
  transferred: number
  /** Milliseconds of the processor until `since`. */
  cpuTime: number
  answeredAt: number
  /** It has refused something since then: refusals end a connection, too. */
  hasRefused: boolean
  /** When the last answer that was promised is given. */
  answersUntil: number
  readonly calls: Map<number, { readonly sentAt: number; endedAt: number | undefined }>
}

export interface Parts {
  readonly isSeen: () => boolean
  readonly now: () => number
  readonly leaptAt: () => number
  readonly fault: (what: string) => void
}

/** Watches that no server is ended without evidence (V1, V2), and that evidence ends one (V3). */
export class Verdicts {
  readonly #parts: Parts
  readonly #processes = new Map<number, Process>()
  #mayBeConcurrent = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  #of(connection: number): Process {
    const process = this.#processes.get(connection)
    if (process !== undefined) return process
    const now = this.#parts.now()
    const begun: Process = {
      mode: "ok",
      before: "ok",
      since: now,
      connectedAt: now,
      transferred: 0,
      cpuTime: 0,
      answeredAt: now,
      hasRefused: false,
      answersUntil: now,
      calls: new Map()
    }
    this.#processes.set(connection, begun)
    return begun
  }

  mode(connection: number, mode: string): void {
    const process = this.#of(connection)
    if (process.mode === mode) return
    process.cpuTime = this.#cpuTime(process)
    process.before = process.mode
    process.mode = mode
    process.since = this.#parts.now()
  }

  #cpuTime({ cpuTime, mode, since }: Process): number {
    return mode === "works" ? cpuTime + this.#parts.now() - since : cpuTime
  }

  sight(connection: number): ProcessSight {
    const process = this.#of(connection)
    const { mode, since, transferred } = process
    const hasChild = mode === "waits"
    return {
      isStopped: mode === "stopped",
      isRunning: mode === "works",
      cpuTime: this.#cpuTime(process) / 1000,
      transferred,
      pids: hasChild ? [2 * connection, 2 * connection + 1] : [2 * connection],
      youngest: hasChild ? this.#parts.now() - since : undefined
    }
  }

  sends(call: number, connection: number): void {
    const process = this.#of(connection)
    const sentAt = this.#parts.now()
    if (process.answersUntil > sentAt) this.#mayBeConcurrent = true
    process.calls.set(call, { sentAt, endedAt: undefined })
  }

  ended(call: number, isAnswered: boolean): void {
    for (const { calls } of this.#processes.values()) {
      const sent = calls.get(call)
      if (isAnswered) calls.delete(call)
      else if (sent !== undefined) sent.endedAt = this.#parts.now()
    }
  }

  answers(connection: number, isCall: boolean, answer: ScriptedConnector.Answer): void {
    const process = this.#of(connection)
    if (!isDoing(process.mode)) process.transferred += 100
    if (answer.answer === "never" || answer.answer === "stuck") return
    const after = answer.answer === "die" ? 0 : answer.after ?? 0
    const now = this.#parts.now()
    process.answersUntil = Math.max(process.answersUntil, now + after)
    // A session that goes on in another connection takes its calls along.
    const open = [...this.#processes.values()].flatMap(({ calls }) => [...calls.values()])
    if (open.filter(({ endedAt }) => endedAt === undefined).length > (isCall ? 1 : 0)) this.#mayBeConcurrent = true
    if (answer.answer !== "result") process.hasRefused = true
    else if (after === 0) Object.assign(process, { answeredAt: now, hasRefused: false })
  }

  lost(connection: number, { kind, message }: Loss): void {
    if (kind !== "health" && kind !== "keepalive") return
    const process = this.#of(connection)
    const { answeredAt, before, hasRefused, mode, since } = process
    const now = this.#parts.now()
    const wrong = (why: string) =>
      this.#parts.fault(
        `V1 V2: connection ${connection}, which ${mode} since ${since}, is lost, though ${why}: ${message}`
      )
    if (hasRefused || this.#parts.leaptAt() >= answeredAt) return
    if (now - answeredAt < least) wrong(`it has answered ${now - answeredAt} ms ago`)
    // A session that goes on in another connection has its answers there.
    const answersUntil = Math.max(...[...this.#processes.values()].map((one) => one.answersUntil))
    if ((before !== "ok" && now - since < known) || answersUntil > since) return
    const calls = [...process.calls.values()].filter(({ endedAt = now }) => endedAt >= answeredAt)
    const abandonedAt = Math.min(...calls.map(({ endedAt = Number.POSITIVE_INFINITY }) => endedAt))
    const isAwaited = calls.length > 0 && abandonedAt === Number.POSITIVE_INFINITY
    if (this.#parts.isSeen() && (mode === "works" || (mode === "waits" && since > answeredAt))) {
      const left = Number.isFinite(abandonedAt) ? abandonedAt : answeredAt
      if (isAwaited) wrong("a caller waits for its call")
      else if (now - left < defaults.health.busyLimit) wrong(`a caller has waited until ${now - left} ms ago`)
    }
    if (mode === "still" && isAwaited && !this.#mayBeConcurrent) wrong("it has never answered anything during a call")
  }

  atRest(current: number | undefined, isConcurrent: boolean): void {
    if (current === undefined || !this.#parts.isSeen()) return
    const { answersUntil, calls, connectedAt, mode, since } = this.#of(current)
    if (mode !== "stopped" && !(mode === "still" && isConcurrent)) return
    for (const { endedAt, sentAt } of calls.values()) {
      const silentFor = this.#parts.now() - Math.max(sentAt, since, connectedAt, answersUntil, this.#parts.leaptAt())
      if (endedAt === undefined && silentFor > most + (sentAt < since ? known : 0)) {
        this.#parts.fault(
          `V3: connection ${current}, which is ${mode}, has left a call without an answer for ${silentFor} ms`
        )
      }
    }
  }
}
