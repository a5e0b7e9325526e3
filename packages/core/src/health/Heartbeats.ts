/** Rounds on each connection: a ping and, where due, the fallback tool. One success is enough. */
import { Cause, Effect, Fiber, Random, type Schedule } from "effect"
import type { RequestError } from "../Errors.js"
import { jittered } from "../internal/backoff.js"
import * as SafeLog from "../internal/SafeLog.js"
import { formatMillis } from "../internal/Time.js"
import type { Found } from "../options/BackendOptions.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as Beat from "../state/Beat.js"
import { methodOf, offReason, whyOf } from "../state/Keepalive.js"
import { kept } from "../state/Slot.js"
import { guarded, type Liveness, record, send } from "./Liveness.js"
import * as Metrics from "./Metrics.js"
import * as Probes from "./Probes.js"
import { intervalOf } from "./schedule.js"
import { settle } from "./SessionCheck.js"

const begin = {
  isFirst: true,
  /** The last answer, when the round was planned. */
  plannedAfter: 0,
  at: 0,
  /** Before the round, or at the end of the last one that failed. */
  answers: 0,
  failures: 0,
  retryIn: 0,
  hasPinged: false,
  isPingSupported: true,
  pingFailures: 0,
  isToolUsed: false
}

type Plan = Schedule.Schedule<unknown, Found>

interface Heartbeats {
  readonly backend: BackendState
  readonly liveness: Liveness
  readonly plan: Plan
  readonly runtime: Runtime
  progress: Readonly<typeof begin>
  fiber: Fiber.RuntimeFiber<unknown> | undefined
  meter: Metrics.Meter | undefined
}

/** On each connection, begun and paused. */
export interface Keepalive {
  readonly liveness: Liveness
  readonly plan: Plan
  heartbeats: Heartbeats | undefined
  hasWarned: boolean
}

export const make = (liveness: Liveness, plan: Plan): Keepalive => ({
  liveness,
  plan,
  heartbeats: undefined,
  hasWarned: false
})

/** With the ping, whatever the last runtime needed. (K3) */
export const attach = (self: Keepalive, runtime: Runtime): Effect.Effect<void> => {
  const { liveness, plan } = self
  const { backend } = liveness
  const { id, policy, published } = backend
  const off = offReason(policy, runtime.connection)
  if (off !== undefined) {
    self.heartbeats = undefined
    return SafeLog.info(`${id}: keepalive is off: ${off}`)
  }
  self.heartbeats = { backend, liveness, plan, runtime, progress: begin, fiber: undefined, meter: undefined }
  const begun = published.value.keepalive.paused ? Effect.void : start(self.heartbeats)
  if (self.hasWarned || methodOf(policy) !== "options" || !runtime.connection.stateful) return begun
  self.hasWarned = true
  const warning =
    `${id}: keepalive.method "options" shows that the server is reachable, not that it still knows the session; use "ping" or "tool:<name>" for a server with sessions`
  return Effect.zipRight(SafeLog.warning(warning), begun)
}

export const pause = (self: Keepalive): Effect.Effect<void> =>
  Effect.suspend(() => {
    setPaused(self, true)
    return self.heartbeats?.fiber === undefined ? Effect.void : Fiber.interruptFork(self.heartbeats.fiber)
  })

export const resume = (self: Keepalive): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { current, keepalive } = self.liveness.backend.published.value
    if (!keepalive.paused) return Effect.void
    setPaused(self, false)
    const { heartbeats } = self
    return heartbeats === undefined || heartbeats.runtime !== current ? Effect.void : start(heartbeats)
  })

const setPaused = ({ liveness: { backend } }: Keepalive, paused: boolean): void =>
  backend.update((slot) => slot.keepalive.paused === paused ? slot : kept(slot, { paused }))

/** When those before a pause have ended. (K8) */
const start = (self: Heartbeats): Effect.Effect<void> =>
  Effect.suspend(() => {
    const last = self.fiber
    const next = last === undefined ? run(self) : Effect.zipRight(Effect.uninterruptible(Fiber.await(last)), run(self))
    return Effect.map(self.runtime.fork(next), (fiber) => {
      self.fiber = fiber
    })
  })

const run = (self: Heartbeats): Effect.Effect<unknown> =>
  Effect.flatMap(Metrics.meter(self.backend.id), (meter) => {
    self.meter = meter
    note(self, { isFirst: true, failures: 0 })
    const next = Effect.map(round(self), () => found(self))
    return Effect.scheduleFrom(next, found(self), self.plan)
  })

const note = (self: Heartbeats, news: Partial<Heartbeats["progress"]>): void => {
  self.progress = { ...self.progress, ...news }
}

const stateOf = ({ backend }: Heartbeats) => backend.published.value.keepalive

/** Compared in the step that sends, and before a result counts. (K9) */
const isCurrent = (self: Heartbeats): boolean => !stateOf(self).paused && self.backend.isCurrent(self.runtime)

const found = (self: Heartbeats): Found => {
  const { backend, progress: { failures, retryIn }, runtime } = self
  const { breaker, doublings } = stateOf(self)
  note(self, { plannedAfter: runtime.traffic.answeredAt })
  return {
    answeredAt: methodOf(backend.policy) === "options" ? backend.now() : runtime.traffic.answeredAt,
    interval: intervalOf(backend.policy, doublings),
    failures,
    retryIn,
    reprobeAt: breaker?.reprobeAt
  }
}

/**
 * Skipped after an answer (K7), except after a loss to keepalive: only a heartbeat tells a hanging
 * server from one that ignores them. (K13)
 */
const round = (self: Heartbeats): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { backend, liveness, progress: { failures, isFirst, plannedAfter }, runtime } = self
    const { breaker, lostInARow } = stateOf(self)
    // The reading of lists must not skip the first: that would undo the spread. (K6)
    const usedAt = isFirst ? Math.min(runtime.traffic.usedAt, runtime.traffic.answeredAt) : runtime.traffic.answeredAt
    note(self, { isFirst: false })
    if (Probes.isSuspected(liveness, runtime)) return runtime.until(() => !Probes.isSuspected(liveness, runtime))
    const skip = breaker === undefined && failures === 0 && methodOf(backend.policy) !== "options" &&
      lostInARow === 0 && usedAt > plannedAfter
    if (skip) return Effect.void
    if (failures === 0) note(self, { answers: runtime.traffic.answers })
    note(self, { at: backend.now() })
    return Effect.catchAllCause(Effect.flatMap(beat(self), (beat) => conclude(self, beat)), (cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
      fail(self, { reason: "fault", message: "it failed" })
      return SafeLog.error(`${backend.id}: a heartbeat failed unexpectedly; keepalive goes on`, cause)
    })
  })

const beat = (self: Heartbeats): Effect.Effect<Beat.Beat> => {
  const { backend: { policy }, runtime } = self
  const { fallbackAfter, timeout } = policy.keepalive
  const method = methodOf(policy)
  if (method === "options") {
    const send = () => runtime.connection.heartbeat?.(policy.keepalive) ?? Effect.void
    return heard(self, "options", guarded(() => isCurrent(self), timeout, send))
  }
  const tool = method.startsWith("tool:") ? method.slice("tool:".length) : undefined
  if (tool === undefined) {
    const pinged = ping(self, timeout)
    return self.progress.failures === 0
      ? pinged
      : Effect.zipLeft(pinged, Probes.besidePing(self.liveness, runtime), { concurrent: true })
  }
  if (!self.progress.isPingSupported) return callTool(self, tool, timeout)
  // They share the time of one heartbeat: K6 and K11 count on it.
  const isLast = self.progress.pingFailures + 1 >= fallbackAfter
  return Effect.flatMap(ping(self, isLast ? timeout / 2 : timeout), (beat) => {
    if (beat._tag === "Success") {
      note(self, { pingFailures: 0 })
      return Effect.succeed(beat)
    }
    const pingFailures = self.progress.pingFailures + 1
    const isPingSupported = self.progress.isPingSupported && beat.reason !== "unsupported"
    note(self, { pingFailures, isPingSupported })
    if (beat.reason === "rate_limited" || (isPingSupported && pingFailures < fallbackAfter)) return Effect.succeed(beat)
    return callTool(self, tool, Math.max(1, timeout - (self.backend.now() - self.progress.at)))
  })
}

const ping = (self: Heartbeats, timeout: number): Effect.Effect<Beat.Beat> =>
  heard(self, "ping", send(self.liveness, self.runtime, "ping", undefined, timeout, () => isCurrent(self)))

const callTool = (self: Heartbeats, tool: string, timeout: number): Effect.Effect<Beat.Beat> => {
  const { id, policy } = self.backend
  const params = { name: tool, arguments: { ...policy.keepalive.toolArguments } }
  const asked = send(self.liveness, self.runtime, "tools/call", params, timeout, () => isCurrent(self))
  const ofError = (error: RequestError) => Beat.ofToolError(tool, error)
  const beat = heard(self, methodOf(policy), asked, ofError, (result) => Beat.ofToolResult(tool, result))
  if (self.progress.isToolUsed) return beat
  note(self, { isToolUsed: true })
  return Effect.zipRight(SafeLog.info(`${id}: keepalive falls back to the tool ${tool}`), beat)
}

const heard = <A>(
  self: Heartbeats,
  sent: string,
  asked: Effect.Effect<A, RequestError>,
  ofError: (error: RequestError) => Beat.Beat = Beat.ofError,
  ofResult: (result: A) => Beat.Beat = () => Beat.success
): Effect.Effect<Beat.Beat> =>
  Effect.suspend(() => {
    const { backend, liveness, runtime } = self
    const startedAt = backend.now()
    const counted = (beat: Beat.Beat) => {
      if (!isCurrent(self)) return Effect.interrupt
      const millis = backend.now() - startedAt
      backend.telemetry?.beat(sent, beat._tag === "Success" ? undefined : beat.reason, millis)
      self.meter?.beat(sent, beat, millis)
      return Effect.succeed(beat)
    }
    return Effect.matchEffect(asked, {
      onFailure: (error) => {
        const worked = sent === "ping" && self.progress.hasPinged && error.reason === "remote"
        const isDoubtful = sent !== "options" && (error.ifSessionLost !== undefined || worked)
        const settled = isDoubtful ? settle(liveness, runtime, error) : Effect.succeed("unknown")
        return Effect.flatMap(settled, (found) => found === "lost" ? Effect.interrupt : counted(ofError(error)))
      },
      onSuccess: (result) => {
        if (sent === "ping" && !self.progress.hasPinged) note(self, { hasPinged: true })
        return counted(ofResult(result))
      }
    })
  })

const conclude = (self: Heartbeats, beat: Beat.Beat): Effect.Effect<void> => {
  const { backend, liveness, runtime } = self
  const { id, policy } = backend
  const { breaker, doublings, lostInARow } = stateOf(self)
  record(liveness, Beat.isSignOfLife(beat))
  if (beat._tag === "Success") {
    note(self, { failures: 0 })
    if (breaker === undefined && lostInARow === 0) return Effect.void
    backend.update((slot) => kept(slot, { lostInARow: 0, breaker: undefined }))
    return breaker === undefined ? Effect.void : SafeLog.info(`${id}: keepalive works again`)
  }
  if (breaker !== undefined) return open(self, beat)
  if (beat.reason === "rate_limited") {
    note(self, { failures: 0 })
    const isLonger = intervalOf(policy, doublings + 1) > intervalOf(policy, doublings)
    if (isLonger) backend.update((slot) => kept(slot, { doublings: doublings + 1 }))
    return Effect.void
  }
  const isAnswering = runtime.traffic.answers !== self.progress.answers
  const failed = fail(self, beat)
  // Calls are answered, or reconnecting cured nothing. (K12, K13)
  if (isAnswering || lostInARow >= 2) {
    return self.progress.failures < policy.keepalive.failureThreshold ? Effect.void : open(self, beat)
  }
  const isLost = Probes.heartbeatFailed(liveness, failed)
  if (isLost) backend.update((slot) => kept(slot, { lostInARow: lostInARow + 1 }))
  return Effect.void
}

const fail = (self: Heartbeats, error: Probes.Failed["error"]): Probes.Failed => {
  const { liveness, progress: { at, failures }, runtime } = self
  const failed = { runtime, error, at }
  note(self, { answers: runtime.traffic.answers, failures: failures + 1, retryIn: Probes.nextAfter(liveness, failed) })
  return failed
}

const open = (self: Heartbeats, { message, reason }: Beat.Failure): Effect.Effect<void> => {
  const { backend, meter } = self
  const { id, policy, telemetry } = backend
  return Effect.flatMap(Random.next, (draw) => {
    const now = backend.now()
    const breaker = { reason, message, reprobeAt: now + jittered(policy.keepalive.reprobeAfter, 0.75, draw) }
    const isAgain = stateOf(self).breaker !== undefined
    backend.update((slot) => kept(slot, { breaker }))
    note(self, { failures: 0 })
    const why = whyOf(breaker)
    const wait = formatMillis(breaker.reprobeAt - now)
    if (isAgain) return SafeLog.debug(`${id}: keepalive stays disabled (${why}); probed again in ${wait}`)
    telemetry?.breakerOpened(methodOf(policy), reason)
    meter?.disabled(methodOf(policy), reason)
    return SafeLog.warning(`${id}: keepalive is disabled (${why}); the session goes on; probed again in ${wait}`)
  })
}
