/** What servers said about themselves, and their lists: shown while a server is not connected. */
import { ExactJson } from "@mcp-lifeline/core/text"
import type { Introduction } from "@mcp-lifeline/protocol"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Option, Schema } from "effect"
import type { Scope } from "effect"

const anyObject = <A>() =>
  Schema.Record({ key: Schema.String, value: Schema.Unknown }) as Schema.Schema.Any as Schema.Schema<A>

/** `lists`: the result of each list method. */
export const CachedServer = Schema.Struct({
  introduction: Schema.Struct({
    serverInfo: Schema.optional(anyObject<Introduction["serverInfo"]>()),
    capabilities: anyObject<Introduction["capabilities"]>(),
    instructions: Schema.optional(Schema.String),
    protocolVersion: Schema.String
  }),
  lists: Schema.Record({ key: Schema.String, value: anyObject<Readonly<Record<string, unknown>>>() })
})
export type CachedServer = typeof CachedServer.Type

/** Includes the client: a server may answer clients differently. */
export interface CacheKey {
  /** The command or the URL, with all options; only its digest is stored. */
  readonly server: unknown
  readonly cwd: string
  readonly protocolVersion: string
  readonly clientName: string
  readonly capabilities: unknown
}

export const fileNameOf = (key: CacheKey): string =>
  StateFolder.key(...Object.entries(key).flatMap(([name, value]) => [name, JSON.stringify(value)]))

/** What does not depend on the connection. */
export const introductionOf = (
  { capabilities, instructions, protocolVersion, serverInfo }: Omit<Introduction, "sessionId">
): CachedServer["introduction"] => ({
  capabilities,
  protocolVersion,
  ...(serverInfo === undefined ? {} : { serverInfo }),
  ...(instructions === undefined ? {} : { instructions })
})

/** `maxUnused` in milliseconds. A server has one file for each kind of client. */
const limits = { maxFiles: 500, maxUnused: 90 * 24 * 60 * 60 * 1000 }

/** Of one file, in characters. */
const maxLength = 8 * 1024 * 1024

/** Never fails. */
export interface ServerCache {
  readonly get: (key: CacheKey) => Effect.Effect<Option.Option<CachedServer>>
  /** Of several calls for one server in a short time, only the last is written. */
  readonly set: (key: CacheKey, server: CachedServer) => Effect.Effect<void>
}

/** Closing the scope waits for the writes. */
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
