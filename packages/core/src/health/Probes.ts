/** After a failed question, probes go on until an answer or a loss; each failure is judged. */
import { Effect, Schedule } from "effect"
import { constant, identity } from "effect/Function"
import type { RequestError } from "../Errors.js"
import { tick } from "../internal/ClockJump.js"
import type { Connector } from "../port/Connector.js"
import type { Loss } from "../port/Loss.js"
import type { Runtime } from "../runtime/Runtime.js"
import * as Liveness from "./Liveness.js"
import * as Machine from "./Machine.js"
import { settle } from "./SessionCheck.js"
import { originOf } from "./together.js"

type Self = Liveness.Liveness

/** The machine's other servers speak for it, and it for them. */
export const join = (self: Self, machine: Machine.Machine, { addresses, target }: Connector) => {
  const { backend } = self
  self.machine = machine
  self.origin = originOf(target) ?? backend.id
  return Machine.join(machine, {
    addresses,
    jumped: () => backend.send({ _tag: "ClockJumped" }),
    seen: () => Liveness.seen(self),
    ask: Effect.suspend(() => {
      const { current } = backend.published.value
      return current === undefined || backend.policy.keepalive.method === "none" ? Effect.void : now(self, current)
    })
  })
}

export interface Failed {
  readonly runtime: Runtime
  readonly error: Pick<RequestError, "message"> & { readonly reason: string }
  readonly at: number
}

/** A ping, or a list if the server ignores pings. Returns `undefined` after any answer. (V4) */
export const ask = (self: Self, runtime: Runtime, hasLeftPing = false): Effect.Effect<RequestError | undefined> =>
  Effect.suspend(() => {
    const list = Liveness.listOf(runtime.connection)
    const { ignoresPings } = self.backend.temperament.known
    const ping = alive(self, runtime, "ping")
    const asked = list === undefined || !(hasLeftPing || ignoresPings)
      ? ping
      : ignoresPings
      ? alive(self, runtime, list)
      : Effect.race(ping, listed(self, runtime, list))
    return Effect.match(asked, { onSuccess: constant(undefined), onFailure: identity })
  })

const alive = (self: Self, runtime: Runtime, method: Liveness.List | "ping"): Effect.Effect<void, RequestError> =>
  Effect.catchIf(
    Effect.asVoid(Liveness.send(self, runtime, method, undefined)),
    Liveness.isSignOfLife,
    (error) =>
      error.ifSessionLost === undefined ? Effect.void : Effect.asVoid(runtime.fork(settle(self, runtime, error)))
  )

const listed = (self: Self, runtime: Runtime, list: Liveness.List): Effect.Effect<void, RequestError> =>
  Effect.map(alive(self, runtime, list), () => self.backend.temperament.ignoredPing())

export const besidePing = (self: Self, runtime: Runtime): Effect.Effect<void> => {
  const look = Liveness.look(self, runtime)
  const asking = Effect.suspend(() => {
    Liveness.asked(self, runtime)
    const list = Liveness.listOf(runtime.connection)
    return list === undefined ? Effect.void : Effect.ignore(listed(self, runtime, list))
  })
  return Effect.asVoid(Effect.zipRight(look, Effect.zipRight(asking, look)))
}

/** Failures do not count. With `keepalive.method: "none"`, asks only while a call waits for a verdict. (G25) */
export const check = (self: Self, runtime: Runtime): Effect.Effect<"alive" | "silent" | "refused"> =>
  Effect.suspend(() => {
    const { backend } = self
    if (backend.policy.keepalive.method === "none" && !runtime.isHeld) return Effect.succeed("refused")
    return Effect.map(ask(self, runtime), (error) => {
      if (error !== undefined) return error.reason === "timeout" ? "silent" : "refused"
      return backend.isCurrent(runtime) ? "alive" : "refused"
    })
  })

const probingOf = ({ probing }: Self, runtime: Runtime): Liveness.Probing | undefined =>
  probing?.runtime === runtime ? probing : undefined

export const isSuspected = (self: Self, runtime: Runtime): boolean =>
  probingOf(self, runtime) !== undefined && Liveness.suspicionOf(self, runtime)?.isProbed === true

export const now = (self: Self, runtime: Runtime): Effect.Effect<RequestError | undefined> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(probe(self, runtime)), (failed) => {
      if (failed === undefined) return Effect.succeed(undefined)
      const { error } = failed
      if (!self.backend.isCurrent(runtime)) return Effect.succeed(error)
      const open = probingOf(self, runtime)
      const probing = open ?? begin(self, runtime)
      weigh(self, probing, failed)
      if (open === undefined) return Effect.as(follow(self, probing, nextAfter(self, failed)), error)
      runtime.wake()
      return Effect.succeed(error)
    })
  )

const probe = (self: Self, runtime: Runtime): Effect.Effect<Failed & { readonly error: RequestError } | undefined> =>
  Effect.suspend(() => {
    const at = self.backend.now()
    Liveness.asked(self, runtime)
    const hasLeftPing = self.hasLeftPing && probingOf(self, runtime) !== undefined
    return Effect.flatMap(
      ask(self, runtime, hasLeftPing),
      (error) =>
        Effect.map(error === undefined ? Effect.void : Liveness.look(self, runtime), () => {
          if (self.backend.isCurrent(runtime)) Liveness.record(self, error === undefined)
          return error && { runtime, error, at }
        })
    )
  })

export const suspect = (self: Self, runtime: Runtime, isSilent = false): Effect.Effect<void> =>
  Effect.uninterruptible(Effect.suspend(() => {
    const { latest } = runtime
    if (!self.backend.isCurrent(latest)) return Effect.void
    if (isSilent) Liveness.note(self, latest, { unanswered: "call" })
    if (probingOf(self, latest) === undefined) return follow(self, begin(self, latest), 0)
    Liveness.note(self, latest, { isProbed: true })
    return Effect.void
  }))

/** One probe decides, unless an answer has. (R11) */
export const afterClockJump = (self: Self, runtime: Runtime): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { backend } = self
    if (backend.policy.keepalive.method === "none") return Effect.void
    if (backend.now() - runtime.traffic.answeredAt < tick) return Effect.void
    return follow(self, begin(self, runtime, runtime.traffic.answers), 0)
  })

const begin = (self: Self, runtime: Runtime, decidesAt?: number): Liveness.Probing => {
  Liveness.note(self, runtime, { isProbed: true })
  self.hasLeftPing = false
  return self.probing = { runtime, decidesAt }
}

const follow = (self: Self, probing: Liveness.Probing, pause: number): Effect.Effect<void> => {
  const { runtime } = probing
  const round = Effect.suspend(() => isOpen(self, probing) ? probeOnce(self, probing) : Effect.succeed(0))
  const next = Schedule.addDelay(Schedule.recurWhile<number>(() => isOpen(self, probing)), identity)
  const rounds = Effect.repeat(round, next)
  const end = Effect.sync(() => {
    if (self.probing !== probing) return
    self.probing = undefined
    if (self.suspicion?.runtime === runtime) self.suspicion = undefined
    runtime.wake()
  })
  return Effect.asVoid(runtime.fork(Effect.ensuring(pause === 0 ? rounds : Effect.delay(rounds, pause), end)))
}

/** Returns the milliseconds to the next. */
const probeOnce = (self: Self, probing: Liveness.Probing): Effect.Effect<number> => {
  const { runtime } = probing
  const asked = Effect.map(probe(self, runtime), (failed) => {
    if (failed === undefined || !self.backend.isCurrent(runtime)) return 0
    weigh(self, probing, failed)
    return nextAfter(self, failed)
  })
  return Effect.ensuring(
    asked,
    Effect.sync(() => {
      isOpen(self, probing) // guard: probe-is-followed
      runtime.wake()
    })
  )
}

/** Ends them in the step that looks, so that the next suspicion begins new ones. */
const isOpen = (self: Self, probing: Liveness.Probing): boolean => {
  if (self.probing !== probing) return false
  if (isSuspected(self, probing.runtime) && self.backend.isCurrent(probing.runtime)) return true
  self.probing = undefined
  return false
}

const weigh = (self: Self, probing: Liveness.Probing, failed: Failed): void => {
  const { decidesAt, runtime } = probing
  const isSilent = failed.error.reason === "timeout"
  // If a call was answered meanwhile, only the probe has no answer.
  Liveness.note(self, runtime, { unanswered: isSilent ? Liveness.silenceOf(self, runtime) ?? "probe" : undefined })
  if (self.probing === probing) {
    Liveness.note(self, runtime, { isProbed: true })
    self.hasLeftPing ||= isSilent
  }
  if (decidesAt !== runtime.traffic.answers) isLost(self, failed, "health", "probes in a row failed")
  else isLost(self, failed, "health", "probe failed after the machine was suspended", true)
}

export const readingFailed = (self: Self, failed: Failed): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!self.backend.isCurrent(failed.runtime)) return Effect.void
    if (!isSuspected(self, failed.runtime)) isLost(self, failed, "health", "questions in a row failed")
    return suspect(self, failed.runtime)
  })

/** A new connection finds out why, or is accepted. (H1) */
export const readingsRefused = (self: Self, runtime: Runtime, count: number, error: RequestError): void => {
  const message = `${count} readings of the lists in a row were refused: ${error.message}`
  Liveness.isLost(self, runtime, { kind: "health", message }, { isRefusing: true })
}

/** True if the connection is lost. (K11) */
export const heartbeatFailed = (self: Self, failed: Failed): boolean =>
  !isSuspected(self, failed.runtime) && isLost(self, failed, "keepalive", "heartbeats in a row without an answer")

/** `decides`: this failure is enough. (H1, V1) */
const isLost = (self: Self, failed: Failed, kind: Loss["kind"], what: string, decides = false): boolean => {
  const { backend } = self
  const { at, error: { message, reason }, runtime } = failed
  const count = runtime.failed(at, backend.now(), mending(self, failed))
  const server = Liveness.seen(self)
  if (self.machine !== undefined && server !== undefined) Machine.askAnother(self.machine, server)
  return Liveness.isLost(self, runtime, { kind, message: `${decides ? "a" : count} ${what}: ${message}` }, {
    isPatienceOver: decides || count >= backend.policy.keepalive.failureThreshold,
    isSilent: reason === "timeout" && !decides,
    askedAt: at
  })
}

export const nextAfter = (self: Self, failed: Failed): number =>
  Math.min(mending(self, failed), self.backend.policy.keepalive.interval)

/** A failure has `suspectInterval` to mend; the time of a timeout is part of it. */
const mending = ({ backend }: Self, { at, error }: Failed): number => {
  const { suspectInterval, timeout } = backend.policy.keepalive
  if (error.reason !== "timeout") return suspectInterval
  // The clock may have been set, or this process suspended.
  const waited = Math.min(timeout, Math.max(0, backend.now() - at))
  return Math.max(0, suspectInterval - waited)
}
