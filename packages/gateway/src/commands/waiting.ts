/**
 * Says on a terminal what is waited for, and how long already.
 */
import { Clock, Effect, Stream } from "effect"
import type { Output } from "../Output.js"
import { span } from "../serve/Table.js"

/** Runs the work; after a second a line below says what it is and how long it takes, until it has ended. */
export const waiting = <A, E, R>(output: Output, what: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const began = yield* Clock.currentTimeMillis
    const show = Effect.flatMap(
      Clock.currentTimeMillis,
      (now) => output.frame(`${what}: ${span(now - began)}; Ctrl+C ends it`)
    )
    const shown = Stream.runForEach(Stream.drop(Stream.tick("1 second"), 1), () => show)
    return yield* Effect.scoped(Effect.zipRight(Effect.forkScoped(shown), work)).pipe(
      Effect.ensuring(output.frame(""))
    )
  })
