/**
 * Where the names lead that one client knows: to a server that all share, or to one of its own. What is shared has its names first.
 */
import { type CallError, Fleet, RemoteError } from "@mcp-lifeline/core"
import { Array as Arr, Effect } from "effect"
import type { Group } from "../Group.js"
import type { OwnServers } from "./OwnServers.js"

/** A server's entry, and the group of servers in which it is. */
export interface Place {
  readonly group: Group
  readonly route: Fleet.Route
}

/** The codes that MCP has for a name that nobody knows. */
const codes = { tools: -32_602, prompts: -32_602, resources: -32_002 } as const

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
  route(kind: Fleet.Routed, name: string): Effect.Effect<Place, CallError> {
    return Effect.gen(this, function*() {
      const now = this.find(kind, name)
      if (now !== undefined) return now
      this.#own.need()
      yield* this.#own.opened
      const groups = this.#own.group === undefined ? [this.#shared] : [this.#shared, this.#own.group]
      const backends = yield* Effect.forEach(groups, ({ fleet }) => fleet.backends)
      const said = groups.filter((_, i) => backends[i]?.some(({ id }) => Fleet.maySay(kind, id, name)))
      const asked = yield* Effect.forEach(
        said.length === 0 ? groups : said,
        (group) => Effect.either(Effect.map(group.fleet.route(kind, name), (route): Place => ({ group, route }))),
        { concurrency: "unbounded" }
      )
      const [first] = Arr.getRights(asked)
      if (first !== undefined) return first
      const unreached = Arr.getLefts(asked).find((error) => !Fleet.isUnknown(error))
      if (unreached !== undefined) return yield* unreached
      if (this.#own.refusal !== undefined) return yield* this.#own.refusal
      const { backend, message } = Fleet.unknownEntry(kind, name, {
        backends: backends.flat().map(({ id }) => id),
        catalogs: groups.map((group) => group.lists().catalog)
      })
      const method = kind === "tools" ? "tools/call" : kind === "prompts" ? "prompts/get" : "resources/read"
      return yield* new RemoteError({ backend, method, code: codes[kind], data: { name }, message })
    })
  }
}
