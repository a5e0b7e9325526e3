/**
 * Gives back what nobody here wants, for which other replicas would wait until the lease ends: an unanswered claim came late, or an
 * unanswered release not at all.
 */
import { Effect, FiberMap, type Scope } from "effect"
import type { Claims } from "./ClusterStore.js"
import type { Membership } from "./Membership.js"

export interface Options {
  readonly store: Pick<Claims, "find" | "release">
  readonly membership: Pick<Membership, "held">
  /** It then runs only with generations that it took itself. */
  readonly isWanted: (server: string) => boolean
}

/** For the same server, in milliseconds. */
const pause = 2000

/** Call the result with each server that another replica looks for here in vain. */
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
