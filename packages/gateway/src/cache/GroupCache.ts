/** Read once for each configuration of a server, and updated when the server gives other lists. */
import type { Catalog } from "@mcp-lifeline/core"
import { Kind } from "@mcp-lifeline/core/internal"
import { JsonValue } from "@mcp-lifeline/core/text"
import { type Introduction, ListState } from "@mcp-lifeline/protocol"
import { listMethods, lists } from "@mcp-lifeline/protocol/listMethods"
import { Effect, Option, Predicate } from "effect"
import { isDeepStrictEqual } from "node:util"
import type { Server } from "../config/Backends.js"
import type { Fibers } from "../text/Fibers.js"
import { type CachedServer, type CacheKey, introductionOf, type ServerCache } from "./ServerCache.js"

export type ClientIdentity = Pick<CacheKey, "protocolVersion" | "clientName" | "capabilities">

interface CachedBackend {
  readonly identity: string
  /** The same object as long as the configuration of the server is the same. */
  readonly memory: Catalog.CatalogMemory
  readonly introduction: Introduction | undefined
}

/** Only valid entries: anybody may have edited the file. */
const entriesOf = (kind: Kind.Kind, list: ListState.Page = {}): ReadonlyArray<never> => {
  const byKey = new Map<unknown, unknown>()
  for (const entry of ListState.entriesOf(kind, list)) {
    const key = Predicate.isRecord(entry) ? entry[Kind.keys[kind]] : undefined
    const fits = typeof key === "string" && key !== "" && !JsonValue.isTooDeep(entry)
    if (fits && !byKey.has(key)) byKey.set(key, entry)
  }
  return [...byKey.values()] as ReadonlyArray<unknown> as ReadonlyArray<never>
}

export const catalogFrom = ({ introduction, lists }: CachedServer): Catalog.Remembered => ({
  ...introduction,
  instructions: introduction.instructions,
  serverInfo: introduction.serverInfo ?? { name: "", version: "" },
  tools: entriesOf("tools", lists["tools/list"]),
  prompts: entriesOf("prompts", lists["prompts/list"]),
  resources: entriesOf("resources", lists["resources/list"]),
  resourceTemplates: entriesOf("resourceTemplates", lists["resources/templates/list"])
})

const cachedOf = (snapshot: Catalog.Snapshot): CachedServer => ({
  introduction: introductionOf(snapshot),
  lists: Object.fromEntries(listMethods.map((method) => [method, { [lists[method]]: snapshot[lists[method]] }]))
})

/** Without `cache`, nothing is cached. */
export const make = (cache: ServerCache | undefined, client: ClientIdentity, fork: Fibers["fork"]) => {
  const known = new Map<string, CachedBackend>()
  const backendOf = (files: ServerCache, identity: string): Effect.Effect<CachedBackend> => {
    const key: CacheKey = { server: identity, cwd: "", ...client }
    return Effect.map(files.get(key), (found) => {
      let last = Option.getOrUndefined(found)
      const keep = (snapshot: Catalog.Snapshot): void => {
        const server = cachedOf(snapshot)
        if (isDeepStrictEqual(server, last)) return
        last = server
        fork(files.set(key, server))
      }
      const introduction = last && { ...last.introduction, sessionId: undefined } as Introduction
      return { identity, introduction, memory: { remembered: last && catalogFrom(last), keep } }
    })
  }
  return {
    /** Reads what is not read yet, and forgets other servers. */
    load: (servers: ReadonlyArray<Pick<Server, "id" | "identity">>): Effect.Effect<void> => {
      const names = new Set(servers.flatMap(({ id, identity }) => identity === undefined ? [] : id))
      for (const id of known.keys()) if (!names.has(id)) known.delete(id)
      return Effect.forEach(
        servers,
        ({ id, identity }) =>
          cache === undefined || identity === undefined || known.get(id)?.identity === identity
            ? Effect.void
            : Effect.map(backendOf(cache, identity), (backend) => known.set(id, backend)),
        { concurrency: 8, discard: true }
      )
    },
    of: (server: string): CachedBackend | undefined => known.get(server)
  }
}
