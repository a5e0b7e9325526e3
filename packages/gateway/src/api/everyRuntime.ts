/**
 * Does something to all runtimes of a server, to a few of them at a time: each may start a process.
 */
import type { Backend, CommandError } from "@mcp-lifeline/core"
import { Effect, Fiber } from "effect"

/** How many begin at once; a fleet connects as many. */
const atOnce = 8

/** What takes longer goes on while the next ones begin, so that servers that do not answer do not hold up the others. */
const turn = "2 seconds"

/** What became of it. The runtimes of clients that leave meanwhile do not count. */
export interface Outcome {
  readonly done: number
  readonly failures: ReadonlyArray<CommandError>
}

/** Ends when it is done, or has failed, for each of the runtimes. */
export const everyRuntime = (
  runtimes: ReadonlyArray<Backend.Backend>,
  act: (backend: Backend.Backend) => Effect.Effect<void, CommandError>
): Effect.Effect<Outcome> =>
  Effect.scoped(Effect.gen(function*() {
    const begun = yield* Effect.forEach(runtimes, (backend) =>
      Effect.gen(function*() {
        const outcome = act(backend).pipe(
          Effect.as("done" as const),
          Effect.catchAll((error) =>
            Effect.map(backend.status, ({ state }) => state === "Closed" ? "gone" as const : error)
          )
        )
        const fiber = yield* Effect.forkScoped(outcome)
        yield* Effect.timeoutOption(Fiber.await(fiber), turn)
        return fiber
      }), { concurrency: atOnce })
    const outcomes = yield* Fiber.join(Fiber.all(begun))
    return {
      done: outcomes.filter((outcome) => outcome === "done").length,
      failures: outcomes.filter((outcome) => typeof outcome === "object")
    }
  }))
