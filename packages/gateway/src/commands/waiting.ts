/**
 * Shows on a terminal what a command is waiting for, and for how long.
 */
import { Clock, Effect, Stream } from "effect"
import type { Output } from "../Output.js"
import { span } from "../serve/Table.js"

/** Runs the work. After a second, a line shows what the command is waiting for and how long it has taken, until the work ends. */
export const waiting = <A, E, R>(output: Output, what: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const began = yield* Clock.currentTimeMillis
    const show = Effect.flatMap(
      Clock.currentTimeMillis,
      (now) => output.frame(`${what}: ${span(now - began)}; Ctrl+C ends it`)
    )
    const display = Stream.runForEach(Stream.drop(Stream.tick("1 second"), 1), () => show)
    return yield* Effect.scoped(Effect.zipRight(Effect.forkScoped(display), work)).pipe(
      Effect.ensuring(output.frame(""))
    )
  })
