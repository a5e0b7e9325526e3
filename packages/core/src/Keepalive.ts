/**
 * Keepalive: a Schedule in the runtime's own scope that keeps a session from idling away and finds a dead one.
 *
 * A round is one heartbeat decision: the ping, and the fallback tool where it is due; success of either is success of the
 * round. A dead connection is handed over to reconnect; a live one whose heartbeat fails opens the breaker.
 */
import { Cause, Duration, Effect, Random, Schedule, ScheduleDecision, ScheduleInterval } from "effect"
import type { Connection, Loss } from "./Connection.js"
import type { RequestError } from "./Errors.js"
import type { Policy } from "./Policy.js"
import { answered, type Vitals, within } from "./Runtime.js"

/** Why a heartbeat failed: a closed set (K17). */
export type Reason =
  | "timeout"
  | "connection"
  | "session_expired"
  | "unsupported"
  | "tool_error"
  | "rate_limited"
  | "protocol"

/** What a round found. */
export type Verdict =
  | { readonly _tag: "Success" }
  | {
    readonly _tag: "Failure"
    readonly reason: Reason
    readonly message: string
    readonly retryAfter: number | undefined
  }

/** Why the breaker is open, and when it is probed next. */
export interface Breaker {
  readonly reason: Reason
  readonly message: string
  readonly reprobeAt: number
}

/**
 * What outlives a runtime: the breaker, and how many generations in a row keepalive has given up on. Reconnecting does not
 * reset it.
 */
export interface Memory {
  paused: boolean
  open: Breaker | undefined
  /** Generations in a row that were lost to keepalive with no successful round between (K13). */
  lostInARow: number
  /** How often the interval was doubled because the server objects to the rate (K19). */
  doublings: number
}

/** A memory of nothing. */
export const makeMemory = (): Memory => ({ paused: false, open: undefined, lostInARow: 0, doublings: 0 })

/** Where a generation is on the way from the ping to its fallback. A new generation begins with the ping (K3). */
export interface Rung {
  pingSupported: boolean
  /** Pings that failed in a row. */
  pingFailures: number
  fallbackTaken: boolean
}

/** The rung that a generation begins on. */
export const makeRung = (): Rung => ({ pingSupported: true, pingFailures: 0, fallbackTaken: false })

/** What keepalive is given by the backend that it works for. */
export interface Host {
  readonly rung: Rung
  readonly policy: Policy
  readonly memory: Memory
  /**
   * Whether the runtime is still installed and keepalive not paused: compared in the same synchronous step in which a
   * heartbeat is sent, and again before its verdict counts (K9).
   */
  readonly isCurrent: () => boolean
  readonly connection: Connection
  readonly vitals: Vitals
  readonly now: () => number
  /** When the fleet was made; undefined for a backend on its own. */
  readonly epoch: number | undefined
  /** Every heartbeat that ended: what was sent, its verdict, and how long it took in milliseconds. */
  readonly onBeat: (sent: string, verdict: Verdict, millis: number) => void
  /** Every round that ended: whether the server answered, whatever it said (H2, H5). */
  readonly onRound: (alive: boolean) => void
  readonly onLost: (loss: Loss) => void
  /** The breaker opened; or, `again`, a probe of the open one failed. */
  readonly onOpen: (breaker: Breaker, again: boolean) => Effect.Effect<void>
  /** A probe of the open breaker succeeded. */
  readonly onClose: () => Effect.Effect<void>
  readonly onFallback: (tool: string) => Effect.Effect<void>
  /** A round that could not be brought to its end: a bug of ours, and no reason to stop. */
  readonly onDefect: (cause: Cause.Cause<never>) => Effect.Effect<void>
}

/** What is sent: what the options say, else `ping`. */
export const methodOf = (policy: Policy): string => policy.keepalive.method ?? "ping"

/** Why keepalive does not run on a connection, where it does not (K4, K15). */
export const offReason = (policy: Policy, connection: Connection): string | undefined => {
  const { idleTtl, method } = policy.keepalive
  if (method === "none") return "keepalive.method is none"
  if (method !== undefined) return undefined
  if (!connection.stateful) return "the server keeps no session"
  return idleTtl === "never" ? "keepalive.idleTtl is never" : undefined
}

/** The interval that holds: half of `idleTtl` where that is shorter (K15), doubled for each objection (K19). */
export const intervalOf = (policy: Policy, memory: Memory): number => {
  const { idleTtl, interval } = policy.keepalive
  const half = typeof idleTtl === "number" ? idleTtl / 2 : Number.POSITIVE_INFINITY
  const bound = Number.isFinite(half) ? half : Duration.toMillis("24 hours")
  return Math.min(Math.min(interval, half) * 2 ** memory.doublings, Math.max(bound, Math.min(interval, half)))
}

/** Waits for the next round as long as the last one says; one for all backends. */
const spaced = Schedule.makeWithState(
  undefined,
  (now, delay: number) =>
    Effect.succeed([undefined, undefined, ScheduleDecision.continueWith(ScheduleInterval.after(now + delay))])
)

/** Runs until interrupted; forked into the runtime's attached scope. */
export const run = (host: Host): Effect.Effect<void> =>
  Effect.suspend(() => {
    const rounds = new Rounds(host)
    return Effect.flatMap(rounds.delay(), (delay) => Effect.scheduleFrom(rounds.next, delay, spaced))
  })

/**
 * The rounds of one generation. Thousands of them sleep nearly all the time, so a round makes what it needs when it begins,
 * and what sleeps is a fiber with this object.
 */
class Rounds {
  readonly #host: Host
  /** Failing rounds in a row, and when the first of them began. */
  #failing = 0
  #failingSince = 0
  #first = true
  /** When the server had last answered as the next round was planned. */
  #baseline = 0
  #roundAt = 0

  constructor(host: Host) {
    this.#host = host
  }

  /**
   * A round, and the milliseconds to the next one. Skipped where a request of ours was answered since it was planned (K7).
   * That the lists are read on connecting is no reason to skip the first: it would undo the spread of backends that connect
   * together (K6).
   */
  readonly next: Effect.Effect<number> = Effect.suspend(() => {
    const { memory, vitals } = this.#host
    const used = this.#first ? Math.min(vitals.usedAt, vitals.answeredAt) : vitals.answeredAt
    this.#first = false
    if (memory.open === undefined && this.#failing === 0 && this.#method !== "options" && used > this.#baseline) {
      return this.delay()
    }
    this.#roundAt = this.#host.now()
    const round = Effect.flatMap(this.#round(), (verdict) => {
      this.#host.onRound(isSignOfLife(verdict))
      const told = this.#judge(verdict)
      return told === undefined ? this.delay() : Effect.flatMap(told, () => this.delay())
    })
    return Effect.catchAllCause(round, (cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.failCause(cause)
        : Effect.as(this.#host.onDefect(cause), this.#host.policy.keepalive.suspectInterval))
  })

  /** Time until the next round, from the last answer rather than from now, so that the gap never exceeds the interval (K6). */
  delay(): Effect.Effect<number> {
    const { memory, policy, vitals } = this.#host
    const now = this.#host.now()
    this.#baseline = vitals.answeredAt
    if (memory.open !== undefined) return Effect.succeed(Math.max(0, memory.open.reprobeAt - now))
    const interval = intervalOf(policy, memory)
    if (this.#failing > 0) return Effect.succeed(Math.min(policy.keepalive.suspectInterval, interval))
    const from = this.#method === "options" ? now : vitals.answeredAt
    return Effect.map(Random.next, (draw) => {
      const earliest = from + (this.#first ? 1 : 0.75 * interval)
      const drawn = from + Math.ceil(interval * (this.#first ? 1 - draw : jittered(draw)))
      return Math.max(0, together(drawn, earliest, interval, this.#host.epoch) - now)
    })
  }

  get #method(): string {
    return methodOf(this.#host.policy)
  }

  #round(): Effect.Effect<Verdict> {
    const { connection, policy, rung } = this.#host
    const options = policy.keepalive
    if (this.#method === "options") {
      return this.#beat("options", () => connection.heartbeat?.(options) ?? Effect.void, options.timeout)
    }
    const tool = this.#tool
    if (tool === undefined) return this.#ping(options.timeout)
    if (!rung.pingSupported) return this.#fallback(tool, options.timeout)
    /** A ping and its fallback share the time of one heartbeat: K6 and K11 count on it. */
    const last = rung.pingFailures + 1 >= options.fallbackAfter
    return Effect.flatMap(this.#ping(last ? options.timeout / 2 : options.timeout), (verdict) => {
      if (verdict._tag === "Success") {
        rung.pingFailures = 0
        return Effect.succeed(verdict)
      }
      rung.pingFailures++
      if (verdict.reason === "unsupported") rung.pingSupported = false
      if (verdict.reason === "rate_limited") return Effect.succeed(verdict)
      if (rung.pingSupported && rung.pingFailures < options.fallbackAfter) return Effect.succeed(verdict)
      return this.#fallback(tool, Math.max(1, options.timeout - (this.#host.now() - this.#roundAt)))
    })
  }

  #ping(timeout: number): Effect.Effect<Verdict> {
    return this.#beat("ping", () => this.#host.connection.request("ping", undefined, { timeout }), timeout)
  }

  #fallback(tool: string, timeout: number): Effect.Effect<Verdict> {
    const { connection, policy, rung } = this.#host
    const call = () =>
      connection.request("tools/call", { name: tool, arguments: { ...policy.keepalive.toolArguments } }, { timeout })
    const beat = this.#beat("tool", call, timeout)
    if (rung.fallbackTaken) return beat
    rung.fallbackTaken = true
    return Effect.zipRight(this.#host.onFallback(tool), beat)
  }

  #beat(
    name: "ping" | "tool" | "options",
    send: () => Effect.Effect<unknown, RequestError>,
    timeout: number
  ): Effect.Effect<Verdict> {
    const host = this.#host
    return Effect.suspend(() => {
      const startedAt = host.now()
      const guarded = Effect.suspend(() => host.isCurrent() ? send() : Effect.interrupt)
      const judged = (verdict: Verdict) => {
        if (!host.isCurrent()) return Effect.interrupt
        const now = host.now()
        if (name !== "options" && isSignOfLife(verdict)) answered(host.vitals, now)
        host.onBeat(name === "tool" ? this.#method : name, verdict, now - startedAt)
        return Effect.succeed(verdict)
      }
      return Effect.matchEffect(within(guarded, timeout), {
        onFailure: (error) => judged(verdictOf(error, name, this.#tool)),
        onSuccess: (result) =>
          judged(
            name === "tool" && isToolError(result)
              ? failure("tool_error", `tool ${this.#tool} answered with isError${textOf(result)}`)
              : success
          )
      })
    })
  }

  get #tool(): string | undefined {
    const method = this.#method
    return method.startsWith("tool:") ? method.slice("tool:".length) : undefined
  }

  /** Draws the conclusions; what is left to do, if anything. */
  #judge(verdict: Verdict): Effect.Effect<void> | undefined {
    const { memory, policy, vitals } = this.#host
    if (verdict._tag === "Success") {
      this.#failing = 0
      memory.lostInARow = 0
      if (memory.open === undefined) return undefined
      memory.open = undefined
      return this.#host.onClose()
    }
    if (memory.open !== undefined) return this.#open(verdict)
    if (verdict.reason === "rate_limited") {
      this.#failing = 0
      if (intervalOf(policy, { ...memory, doublings: memory.doublings + 1 }) > intervalOf(policy, memory)) {
        memory.doublings++
      }
      return undefined
    }
    if (this.#failing === 0) this.#failingSince = this.#roundAt
    this.#failing++
    if (this.#failing < policy.keepalive.failureThreshold) return undefined
    if (vitals.answeredAt >= this.#failingSince || memory.lostInARow >= 2) return this.#open(verdict)
    memory.lostInARow++
    this.#host.onLost({
      kind: "keepalive",
      message: `${this.#failing} heartbeats in a row without an answer: ${verdict.message}`
    })
    return undefined
  }

  #open({ message, reason }: Extract<Verdict, { readonly _tag: "Failure" }>): Effect.Effect<void> {
    const { memory, policy } = this.#host
    return Effect.flatMap(Random.next, (draw) => {
      const reprobeAt = this.#host.now() + Math.ceil(jittered(draw) * policy.keepalive.reprobeAfter)
      const again = memory.open !== undefined
      memory.open = { reason, message, reprobeAt }
      this.#failing = 0
      return this.#host.onOpen(memory.open, again)
    })
  }
}

/** Milliseconds from one moment of a grid to the next: each divides a second, so that all seconds hold as many (K6). */
const steps = [1000, 500, 200, 100, 50, 20, 10]

/**
 * The time that was drawn, or a little earlier, at which other backends of the fleet are due too: on a grid of about a
 * three-hundredth of the interval. So thousands of idle backends share the moments at which their timers wake the process,
 * which costs more than a heartbeat. The grid begins with the fleet, so that no two processes have it in common.
 */
const together = (drawn: number, earliest: number, interval: number, epoch: number | undefined): number => {
  const step = steps.find((millis) => millis <= interval / 300)
  if (epoch === undefined || step === undefined) return drawn
  const at = drawn - (drawn - epoch) % step
  return at >= earliest ? at : drawn
}

/** Between three quarters and all of a duration. */
const jittered = (draw: number): number => 0.75 + draw / 4

/** Whether keepalive runs, and why not. */
export interface KeepaliveStatus {
  readonly state: "running" | "off" | "paused" | "disabled"
  readonly method: string
  /** Why it is off, paused or disabled. */
  readonly reason: string | undefined
  /** When an open breaker is probed next, in milliseconds since the epoch. */
  readonly reprobeAt: number | undefined
}

/** The state of keepalive as the status shows it. */
export const statusOf = (policy: Policy, memory: Memory, connection: Connection | undefined): KeepaliveStatus => {
  const method = methodOf(policy)
  const off = connection === undefined ? undefined : offReason(policy, connection)
  if (memory.paused) return { state: "paused", method, reason: "paused by keepalive.pause()", reprobeAt: undefined }
  if (off !== undefined || policy.keepalive.method === "none") {
    return { state: "off", method, reason: off ?? "keepalive.method is none", reprobeAt: undefined }
  }
  if (memory.open !== undefined) {
    return {
      state: "disabled",
      method,
      reason: `${memory.open.reason}: ${memory.open.message}`,
      reprobeAt: memory.open.reprobeAt
    }
  }
  return connection === undefined
    ? { state: "off", method, reason: "no connection", reprobeAt: undefined }
    : { state: "running", method, reason: undefined, reprobeAt: undefined }
}

const success: Verdict = { _tag: "Success" }

const failure = (reason: Reason, message: string, retryAfter?: number): Verdict => ({
  _tag: "Failure",
  reason,
  message,
  retryAfter
})

const isToolError = (result: unknown): boolean =>
  typeof result === "object" && result !== null && "isError" in result && result.isError === true

/** What a result with isError says, in one line. */
const textOf = (result: unknown): string => {
  const content = (result as { readonly content?: unknown }).content
  const first: unknown = Array.isArray(content) ? content[0] : undefined
  return typeof first === "object" && first !== null && "text" in first && typeof first.text === "string"
    ? `: ${shortened(first.text)}`
    : ""
}

/** One line of at most 200 characters of what a server wrote. */
const shortened = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim()
  return line.length > 200 ? `${line.slice(0, 199)}…` : line
}

/** JSON-RPC "method not found". */
const methodNotFound = -32601

const verdictOf = (error: RequestError, name: string, tool: string | undefined): Verdict => {
  if (error.reason !== "session" && error.retryAfter !== undefined) {
    return failure("rate_limited", error.message, error.retryAfter)
  }
  switch (error.reason) {
    case "timeout":
      return failure("timeout", error.message)
    case "session":
      return failure("session_expired", error.message)
    case "rateLimited":
      return failure("rate_limited", error.message, error.retryAfter)
    case "remote":
      return name === "tool"
        ? failure("tool_error", `tool ${tool}: ${shortened(error.message)}`)
        : failure(error.code === methodNotFound ? "unsupported" : "protocol", shortened(error.message))
    case "protocol":
      return name === "tool"
        ? failure("tool_error", `tool ${tool}: ${shortened(error.message)}`)
        : failure("protocol", shortened(error.message))
    case "lost":
    case "network":
    case "server":
    case "unauthorized":
    case "fault":
      return failure("connection", error.message)
  }
}

/** Whether the server answered, whatever it said: also when it objects to the rate (K19). */
const isSignOfLife = (verdict: Verdict): boolean =>
  verdict._tag === "Success" ||
  verdict.reason === "unsupported" || verdict.reason === "tool_error" || verdict.reason === "protocol" ||
  verdict.reason === "rate_limited"
