import { Clock, Effect, type Scope } from "effect"
import * as ClusterMetrics from "./ClusterMetrics.js"
import type { PassedCounts } from "./Gateways.js"

const none: PassedCounts = { total: 0, failed: 0, givenUp: 0, inFlight: 0 }

export class OwnedServers {
  readonly #since = new Map<string, number>()
  readonly #passed = new Map<string, PassedCounts>()

  /** In milliseconds since 1970. */
  since(server: string): number | undefined {
    return this.#since.get(server)
  }

  /** Until the scope closes. */
  own(server: string): Effect.Effect<void, never, Scope.Scope> {
    const begin = Effect.map(Clock.currentTimeMillis, (now) => void this.#since.set(server, now))
    return Effect.zipRight(
      ClusterMetrics.owns(server),
      Effect.acquireRelease(begin, () => Effect.sync(() => void this.#since.delete(server)))
    )
  }

  passed(server: string): PassedCounts {
    return this.#passed.get(server) ?? none
  }

  /** Call what it returns when the request is over, with what went wrong, if something did. */
  began(server: string): (error: string | undefined) => void {
    this.#add(server, { ...none, total: 1, inFlight: 1 })
    return (error) => {
      const isGivenUp = error === "cancelled"
      const failed = error === undefined || isGivenUp ? 0 : 1
      this.#add(server, { total: 0, failed, givenUp: isGivenUp ? 1 : 0, inFlight: -1 })
    }
  }

  #add(server: string, more: PassedCounts): void {
    const { failed, givenUp, inFlight, total } = this.passed(server)
    this.#passed.set(server, {
      total: total + more.total,
      failed: failed + more.failed,
      givenUp: givenUp + more.givenUp,
      inFlight: inFlight + more.inFlight
    })
  }
}
