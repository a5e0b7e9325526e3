/**
 * A cache in the state folder of what servers said about themselves, and of their lists. `wrap` and `serve` show it while a server is not
 * connected.
 */
import { ExactJson } from "@mcp-lifeline/core/internal"
import type { Introduction } from "@mcp-lifeline/protocol"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Option, Schema } from "effect"
import type { Scope } from "effect"

const AnyObject = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** The cached data of one server, as JSON. `lists`: the result of each list method. */
export const CachedServer = Schema.Struct({
  introduction: Schema.Struct({
    serverInfo: Schema.optional(AnyObject),
    capabilities: AnyObject,
    instructions: Schema.optional(Schema.String),
    protocolVersion: Schema.String
  }),
  lists: Schema.Record({ key: Schema.String, value: AnyObject })
})
export type CachedServer = typeof CachedServer.Type

/** The key of a cached server. It includes the client, because a server may answer different clients differently. */
export interface CacheKey {
  /** The command or the URL, with all its options. The cache stores only a digest of it. */
  readonly server: unknown
  readonly cwd: string
  readonly protocolVersion: string
  readonly clientName: string
  readonly capabilities: unknown
}

/** The name of the file of a cached server. */
export const fileNameOf = (key: CacheKey): string =>
  StateFolder.key(...Object.entries(key).flatMap(([name, value]) => [name, JSON.stringify(value)]))

/** The part of an introduction that does not depend on the connection. */
export const introductionOf = (
  { capabilities, instructions, protocolVersion, serverInfo }: Omit<Introduction, "sessionId">
): CachedServer["introduction"] => ({
  capabilities: capabilities as Readonly<Record<string, unknown>>,
  protocolVersion,
  ...(serverInfo === undefined ? {} : { serverInfo: serverInfo as unknown as Readonly<Record<string, unknown>> }),
  ...(instructions === undefined ? {} : { instructions })
})

/** The limits of the cache, `maxUnused` in milliseconds. A server has one file for each kind of client. */
const limits = { maxFiles: 500, maxUnused: 90 * 24 * 60 * 60 * 1000 }

/** The maximum size of one file, in characters. */
const maxLength = 8 * 1024 * 1024

/** The cached data of all servers. Never fails. */
export interface ServerCache {
  readonly get: (key: CacheKey) => Effect.Effect<Option.Option<CachedServer>>
  /** Replaces the cached data of a server. Of several calls for one server in a short time, only the last is written. */
  readonly set: (key: CacheKey, server: CachedServer) => Effect.Effect<void>
}

/** The cache of the state folder. Closing the scope waits until everything is written. */
export const make: Effect.Effect<ServerCache, never, StateFolder.StateFolder | Scope.Scope> = Effect.gen(function*() {
  const folder = yield* StateFolder.StateFolder
  const files = folder.collection("servers", CachedServer, limits, ExactJson)
  const waiting = new Map<string, CachedServer>()
  const writing = yield* Effect.makeSemaphore(1)
  const write = writing.withPermits(1)(Effect.suspend(() => {
    const all = [...waiting]
    waiting.clear()
    return Effect.forEach(
      all,
      ([key, server]) => JSON.stringify(server).length > maxLength ? files.remove(key) : files.set(key, server),
      { discard: true }
    )
  }))
  yield* Effect.addFinalizer(() => write)
  return {
    get: (key) => files.get(fileNameOf(key)),
    set: (key, server) =>
      Effect.suspend(() => {
        waiting.set(fileNameOf(key), server)
        return write
      })
  }
})
