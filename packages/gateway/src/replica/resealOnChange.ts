/**
 * What follows when the keys by which replicas know each other change: what they share is sealed anew.
 */
import { type ClusterStore, KeyChange, type PostgresStore } from "@mcp-lifeline/cluster"
import { Effect, FiberHandle, Schedule, type Scope } from "effect"
import type { SecretsInUse } from "../http/SecretFile.js"
import { followed } from "./collections.js"

/** How often a change is tried again, as while the database is away. */
const again = "2 seconds"

/** What is needed for that. */
export interface Options {
  readonly store: ClusterStore
  readonly prints: PostgresStore.PostgresStore["keys"]
  readonly keys: SecretsInUse
  /** Gets a line about each change. */
  readonly changed: (line: string) => Effect.Effect<void>
}

const done = (count: number): string =>
  `what the replicas share is sealed with the cluster keys that this one has (sealed anew: ${count}); when each replica says so, older keys can be taken `
  + "away"

/** Completes a change that another run of the gateway has begun, and follows those to come, until the scope closes. */
export const resealOnChange = ({ changed, keys, prints, store }: Options): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    let problem = ""
    const { afterChange, atStart } = KeyChange.make({ store, prints, key: keys.current, followed })
    const untilDone = (work: typeof atStart) =>
      work.pipe(
        Effect.tapError(({ message }) => {
          if (message === problem) return Effect.void
          problem = message
          return Effect.logWarning(
            `what the replicas share is not sealed with the cluster keys yet, and it is tried again: ${message}`
          )
        }),
        Effect.retry(Schedule.spaced(again)),
        Effect.tap((count) => {
          problem = ""
          return count === undefined ? Effect.void : changed(done(count))
        })
      )
    const sealing = yield* FiberHandle.make()
    yield* FiberHandle.run(sealing, untilDone(atStart))
    yield* keys.follow((line) => Effect.zipRight(changed(line), FiberHandle.run(sealing, untilDone(afterChange))))
  })
