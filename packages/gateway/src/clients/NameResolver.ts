/** Which server has a name, as one client sees it. */
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

/** Of MCP, for an unknown name. */
const codes = { tools: -32_602, prompts: -32_602, resources: -32_002 } as const

const mayUse = (access: Access, kind: Fleet.Routed, { backend, original }: Fleet.Route): boolean =>
  kind === "tools" ? access.hasTool(backend.id, original) : access.hasServer(backend.id)

/** What the client may not use is unknown to it. `access`: of the sender of a request; by default of the client now. */
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
    let found: ResolvedName | undefined
    for (const fleet of fleets) {
      const route = Routing.viewOf(fleet.fleet, access).find(kind, name)
      if (route === undefined || !mayUse(access, kind, route)) continue
      found ??= { fleet, route, key: name }
      if (fleets.length === 1 || fleet.listed().visibleTo(access).catalog[kind].has(name)) {
        return { fleet, route, key: name }
      }
    }
    if (found !== undefined) return found
    return fleets.length === 1 || kind === "resources" ? undefined : this.#findDisplaced(kind, name, access)
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
        const route = other === name ? Routing.viewOf(fleet.fleet, access).find(kind, key) : undefined
        if (route !== undefined) return { fleet, route, key }
      }
    }
    return undefined
  }

  /** Waits for servers that may have the name and have not given their lists yet. */
  resolve(kind: Fleet.Routed, name: string, accessNow = this.#access): Effect.Effect<ResolvedName, CallError> {
    return Effect.gen(this, function*() {
      const now = this.find(kind, name, accessNow())
      if (now !== undefined) return now
      this.#servers.need()
      yield* this.#servers.made
      const access = accessNow()
      const { fleets } = this.#servers
      const all = yield* Effect.forEach(fleets, ({ fleet }) => fleet.backends)
      const backends = all.map((some) => some.filter(({ id }) => access.hasServer(id)))
      const candidates = fleets.filter(({ fleet }, i) =>
        backends[i]?.some(({ id }) => Routing.maySay(kind, id, name, Routing.prefixOf(fleet, id)))
      )
      const routes = yield* Effect.forEach(
        candidates.length > 0 ? candidates : fleets,
        (fleet) =>
          Effect.either(
            Effect.map(
              Routing.viewOf(fleet.fleet, access).route(kind, name),
              (route): ResolvedName => ({ fleet, route, key: name })
            )
          ),
        { concurrency: "unbounded" }
      )
      const first = this.find(kind, name, accessNow())
        ?? Arr.getRights(routes).find(({ route }) => mayUse(access, kind, route))
      if (first !== undefined) return first
      const failure = Arr.getLefts(routes).find((error) => !Fleet.isUnknown(error) && access.hasServer(error.backend))
      if (failure !== undefined) return yield* failure
      if (this.#servers.refusal !== undefined) return yield* this.#servers.refusal
      const lists = yield* Effect.forEach(fleets, ({ lists }) => lists)
      const { backend, message } = Unknown.entry(kind, name, {
        backends: backends.flat().map(({ id }) => id),
        prefixOf: (id) => {
          const i = backends.findIndex((all) => all.some((one) => one.id === id))
          return Routing.prefixOf(fleets[Math.max(0, i)]!.fleet, id)
        },
        catalogs: lists.map((one) => one.visibleTo(access).catalog)
      })
      const method = kind === "tools" ? "tools/call" : kind === "prompts" ? "prompts/get" : "resources/read"
      return yield* new RemoteError({ backend, method, code: codes[kind], data: { name }, message })
    })
  }
}
