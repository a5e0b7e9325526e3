/**
 * Gives back what the store says that this replica has, although nobody here wants it: a claim that was not answered has come late, or a
 * release that was not answered has not come at all. Other replicas would wait until the lease ends.
 */
import { Effect, FiberMap, type Scope } from "effect"
import type { Claims } from "./ClusterStore.js"
import type { Membership } from "./Membership.js"

/** What is needed for that. */
export interface Options {
  readonly store: Pick<Claims, "find" | "release">
  readonly membership: Pick<Membership, "held">
  /** Whether a backend of this replica has the server, or may take it. It then does not run with a generation that it has not taken itself. */
  readonly isWanted: (server: string) => boolean
}

/** How long the same server is not looked at again, in milliseconds. */
const pause = 2000

/** Returns a function to be called with each server that another replica has looked for here without success. */
export const make = (
  { isWanted, membership, store }: Options
): Effect.Effect<(server: string) => void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const run = yield* FiberMap.makeRuntime<never, string>()
    const look = (server: string) =>
      Effect.gen(function*() {
        const { id } = yield* membership.held
        const found = yield* store.find(server)
        if (found?.owner === id && !isWanted(server)) yield* store.release(id, server, found.generation)
      }).pipe(Effect.ignore, Effect.zipRight(Effect.sleep(pause)))
    return (server) => {
      if (!isWanted(server)) run(server, look(server), { onlyIfMissing: true })
    }
  })
