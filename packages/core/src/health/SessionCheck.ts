/**
 * Settles by a list, then by a new session, whether a refusal means a forgotten session. (R12)
 * If the server refuses its lists to every session, that is no evidence until it gives one.
 */
import { Deferred, Effect, FiberId } from "effect"
import type { RequestError } from "../Errors.js"
import { firstOf } from "../internal/races.js"
import type { Loss } from "../port/Loss.js"
import type { Method } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import { type DoubtedSession, pendingCommand } from "../state/Message.js"
import { listOf, type Liveness, send, type SessionCheck } from "./Liveness.js"

export type Outcome = "lost" | "alive" | "unknown"

export const settle = (self: Liveness, runtime: Runtime, refusal: RequestError): Effect.Effect<Outcome> =>
  Effect.suspend(() => {
    if (self.sessionCheck?.runtime === runtime) {
      self.refusals = [...self.refusals, refusal]
      return outcomeOf(self, self.sessionCheck)
    }
    if (!self.backend.isCurrent(runtime)) return Effect.succeed("unknown")
    const asked: SessionCheck["asked"] = Deferred.unsafeMake(FiberId.none)
    const check = self.sessionCheck = { runtime, asked, replaced: pendingCommand("Reconnect") }
    self.refusals = [refusal]
    const asking = Effect.map(ask(self, runtime), (answer) => {
      if (answer === "refused") replace(self, check, refusal) // guard: doubt-asks-first
      Deferred.unsafeDone(asked, Effect.succeed(answer))
    })
    const settled = Effect.ensuring(asking, Deferred.succeed(asked, "neither"))
    return Effect.zipRight(runtime.fork(settled), outcomeOf(self, check))
  })

/** `refused` only where that is evidence. */
const ask = (self: Liveness, runtime: Runtime): Effect.Effect<"given" | "refused" | "neither"> =>
  Effect.match(list(self, runtime), {
    onSuccess: () => "given" as const,
    onFailure: ({ code, ifSessionLost, reason }) => {
      const isAlike = (ifSessionLost !== undefined || reason === "remote") &&
        self.refusals.some((one) => one.reason === reason && one.code === code)
      const isRefused = isAlike && self.isEvidence && self.backend.now() >= self.evidenceFrom
      return isRefused ? "refused" as const : "neither" as const
    }
  })

const list = (self: Liveness, runtime: Runtime): Effect.Effect<void, RequestError> =>
  Effect.map(send(self, runtime, listOf(runtime.connection) ?? "ping", undefined), () => {
    self.isEvidence = true
  })

const replace = (self: Liveness, { replaced, runtime }: SessionCheck, { message }: RequestError): void => {
  self.isEvidence = false // guard: one-handshake-for-a-doubt
  const why = `the server refuses requests that it accepted before, as if it had forgotten the session: ${message}`
  const loss: Loss = { kind: "session", message: why }
  const doubt: DoubtedSession = { runtime, askAgain: Effect.void, loss: () => loss, isRefusing: true }
  self.backend.send({ _tag: "Doubted", doubt, pending: replaced })
}

const outcomeOf = (self: Liveness, check: SessionCheck): Effect.Effect<Outcome> =>
  Effect.flatMap(Deferred.await(check.asked), (answer): Effect.Effect<Outcome> => {
    const { replaced, runtime } = check
    if (answer !== "refused") {
      if (self.sessionCheck === check) self.sessionCheck = undefined
      // A connection that was told in clear words has ended itself.
      const isLost = runtime.loss?.kind === "session"
      return Effect.succeed(answer === "given" ? "alive" : isLost ? "lost" : "unknown")
    }
    const answered = Effect.match(Deferred.await(replaced.answer), {
      onSuccess: (): Outcome => "lost",
      onFailure: (): Outcome => {
        if (self.sessionCheck === check) {
          self.sessionCheck = undefined
          self.isEvidence = true
          self.evidenceFrom = self.backend.now() + self.backend.policy.keepalive.suspectInterval
        }
        return "unknown"
      }
    })
    return firstOf(answered, Effect.as(runtime.until(() => runtime.detached), "lost" as const))
  })

/** A new session that gives the list makes refusals evidence again. */
export const attach = (self: Liveness, runtime: Runtime): Effect.Effect<void> =>
  Effect.suspend(() => self.isEvidence ? Effect.void : Effect.asVoid(runtime.fork(Effect.ignore(list(self, runtime)))))

/** During a check they may have been given before the session was forgotten. */
export const given = (self: Liveness, runtime: Runtime, lists: ReadonlyArray<Method>): void => {
  if (self.sessionCheck?.runtime === runtime) return
  if (lists.includes(listOf(runtime.connection) ?? "ping")) self.isEvidence = true // guard: given-list-is-evidence
}
