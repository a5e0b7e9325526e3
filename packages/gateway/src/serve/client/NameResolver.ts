/**
 * Finds the server that has a tool, prompt or resource, among the servers that one client can use.
 */
import { type CallError, Fleet, RemoteError } from "@mcp-lifeline/core"
import { find, maySay, prefixOf, Unknown } from "@mcp-lifeline/core/internal"
import { Array as Arr, Effect } from "effect"
import type { ClientServers } from "../pool/ClientServers.js"
import type { GroupFleet } from "../pool/GroupFleet.js"

/** The server that has a name, and its fleet. */
export interface ResolvedName {
  readonly fleet: GroupFleet
  readonly route: Fleet.Route
  /** What the fleet calls it. */
  readonly key: string
}

/** The error codes of MCP for an unknown name. */
const codes = { tools: -32_602, prompts: -32_602, resources: -32_002 } as const

/** Resolves the names that one client uses. */
export class NameResolver {
  readonly #servers: ClientServers

  constructor(servers: ClientServers) {
    this.#servers = servers
  }

  /** The server of a name, if it is known now. A fleet that lists the name takes precedence over one that only has a matching template. */
  find(kind: Fleet.Routed, name: string): ResolvedName | undefined {
    const { fleets } = this.#servers
    const first = fleets.length === 1 ? undefined : fleets.find((fleet) => fleet.listed().catalog[kind].has(name))
    for (const fleet of first === undefined ? fleets : [first, ...fleets]) {
      const route = find(fleet.fleet, kind, name)
      if (route !== undefined) return { fleet, route, key: name }
    }
    return fleets.length === 1 || kind === "resources" ? undefined : this.#findDisplaced(kind, name)
  }

  /** The server whose own name for this another fleet has. */
  #findDisplaced(kind: Fleet.Routed, name: string): ResolvedName | undefined {
    const { fleets } = this.#servers
    for (const [i, fleet] of fleets.entries()) {
      for (const [key, other] of fleet.listed().displaced(kind, fleets.slice(0, i).map((one) => one.listed()))) {
        const route = other === name ? find(fleet.fleet, kind, key) : undefined
        if (route !== undefined) return { fleet, route, key }
      }
    }
    return undefined
  }

  /** The server of a name. Waits for servers that may have it and have not given their lists yet. */
  resolve(kind: Fleet.Routed, name: string): Effect.Effect<ResolvedName, CallError> {
    return Effect.gen(this, function*() {
      const now = this.find(kind, name)
      if (now !== undefined) return now
      this.#servers.need()
      yield* this.#servers.made
      const { fleets } = this.#servers
      const backends = yield* Effect.forEach(fleets, ({ fleet }) => fleet.backends)
      const candidates = fleets.filter(({ fleet }, i) =>
        backends[i]?.some(({ id }) => maySay(kind, id, name, prefixOf(fleet, id)))
      )
      const routes = yield* Effect.forEach(
        candidates.length === 0 ? fleets : candidates,
        (fleet) =>
          Effect.either(
            Effect.map(fleet.fleet.route(kind, name), (route): ResolvedName => ({ fleet, route, key: name }))
          ),
        { concurrency: "unbounded" }
      )
      const first = this.find(kind, name) ?? Arr.getRights(routes)[0]
      if (first !== undefined) return first
      const failure = Arr.getLefts(routes).find((error) => !Fleet.isUnknown(error))
      if (failure !== undefined) return yield* failure
      if (this.#servers.refusal !== undefined) return yield* this.#servers.refusal
      const { backend, message } = Unknown.entry(kind, name, {
        backends: backends.flat().map(({ id }) => id),
        prefixOf: (id) => {
          const i = backends.findIndex((all) => all.some((one) => one.id === id))
          return prefixOf(fleets[Math.max(0, i)]!.fleet, id)
        },
        catalogs: yield* Effect.forEach(fleets, ({ fleet }) => fleet.catalog)
      })
      const method = kind === "tools" ? "tools/call" : kind === "prompts" ? "prompts/get" : "resources/read"
      return yield* new RemoteError({ backend, method, code: codes[kind], data: { name }, message })
    })
  }
}
