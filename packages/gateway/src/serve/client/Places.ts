/**
 * Where the names lead that one client knows: to a server that all share, or to one of its own. What is shared has its names first.
 */
import type { Fleet, RemoteError } from "@mcp-lifeline/core"
import { Effect } from "effect"
import type { Group } from "../Group.js"
import type { OwnServers } from "./OwnServers.js"

/** A server's entry, and the group of servers in which it is. */
export interface Place {
  readonly group: Group
  readonly route: Fleet.Route
}

/** The places of one client. */
export class Places {
  readonly #shared: Group
  readonly #own: OwnServers

  constructor(shared: Group, own: OwnServers) {
    this.#shared = shared
    this.#own = own
  }

  /** Where a name leads, as far as it is known now. */
  find(kind: Fleet.Routed, name: string): Place | undefined {
    const shared = this.#shared
    const own = this.#own.group
    if (own !== undefined && !shared.lists().catalog[kind].has(name)) {
      const route = own.fleet.find(kind, name)
      if (route !== undefined) return { group: own, route }
    }
    const route = shared.fleet.find(kind, name)
    return route && { group: shared, route }
  }

  /** The same, once the servers have been waited for that may have it. */
  route(kind: Fleet.Routed, name: string): Effect.Effect<Place, RemoteError> {
    return Effect.suspend(() => {
      const now = this.find(kind, name)
      if (now !== undefined) return Effect.succeed(now)
      const { fleet } = this.#shared
      const settled = Effect.zip(fleet.ready, this.#own.need() ?? Effect.void, { concurrent: true })
      return Effect.flatMap(settled, () => {
        const then = this.find(kind, name)
        return then === undefined
          ? Effect.map(fleet.route(kind, name), (route): Place => ({ group: this.#shared, route }))
          : Effect.succeed(then)
      })
    })
  }
}
