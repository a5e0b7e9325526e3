/**
 * Where the names lead that one client knows: to a server that all share, or to one of its own. What is shared has its names first.
 */
import { type Backend, Fleet, type RemoteError } from "@mcp-lifeline/core"
import { Array as Arr, Effect, Predicate, Stream } from "effect"
import type { Group } from "../Group.js"
import type { OwnServers } from "./OwnServers.js"
import { Unreached } from "./Unreached.js"

/** A server's entry, and the group of servers in which it is. */
export interface Place {
  readonly group: Group
  readonly route: Fleet.Route
}

/** Waits for a server as a call does, until it has given its lists. */
const listed = (backend: Backend.Backend): Effect.Effect<void, Unreached> =>
  Effect.raceFirst(
    // The lists may be read already, for somebody else.
    Stream.runHead(Stream.filter(backend.catalog.changes, Predicate.isNotUndefined)),
    Effect.mapError(backend.refresh, (error) => new Unreached({ backend, error }))
  )

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
  route(kind: Fleet.Routed, name: string): Effect.Effect<Place, RemoteError | Unreached> {
    return Effect.gen(this, function*() {
      const now = this.find(kind, name)
      if (now !== undefined) return now
      const { fleet } = this.#shared
      const settled = this.#own.need() ?? Effect.void
      yield* this.#own.opened
      const unlisted = kind === "resources" ? [] : yield* this.#unlisted(name)
      const asked = yield* unlisted.length === 0
        ? Effect.as(Effect.zip(fleet.ready, settled, { concurrent: true }), [])
        : Effect.forEach(unlisted, (backend) => Effect.either(listed(backend)), { concurrency: "unbounded" })
      const then = this.find(kind, name)
      if (then !== undefined) return then
      const [unreached] = Arr.getLefts(asked)
      return unreached === undefined
        ? { group: this.#shared, route: yield* fleet.route(kind, name) }
        : yield* unreached
    })
  }

  /** The servers whose tool or prompt a name may be, and whose lists are not there. */
  #unlisted(name: string): Effect.Effect<ReadonlyArray<Backend.Backend>> {
    const groups = [this.#shared, ...(this.#own.group === undefined ? [] : [this.#own.group])]
    return Effect.flatMap(
      Effect.forEach(groups, ({ fleet }) => fleet.backends),
      (backends) =>
        Effect.filter(
          backends.flat().filter(({ id }) => Fleet.mayName(id, name)),
          ({ catalog }) => Effect.map(catalog, Predicate.isUndefined)
        )
    )
  }
}
