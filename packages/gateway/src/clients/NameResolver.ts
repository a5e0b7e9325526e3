/** Which server has a name, as one client sees it: what it may not use is unknown to it. */
import { type CallError, Fleet, RemoteError } from "@mcp-lifeline/core"
import { Routing, Unknown } from "@mcp-lifeline/core/internal"
import { Array as Arr, Effect, Predicate } from "effect"
import type { Access } from "../access/Access.js"
import type { Known } from "../audit/audited.js"
import type { ClientServers } from "../pool/ClientServers.js"
import type { GroupFleet } from "../pool/GroupFleet.js"

export interface ResolvedName {
  readonly fleet: GroupFleet
  readonly route: Fleet.Route
  /** What the fleet calls it. */
  readonly key: string
}

const find = (fleet: GroupFleet, kind: Fleet.Routed, key: string, access: Access): ResolvedName | undefined => {
  const route = Routing.viewOf(fleet.fleet, access).find(kind, key)
  return route && { fleet, route, key }
}

/** `access`: of the sender of a request; by default of the client now. */
export class NameResolver {
  readonly #servers: ClientServers
  readonly #access: () => Access

  constructor(servers: ClientServers, access: () => Access) {
    this.#servers = servers
    this.#access = access
  }

  /** If it is known now. A fleet that lists the name takes precedence over one that only has a matching template. */
  find(kind: Fleet.Routed, name: string, access = this.#access()): ResolvedName | undefined {
    const { fleets } = this.#servers
    const found = fleets.map((fleet) => find(fleet, kind, name, access)).filter(Predicate.isNotUndefined)
    if (fleets.length === 1) return found[0]
    return found.find(({ fleet }) => fleet.listed().visibleTo(access).catalog[kind].has(name)) ?? found[0]
      ?? (kind === "resources" ? undefined : this.#findDisplaced(kind, name, access))
  }

  /** Whether or not the client may use it. */
  named(kind: Fleet.Routed, name: string): (Known & { readonly original: string }) | undefined {
    const found = this.find(kind, name)?.route
    const route = found ??
      this.#servers.fleets.map(({ fleet }) => Routing.find(fleet, kind, name)).find(Predicate.isNotUndefined)
    return route && { server: route.backend.id, original: route.original, isHidden: found === undefined }
  }

  /** The server whose own name for this another fleet has. */
  #findDisplaced(kind: Fleet.Routed, name: string, access: Access): ResolvedName | undefined {
    const { fleets } = this.#servers
    const lists = fleets.map((fleet) => fleet.listed().visibleTo(access))
    for (const [i, fleet] of fleets.entries()) {
      for (const [key, other] of lists[i]?.displaced(kind, lists.slice(0, i)) ?? []) {
        const found = other === name ? find(fleet, kind, key, access) : undefined
        if (found !== undefined) return found
      }
    }
    return undefined
  }

  /** Waits for servers that may have the name and have not given their lists yet. */
  resolve(kind: Fleet.Routed, name: string, accessNow = this.#access): Effect.Effect<ResolvedName, CallError> {
    const servers = this.#servers
    const find = () => this.find(kind, name, accessNow())
    return Effect.gen(function*() {
      const now = find()
      if (now !== undefined) return now
      servers.need()
      yield* servers.made
      const access = accessNow()
      const views = servers.fleets.map(({ fleet }) => Routing.viewOf(fleet, access))
      const said = views.filter((view) => {
        const { backends, prefixOf } = view.existing()
        return backends.some((id) => Routing.maySay(kind, id, name, prefixOf(id)))
      })
      const asked = said.length > 0 ? said : views
      const routes = yield* Effect.forEach(asked, (view) => Effect.either(view.route(kind, name)), {
        concurrency: "unbounded"
      })
      const then = find()
      if (then !== undefined) return then
      const failure = Arr.getLefts(routes).find((error) => !Fleet.isUnknown(error)) ?? servers.refusal
      if (failure !== undefined) return yield* failure
      const all = views.map((view) => view.existing())
      const { backend, message } = Unknown.entry(kind, name, {
        backends: all.flatMap(({ backends }) => backends),
        prefixOf: (id) => (all.find(({ backends }) => backends.includes(id)) ?? all[0])?.prefixOf(id) ?? "",
        catalogs: all.flatMap(({ catalogs }) => catalogs)
      })
      return yield* new RemoteError({
        backend,
        method: Unknown.methods[kind],
        code: Unknown.codes[kind],
        data: { name },
        message
      })
    })
  }
}
