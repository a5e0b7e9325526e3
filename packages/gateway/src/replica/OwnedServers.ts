import { Clock, Effect, type Scope } from "effect"
import * as ClusterMetrics from "./ClusterMetrics.js"

export class OwnedServers {
  readonly #since = new Map<string, number>()

  since(server: string): number | undefined {
    return this.#since.get(server)
  }

  own(server: string): Effect.Effect<void, never, Scope.Scope> {
    const begin = Effect.map(Clock.currentTimeMillis, (now) => void this.#since.set(server, now))
    return Effect.zipRight(
      ClusterMetrics.owns(server),
      Effect.acquireRelease(begin, () => Effect.sync(() => void this.#since.delete(server)))
    )
  }
}
