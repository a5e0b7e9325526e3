import { Effect, Option } from "effect"
import { RequestError, requestErrorOf } from "../Errors.js"
import { within } from "../internal/races.js"

/** For connectors, which may forget their own timeout, die, or be uninterruptible. The wait can be interrupted. */
export const withDeadline = <A>(
  request: Effect.Effect<A, RequestError>,
  millis: number
): Effect.Effect<A, RequestError> =>
  Effect.flatMap(
    within(request, millis),
    Option.match({
      onNone: () => new RequestError({ fate: "unknown", reason: "timeout", message: `no answer within ${millis} ms` }),
      onSome: (exit) => exit._tag === "Success" ? exit : Effect.fail(requestErrorOf(exit.cause))
    })
  )
