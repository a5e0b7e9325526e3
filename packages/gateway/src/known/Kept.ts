/**
 * What is kept of a server in the state folder: what it said of itself, and its lists. Both `wrap` and `serve` show it while the server is
 * not connected.
 */
import type { Introduction } from "@mcp-lifeline/protocol"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Option, Schema } from "effect"
import type { Scope } from "effect"

const AnyObject = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** What is kept, as JSON. `lists`: results by the method that reads them. */
export const Kept = Schema.Struct({
  introduction: Schema.Struct({
    serverInfo: Schema.optional(AnyObject),
    capabilities: AnyObject,
    instructions: Schema.optional(Schema.String),
    protocolVersion: Schema.String
  }),
  lists: Schema.Record({ key: Schema.String, value: AnyObject })
})
export type Kept = typeof Kept.Type

/** Whose answers they are: a server gives different ones to different clients. */
export interface Identity {
  /** The command or the address, with all that was given beside it. Only a digest of it is kept. */
  readonly server: unknown
  readonly cwd: string
  readonly protocolVersion: string
  readonly clientName: string
  readonly capabilities: unknown
}

/** The name under which it is kept. */
export const keyOf = (identity: Identity): string =>
  StateFolder.key(...Object.entries(identity).flatMap(([name, value]) => [name, JSON.stringify(value)]))

/** What is said of a server, without what belongs to one connection. */
export const introductionOf = (
  { capabilities, instructions, protocolVersion, serverInfo }: Omit<Introduction, "sessionId">
): Kept["introduction"] => ({
  capabilities: capabilities as Readonly<Record<string, unknown>>,
  protocolVersion,
  ...(serverInfo === undefined ? {} : { serverInfo: serverInfo as unknown as Readonly<Record<string, unknown>> }),
  ...(instructions === undefined ? {} : { instructions })
})

/** How much is kept of all servers: each has a file for each kind of client. */
const bounds = { maxFiles: 500, maxUnused: 90 * 24 * 60 * 60 * 1000 }

/** The longest text that is kept of one server, in characters. */
const longest = 8 * 1024 * 1024

/** What is kept of all servers. Nothing here fails. */
export interface KeptServers {
  readonly get: (identity: Identity) => Effect.Effect<Option.Option<Kept>>
  /** Keeps this in place of what was kept. Of several for one server in short time, the last one is written. */
  readonly set: (identity: Identity, kept: Kept) => Effect.Effect<void>
}

/** Those of the state folder. Closing the scope waits until all is written. */
export const make: Effect.Effect<KeptServers, never, StateFolder.StateFolder | Scope.Scope> = Effect.gen(function*() {
  const folder = yield* StateFolder.StateFolder
  const files = folder.collection("servers", Kept, bounds)
  const waiting = new Map<string, Kept>()
  const writing = yield* Effect.makeSemaphore(1)
  const write = writing.withPermits(1)(Effect.suspend(() => {
    const all = [...waiting]
    waiting.clear()
    return Effect.forEach(
      all,
      ([key, kept]) => JSON.stringify(kept).length > longest ? files.remove(key) : files.set(key, kept),
      { discard: true }
    )
  }))
  yield* Effect.addFinalizer(() => write)
  return {
    get: (identity) => files.get(keyOf(identity)),
    set: (identity, kept) =>
      Effect.suspend(() => {
        waiting.set(keyOf(identity), kept)
        return write
      })
  }
})
