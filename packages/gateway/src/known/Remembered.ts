/**
 * What `serve` remembers of servers in the name of one client: read once for each configuration of a server, and kept up to date with what
 * the server lists.
 */
import type { Catalog } from "@mcp-lifeline/core"
import { Nesting } from "@mcp-lifeline/core/internal"
import type { Introduction } from "@mcp-lifeline/protocol"
import { type ListMethod, lists } from "@mcp-lifeline/protocol/listMethods"
import { Effect, Option, Predicate } from "effect"
import { isDeepStrictEqual } from "node:util"
import type { Fibers } from "../Fibers.js"
import { type Identity, introductionOf, type Kept, type KeptServers } from "./Kept.js"

/** A server that can be told apart from others. */
interface Server {
  readonly id: string
  /** Differs where the server is another, or is started or reached otherwise. Without it nothing is remembered. */
  readonly identity?: string | undefined
}

/** In whose name the servers are asked. */
export type Client = Pick<Identity, "protocolVersion" | "clientName" | "capabilities">

/** What is known of one server from before. */
interface Known {
  readonly identity: string
  /** For its backend: the same object as long as the server is configured alike. */
  readonly memory: Catalog.CatalogMemory
  readonly introduction: Introduction | undefined
}

const methods = Object.entries(lists) as ReadonlyArray<readonly [ListMethod, (typeof lists)[ListMethod]]>

const keys = { tools: "name", prompts: "name", resources: "uri", resourceTemplates: "uriTemplate" } as const

/** The entries of a list that can be offered: anybody may have written the file. */
const entriesOf = (kept: Kept, method: ListMethod): ReadonlyArray<never> => {
  const kind = lists[method]
  const entries = kept.lists[method]?.[kind]
  const byKey = new Map<unknown, unknown>()
  for (const entry of Array.isArray(entries) ? entries as ReadonlyArray<unknown> : []) {
    const key = Predicate.isRecord(entry) ? entry[keys[kind]] : undefined
    const fits = typeof key === "string" && key !== "" && !Nesting.isDeeper(entry, Nesting.defaultDepth)
    if (fits && !byKey.has(key)) byKey.set(key, entry)
  }
  return [...byKey.values()] as ReadonlyArray<unknown> as ReadonlyArray<never>
}

const introductionFrom = (kept: Kept): Introduction =>
  ({ ...kept.introduction, sessionId: undefined }) as unknown as Introduction

const catalogFrom = (kept: Kept): Catalog.Remembered => {
  const { capabilities, instructions, protocolVersion, serverInfo } = introductionFrom(kept)
  return {
    capabilities,
    instructions,
    protocolVersion,
    serverInfo: serverInfo ?? { name: "", version: "" },
    tools: entriesOf(kept, "tools/list"),
    prompts: entriesOf(kept, "prompts/list"),
    resources: entriesOf(kept, "resources/list"),
    resourceTemplates: entriesOf(kept, "resources/templates/list")
  }
}

const keptOf = (snapshot: Catalog.Snapshot): Kept => ({
  introduction: introductionOf(snapshot),
  lists: Object.fromEntries(methods.map(([method, kind]) => [method, { [kind]: snapshot[kind] }]))
})

/** What is remembered of some servers. */
export class Remembered {
  readonly #files: KeptServers | undefined
  readonly #client: Client
  readonly #fork: Fibers["fork"]
  readonly #known = new Map<string, Known>()

  /** Without `files` nothing is. */
  constructor(files: KeptServers | undefined, client: Client, fork: Fibers["fork"]) {
    this.#files = files
    this.#client = client
    this.#fork = fork
  }

  /** Reads what is kept of these servers, where it is not read yet, and forgets the others. */
  recall(servers: ReadonlyArray<Server>): Effect.Effect<void> {
    const files = this.#files
    if (files === undefined) return Effect.void
    const names = new Set(servers.map(({ id }) => id))
    for (const id of this.#known.keys()) if (!names.has(id)) this.#known.delete(id)
    return Effect.forEach(servers, ({ id, identity }) => {
      if (identity === undefined) return Effect.sync(() => void this.#known.delete(id))
      if (this.#known.get(id)?.identity === identity) return Effect.void
      return Effect.map(files.get(this.#identity(identity)), (found) => {
        const kept = Option.getOrUndefined(found)
        const introduction = kept && introductionFrom(kept)
        this.#known.set(id, { identity, introduction, memory: this.#memory(files, identity, kept) })
      })
    }, { concurrency: 8, discard: true })
  }

  /** What the backend of a server begins with, and where it keeps what it lists. */
  memory(server: string): Catalog.CatalogMemory | undefined {
    return this.#known.get(server)?.memory
  }

  /** What a server has said of itself. */
  introduction(server: string): Introduction | undefined {
    return this.#known.get(server)?.introduction
  }

  #identity(server: string): Identity {
    return { server, cwd: "", ...this.#client }
  }

  #memory(files: KeptServers, identity: string, before: Kept | undefined): Catalog.CatalogMemory {
    let last = before
    return {
      remembered: before && catalogFrom(before),
      keep: (snapshot) => {
        const kept = keptOf(snapshot)
        if (isDeepStrictEqual(kept, last)) return
        last = kept
        this.#fork(files.set(this.#identity(identity), kept))
      }
    }
  }
}
