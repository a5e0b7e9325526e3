/** Resumes the cut response stream of one request. */
import { RequestError } from "@mcp-lifeline/core"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Random } from "effect"
import type { End, Position } from "./EventStream.js"
import { describe } from "./FailureText.js"
import type { HttpFailure, StatusFailure } from "./HttpFailure.js"
import { AnswerFailure, namesLostSession } from "./HttpFailure.js"
import { toRequestError } from "./Outcome.js"
import type { Post } from "./Posts.js"
import * as ServerStream from "./ServerStream.js"

export interface Exchange extends Position, Post {
  readonly id: RequestId
  answered: boolean
}

/** Consecutive failures. */
const maxResumes = 5

/** After an empty stream, in milliseconds. */
const minPoll = 500

/** After a stream that was not empty, in milliseconds; up to twice as long. */
const soon = 50

/** Until the request is answered, or resuming is refused. */
export const resume = (exchange: Exchange, cut: End, options: {
  readonly open: (maxSilence: number) => Effect.Effect<End, HttpFailure>
  /** For people. */
  readonly target: string
  /** Asked if the answer says so. Default: true. */
  readonly isForgotten?: Effect.Effect<boolean>
  readonly onLost: (failure: StatusFailure) => void
  /** Nobody listens any more. */
  readonly onGone: (failure: HttpFailure) => void
}): Effect.Effect<void, RequestError> =>
  Effect.gen(function*() {
    const { isForgotten = Effect.succeed(true), target } = options
    const failed = (reason: RequestError["reason"], message: string, cause: unknown) =>
      new RequestError({ fate: "unknown", reason, message, cause })
    let attempt = 0
    /** Empty streams are no failure: a server may let clients poll for a slow answer. */
    let empty = false
    let cause = cut.cause
    while (!exchange.answered) {
      if (attempt > maxResumes) {
        return yield* failed("network", `${target}: the response stream was cut and cannot be resumed`, cause)
      }
      const asked = exchange.retry === undefined
        ? empty ? 1000 : soon * (1 + (yield* Random.next))
        : Math.max(Math.min(exchange.retry, 60_000), empty ? minPoll : 0)
      yield* Effect.sleep(attempt === 0 ? asked : ServerStream.delay(attempt - 1, exchange.retry, yield* Random.next))
      if (exchange.answered) return
      const before = exchange.lastEventId
      const outcome = yield* Effect.either(options.open(ServerStream.minSilence))
      if (outcome._tag === "Right") {
        cause = outcome.right.cause
        if (cause instanceof AnswerFailure) return yield* toRequestError(cause, target)
        empty = exchange.lastEventId === before
        attempt = 0
        continue
      }
      const failure = outcome.left
      const message = `${target}: the response stream was cut, and resuming it failed: ${describe(failure)}`
      if (failure._tag !== "NetworkFailure" && !(failure._tag === "StatusFailure" && ServerStream.isTaken(failure))) {
        if (failure._tag === "StatusFailure" && namesLostSession(failure) && (yield* isForgotten)) {
          options.onLost(failure)
          return yield* failed("session", message, failure)
        }
        return yield* failed("network", message, failure)
      }
      if (failure._tag === "NetworkFailure" && failure.kind === "refused") {
        options.onGone(failure)
        // The session may go on; if it is given up, this fails with the others.
        return yield* Effect.never
      }
      cause = failure
      attempt += 1
    }
  })
