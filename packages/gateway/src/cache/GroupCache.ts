/** Read once for each configuration of a server, and updated when the server gives other lists. */
import type { Catalog } from "@mcp-lifeline/core"
import { JsonValue } from "@mcp-lifeline/core/text"
import type { Introduction } from "@mcp-lifeline/protocol"
import { type ListMethod, lists } from "@mcp-lifeline/protocol/listMethods"
import { Effect, Option, Predicate } from "effect"
import { isDeepStrictEqual } from "node:util"
import type { Fibers } from "../text/Fibers.js"
import { type CachedServer, type CacheKey, introductionOf, type ServerCache } from "./ServerCache.js"

interface Server {
  readonly id: string
  /** A digest of how the server is started or reached. Without it, nothing is cached. */
  readonly identity?: string | undefined
}

export type ClientIdentity = Pick<CacheKey, "protocolVersion" | "clientName" | "capabilities">

interface CachedBackend {
  readonly identity: string
  /** The same object as long as the configuration of the server is the same. */
  readonly memory: Catalog.CatalogMemory
  readonly introduction: Introduction | undefined
}

const methods = Object.entries(lists) as ReadonlyArray<readonly [ListMethod, (typeof lists)[ListMethod]]>

const keys = { tools: "name", prompts: "name", resources: "uri", resourceTemplates: "uriTemplate" } as const

/** Only valid entries: anybody may have edited the file. */
const entriesOf = (server: CachedServer, method: ListMethod): ReadonlyArray<never> => {
  const kind = lists[method]
  const entries = server.lists[method]?.[kind]
  const byKey = new Map<unknown, unknown>()
  for (const entry of Array.isArray(entries) ? entries as ReadonlyArray<unknown> : []) {
    const key = Predicate.isRecord(entry) ? entry[keys[kind]] : undefined
    const fits = typeof key === "string" && key !== "" && !JsonValue.isTooDeep(entry)
    if (fits && !byKey.has(key)) byKey.set(key, entry)
  }
  return [...byKey.values()] as ReadonlyArray<unknown> as ReadonlyArray<never>
}

const introductionFrom = (server: CachedServer): Introduction =>
  ({ ...server.introduction, sessionId: undefined }) as unknown as Introduction

const catalogFrom = (server: CachedServer): Catalog.Remembered => {
  const { capabilities, instructions, protocolVersion, serverInfo } = introductionFrom(server)
  return {
    capabilities,
    instructions,
    protocolVersion,
    serverInfo: serverInfo ?? { name: "", version: "" },
    tools: entriesOf(server, "tools/list"),
    prompts: entriesOf(server, "prompts/list"),
    resources: entriesOf(server, "resources/list"),
    resourceTemplates: entriesOf(server, "resources/templates/list")
  }
}

const cachedOf = (snapshot: Catalog.Snapshot): CachedServer => ({
  introduction: introductionOf(snapshot),
  lists: Object.fromEntries(methods.map(([method, kind]) => [method, { [kind]: snapshot[kind] }]))
})

export class GroupCache {
  readonly #cache: ServerCache | undefined
  readonly #client: ClientIdentity
  readonly #fork: Fibers["fork"]
  readonly #servers = new Map<string, CachedBackend>()

  /** Without `cache`, nothing is cached. */
  constructor(cache: ServerCache | undefined, client: ClientIdentity, fork: Fibers["fork"]) {
    this.#cache = cache
    this.#client = client
    this.#fork = fork
  }

  /** Reads what is not read yet, and forgets other servers. */
  load(servers: ReadonlyArray<Server>): Effect.Effect<void> {
    const cache = this.#cache
    if (cache === undefined) return Effect.void
    const names = new Set(servers.map(({ id }) => id))
    for (const id of this.#servers.keys()) if (!names.has(id)) this.#servers.delete(id)
    return Effect.forEach(servers, ({ id, identity }) => {
      if (identity === undefined) return Effect.sync(() => void this.#servers.delete(id))
      if (this.#servers.get(id)?.identity === identity) return Effect.void
      return Effect.map(cache.get(this.#keyOf(identity)), (found) => {
        const server = Option.getOrUndefined(found)
        const introduction = server && introductionFrom(server)
        this.#servers.set(id, { identity, introduction, memory: this.#memory(cache, identity, server) })
      })
    }, { concurrency: 8, discard: true })
  }

  memory(server: string): Catalog.CatalogMemory | undefined {
    return this.#servers.get(server)?.memory
  }

  introduction(server: string): Introduction | undefined {
    return this.#servers.get(server)?.introduction
  }

  #keyOf(server: string): CacheKey {
    return { server, cwd: "", ...this.#client }
  }

  #memory(cache: ServerCache, identity: string, before: CachedServer | undefined): Catalog.CatalogMemory {
    let last = before
    return {
      remembered: before && catalogFrom(before),
      keep: (snapshot) => {
        const server = cachedOf(snapshot)
        if (isDeepStrictEqual(server, last)) return
        last = server
        this.#fork(cache.set(this.#keyOf(identity), server))
      }
    }
  }
}
