/**
 * Keepalive: a Schedule in the runtime's own scope that keeps a session from idling away and finds a dead one.
 *
 * A round is one heartbeat decision: the ping, and the fallback tool where it is due; success of either is success of the
 * round. A dead connection is handed over to reconnect; a live one whose heartbeat fails opens the breaker.
 */
import { Clock, Duration, Effect, Random, Schedule } from "effect"
import type { Connection, Loss } from "./Connection.js"
import { RequestError, requestErrorOf } from "./Errors.js"
import type { Policy } from "./Policy.js"
import type { Vitals } from "./Runtime.js"

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
  /** Every heartbeat that ended: what was sent, its verdict, and how long it took in milliseconds. */
  readonly onBeat: (sent: string, verdict: Verdict, millis: number) => Effect.Effect<void>
  /** Every round that ended: whether the server answered, whatever it said (H2, H5). */
  readonly onRound: (alive: boolean) => void
  readonly onLost: (loss: Loss) => void
  /** The breaker opened; or, `again`, a probe of the open one failed. */
  readonly onOpen: (breaker: Breaker, again: boolean) => Effect.Effect<void>
  /** A probe of the open breaker succeeded. */
  readonly onClose: Effect.Effect<void>
  readonly onFallback: (tool: string) => Effect.Effect<void>
}

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

/** Runs until interrupted; forked into the runtime's attached scope. */
export const run = (host: Host): Effect.Effect<void> => {
  const { connection, memory, policy, vitals } = host
  const options = policy.keepalive
  const method = options.method ?? "ping"
  const tool = method.startsWith("tool:") ? method.slice("tool:".length) : undefined
  const { rung } = host
  /** Failing rounds in a row, and when the first of them began. */
  let failing = 0
  let failingSince = 0
  let first = true
  let baseline = 0
  let roundAt = 0

  const guarded = (
    send: () => Effect.Effect<unknown, RequestError>,
    timeout: number
  ): Effect.Effect<unknown, RequestError> =>
    Effect.suspend(() =>
      host.isCurrent()
        ? Effect.catchAllCause(Effect.suspend(send), (cause) => Effect.fail(requestErrorOf(cause)))
        : Effect.interrupt
    ).pipe(
      Effect.timeoutFail({
        duration: timeout,
        onTimeout: () =>
          new RequestError({ fate: "unknown", reason: "timeout", message: `no answer within ${timeout} ms` })
      })
    )

  const beat = (
    name: "ping" | "tool" | "options",
    send: () => Effect.Effect<unknown, RequestError>,
    timeout: number
  ): Effect.Effect<Verdict> =>
    Effect.gen(function*() {
      const startedAt = yield* Clock.currentTimeMillis
      const verdict = yield* guarded(send, timeout).pipe(
        Effect.map((result): Verdict =>
          name === "tool" && isToolError(result)
            ? failure("tool_error", `tool ${tool} answered with isError${textOf(result)}`)
            : { _tag: "Success" }
        ),
        Effect.catchAll((error) => Effect.succeed(verdictOf(error, name, tool)))
      )
      if (!host.isCurrent()) return yield* Effect.interrupt
      const now = yield* Clock.currentTimeMillis
      if (name !== "options" && isSignOfLife(verdict)) {
        vitals.answeredAt = now
        vitals.requestFailures = 0
        vitals.discoveryFailures = 0
      }
      yield* host.onBeat(name === "tool" ? method : name, verdict, now - startedAt)
      return verdict
    })

  const ping = (timeout: number) => beat("ping", () => connection.request("ping", undefined, { timeout }), timeout)

  const round: Effect.Effect<Verdict> = Effect.gen(function*() {
    if (method === "options") {
      return yield* beat("options", () => connection.heartbeat?.(options) ?? Effect.void, options.timeout)
    }
    /** A ping and its fallback share the time of one heartbeat: K6 and K11 count on it. */
    let left: number = options.timeout
    let verdict: Verdict | undefined
    if (rung.pingSupported || tool === undefined) {
      const startedAt = yield* Clock.currentTimeMillis
      verdict = yield* ping(tool !== undefined && rung.pingFailures + 1 >= options.fallbackAfter ? left / 2 : left)
      left -= (yield* Clock.currentTimeMillis) - startedAt
      if (verdict._tag === "Success") {
        rung.pingFailures = 0
        return verdict
      }
      rung.pingFailures++
      if (verdict.reason === "unsupported") rung.pingSupported = false
      if (verdict.reason === "rate_limited") return verdict
    }
    if (tool === undefined || (rung.pingSupported && rung.pingFailures < options.fallbackAfter)) return verdict!
    if (!rung.fallbackTaken) {
      rung.fallbackTaken = true
      yield* host.onFallback(tool)
    }
    const timeout = Math.max(1, left)
    return yield* beat(
      "tool",
      () => connection.request("tools/call", { name: tool, arguments: { ...options.toolArguments } }, { timeout }),
      timeout
    )
  })

  const judge = (verdict: Verdict): Effect.Effect<void> =>
    Effect.gen(function*() {
      if (verdict._tag === "Success") {
        failing = 0
        memory.lostInARow = 0
        if (memory.open === undefined) return
        memory.open = undefined
        return yield* host.onClose
      }
      if (memory.open !== undefined) return yield* open(verdict)
      if (verdict.reason === "rate_limited") {
        failing = 0
        if (intervalOf(policy, { ...memory, doublings: memory.doublings + 1 }) > intervalOf(policy, memory)) {
          memory.doublings++
        }
        return
      }
      if (failing === 0) failingSince = roundAt
      failing++
      if (failing < options.failureThreshold) return
      if (vitals.answeredAt >= failingSince || memory.lostInARow >= 2) return yield* open(verdict)
      memory.lostInARow++
      host.onLost({
        kind: "keepalive",
        message: `${failing} heartbeats in a row without an answer: ${verdict.message}`
      })
    })

  const open = (verdict: Extract<Verdict, { readonly _tag: "Failure" }>) =>
    Effect.gen(function*() {
      const part = yield* Random.nextRange(0.75, 1)
      const reprobeAt = (yield* Clock.currentTimeMillis) + Math.ceil(part * options.reprobeAfter)
      const again = memory.open !== undefined
      memory.open = { reason: verdict.reason, message: verdict.message, reprobeAt }
      failing = 0
      yield* host.onOpen(memory.open, again)
    })

  /** Time until the next round, from the last answer rather than from now, so that the gap never exceeds the interval (K6). */
  const delay = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    baseline = vitals.answeredAt
    if (memory.open !== undefined) return Duration.millis(Math.max(0, memory.open.reprobeAt - now))
    if (failing > 0) return Duration.millis(options.suspectInterval)
    const part = yield* first ? Effect.map(Random.next, (draw) => 1 - draw) : Random.nextRange(0.75, 1)
    const from = method === "options" ? now : baseline
    return Duration.millis(Math.max(0, from + Math.ceil(part * intervalOf(policy, memory)) - now))
  })

  /**
   * Skips a round where a request of ours was answered since it was planned (K7). That the lists are read on connecting is no
   * reason to skip the first: it would undo the spread of backends that connect together (K6).
   */
  const step = Effect.suspend(() => {
    const used = first ? Math.min(vitals.usedAt, vitals.answeredAt) : vitals.answeredAt
    first = false
    return memory.open === undefined && failing === 0 && method !== "options" && used > baseline
      ? Effect.void
      : Effect.flatMap(Clock.currentTimeMillis, (now) => {
        roundAt = now
        return Effect.flatMap(round, (verdict) => {
          host.onRound(isSignOfLife(verdict))
          return judge(verdict)
        })
      })
  })

  return Effect.schedule(step, Schedule.modifyDelayEffect(Schedule.forever, () => delay)).pipe(Effect.asVoid)
}

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
  const method = policy.keepalive.method ?? "ping"
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
      return failure("connection", error.message)
  }
}

/** Whether the server answered, whatever it said: also when it objects to the rate (K19). */
const isSignOfLife = (verdict: Verdict): boolean =>
  verdict._tag === "Success" ||
  verdict.reason === "unsupported" || verdict.reason === "tool_error" || verdict.reason === "protocol" ||
  verdict.reason === "rate_limited"
