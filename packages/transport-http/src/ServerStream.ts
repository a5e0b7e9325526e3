/** The stream from the server (GET), kept open as long as the session (T4). */
import type { Loss } from "@mcp-lifeline/core"
import { firstOf } from "@mcp-lifeline/core/internal"
import { Clock, Deferred, Effect, Random } from "effect"
import { constVoid } from "effect/Function"
import type { End, Position } from "./EventStream.js"
import { describe } from "./FailureText.js"
import { namesLostSession } from "./HttpFailure.js"
import type { HttpFailure, StatusFailure } from "./HttpFailure.js"
import { StreamHearing } from "./StreamHearing.js"

const minDelay = 1000
const maxDelay = 30_000
/** In milliseconds, whatever the server asks. */
const maxAsked = 600_000
/** A stream that lived so long, in milliseconds, was good: the delays begin anew. */
const stableAfter = 10_000
/**
 * A resumed stream is reopened after so many milliseconds without new events: some servers send only stored ones on it.
 * Doubles up to `maxSilence` while nothing comes.
 */
export const minSilence = 5000
const maxSilence = 300_000
/** Consecutive refused connections, a second apart: the server is gone, not only its stream. */
const maxRefused = 3

/** Milliseconds to the next try: doubles with each vain one, within what the server asked for. `random` in [0, 1) adds up to a fifth. */
export const delay = (attempt: number, asked: number | undefined, random: number): number => {
  const base = Math.min(Math.max(minDelay, asked ?? 0), maxAsked)
  return Math.min(base * 2 ** Math.min(attempt, 20), Math.max(maxDelay, base)) * (1 + random / 5)
}

/** Consecutive refusals: then the server does not know the place. */
const maxPlaceRefusals = 2

export type Verdict = "none" | "session" | "again"

const passing = new Set([401, 403, 407, 408, 425, 429])

/** The server has not yet seen that the last stream is gone. */
export const isTaken = ({ status }: StatusFailure): boolean => status === 409

/** Not if the answer may be a router's. */
const mayRefusePlace = (failure: HttpFailure): boolean =>
  failure._tag === "StatusFailure" && !passing.has(failure.status) && failure.status <= 500

/** `resuming`: at a place, not from the beginning. */
export const verdict = (failure: HttpFailure, resuming: boolean): Verdict => {
  switch (failure._tag) {
    case "StatusFailure":
      if (namesLostSession(failure)) return "session"
      if (passing.has(failure.status) || isTaken(failure)) return "again"
      if (failure.status === 405 || failure.status === 501) return "none"
      if (failure.status >= 500) return "again"
      return resuming ? "again" : "none"
    case "AnswerFailure":
    case "RedirectFailure":
      return "none"
    default:
      return "again"
  }
}

/** Reopens the stream whenever it ends. Ends if the server offers none, or with the loss of the connection. */
export const keep = (options: {
  /** Runs `opened` once the stream is open, and reads it to its end. */
  readonly open: (
    position: Position,
    maxSilence: number | undefined,
    opened: Effect.Effect<unknown>
  ) => Effect.Effect<End, HttpFailure>
  /** When messages stop arriving, and when they arrive again. */
  readonly onHearing?: ((hears: boolean) => void) | undefined
  /** Asked if a status says so. Default: true. */
  readonly isForgotten?: Effect.Effect<boolean>
  /** Whether this session had it before. Default false. */
  readonly isOffered?: boolean | undefined
  /** For people. */
  readonly target: string
  /** Where it is opened and reopened. */
  readonly position: Position
}): Effect.Effect<Loss | undefined> =>
  Effect.gen(function*() {
    const { isForgotten = Effect.succeed(true), position } = options
    const hearing = new StreamHearing(options.onHearing ?? constVoid)
    let attempt = 0
    let refused = 0
    let placeRefusals = 0
    let silence = minSilence
    /** Once open, it is offered, whatever an intermediary says later. */
    let offered = options.isOffered === true
    while (true) {
      const before = position.lastEventId
      const since = yield* Clock.currentTimeMillis
      const opened = yield* Deferred.make<void>()
      const reading = options.open(
        position,
        before === undefined ? undefined : silence,
        Deferred.succeed(opened, undefined)
      )
      const trusted = attempt === 0 ? 0 : stableAfter
      const outcome = yield* Effect.either(firstOf(reading, hearing.during(Deferred.await(opened), trusted)))
      const now = yield* Clock.currentTimeMillis
      let asked = position.retry
      if (outcome._tag === "Right") {
        refused = placeRefusals = 0
        offered = true
        if (outcome.right.isSilent === true) {
          silence = position.lastEventId === before ? Math.min(silence * 2, maxSilence) : minSilence
          attempt = 0
          continue
        }
        // With ids, the server sends again what a cut stream has not brought.
        if (position.lastEventId === undefined) hearing.ended()
        if (outcome.right.wasOfUse === true) {
          attempt = 0
          yield* Effect.sleep(Math.max(minDelay - (now - since), Math.min(position.retry ?? 0, maxAsked), 0))
          continue
        }
        attempt = now - since >= stableAfter ? 0 : attempt + 1
      } else {
        const failure = outcome.left
        hearing.ended()
        const message = `${options.target}: the stream from the server: ${describe(failure)}`
        const after = failure._tag === "StatusFailure" ? failure.retryAfter : undefined
        switch (verdict(failure, before !== undefined)) {
          case "none":
            if (offered && !(failure._tag === "StatusFailure" && failure.status === 405)) break
            yield* Effect.logDebug(message)
            return undefined
          case "session":
            if (yield* isForgotten) return { kind: "session", message, retryAfter: after, cause: failure }
            if (offered) break
            yield* Effect.logDebug(message)
            return undefined
        }
        if (before !== undefined && mayRefusePlace(failure) && ++placeRefusals >= maxPlaceRefusals) {
          position.lastEventId = undefined
        }
        refused = failure._tag === "NetworkFailure" && failure.kind === "refused" ? refused + 1 : 0
        if (refused === maxRefused) return { kind: "closed", message, cause: failure }
        if (refused === 0) attempt += 1
        asked = Math.max(asked ?? 0, after ?? 0)
      }
      yield* Effect.sleep(delay(Math.max(0, attempt - 1), asked, yield* Random.next))
    }
  })
