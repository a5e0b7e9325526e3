/**
 * The stream from the server to us (GET), kept for the life of the session (T4).
 */
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
/** However long the server asks us to wait. */
const maxAsked = 600_000
/** A stream that lived this long, in milliseconds, was a good one: what follows is not its fault. */
const stableAfter = 10_000
/**
 * A resumed stream on which so many milliseconds bring nothing, or nothing but what the server had kept, is opened again: some
 * servers send nothing else on it. Doubles while it brings nothing, up to `maxSilence`.
 */
export const minSilence = 5000
const maxSilence = 300_000
/** So many refused connections in a row, a second apart, mean that the server is gone, not only its stream. */
const maxRefused = 3

/** Milliseconds until the next try: doubles with each that brought nothing, within what the server asked for. `random` in [0, 1) adds up to a fifth. */
export const delay = (attempt: number, asked: number | undefined, random: number): number => {
  const base = Math.min(Math.max(minDelay, asked ?? 0), maxAsked)
  return Math.min(base * 2 ** Math.min(attempt, 20), Math.max(maxDelay, base)) * (1 + random / 5)
}

/** So many refusals in a row mean that the server does not know the place. */
const maxPlaceRefusals = 2

/** What a failure to open the stream means. */
export type Verdict = "none" | "session" | "again"

/** Statuses that pass by themselves. */
const passing = new Set([401, 403, 407, 408, 425, 429])

/** The server has not yet seen that the last stream is gone. */
export const isTaken = ({ status }: StatusFailure): boolean => status === 409

/** Whether it may be the place that the server refuses, and not a router. */
const mayRefusePlace = (failure: HttpFailure): boolean =>
  failure._tag === "StatusFailure" && !passing.has(failure.status) && failure.status <= 500

/** What to do after a failure to open the stream, at a place or from its beginning. */
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

/**
 * Opens the stream and opens it again whenever it ends, for ever; ends when the server offers none, or with the loss of the
 * connection where that is what the answer says.
 */
export const keep = (options: {
  /** Opens the stream at the position, runs `opened` and reads it to its end. */
  readonly open: (
    position: Position,
    maxSilence: number | undefined,
    opened: Effect.Effect<unknown>
  ) => Effect.Effect<End, HttpFailure>
  /** Called when the stream is not open, and when it is again. */
  readonly onHearing?: ((hears: boolean) => void) | undefined
  /** Whether the server has forgotten the session, where it refuses the stream with a status that means so. Default: it has. */
  readonly isForgotten?: Effect.Effect<boolean>
  /** The server has offered it to this session before. Default false. */
  readonly isOffered?: boolean | undefined
  /** The address for people. */
  readonly target: string
  /** Where it stands: it is opened there, and opened again where it was cut. */
  readonly position: Position
}): Effect.Effect<Loss | undefined> =>
  Effect.gen(function*() {
    const { isForgotten = Effect.succeed(true), position } = options
    const hearing = new StreamHearing(options.onHearing ?? constVoid)
    let attempt = 0
    let refused = 0
    let placeRefusals = 0
    let silence = minSilence
    /** It has been open once, so the server offers it, whatever is said meanwhile by something in between. */
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
        // Where events have ids, the server sends again what a cut stream has not brought.
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
