/**
 * Sessions survive a restart by a key that seals their ids, and records in the state folder. A given key lets several gateways serve the same
 * clients, and can be replaced while sessions go on: the newest seals, and all open.
 */
import * as FileRecords from "@mcp-lifeline/http-server/FileRecords"
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import type { SessionRecords } from "@mcp-lifeline/http-server/SessionRecords"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Array, Effect, Option, Redacted, Schema, type Scope } from "effect"
import * as SecretFile from "../files/SecretFile.js"
import { StartError } from "../text/Errors.js"

/** From the state folder if neither is given. */
export interface KeyOptions {
  readonly secret: Redacted.Redacted | undefined
  /** Overrides `secret`. */
  readonly file: string | undefined
}

const StoredKey = Schema.Struct({ secret: Schema.Redacted(Schema.String) })

const name = "session-key"

const rules = { ...SecretFile.keyRules, what: "session key" }

/** The first process generates it. */
const storedKey = (folder: StateFolder["Type"]): Effect.Effect<Redacted.Redacted> => {
  const keys = folder.collection(name, StoredKey)
  const stored = keys.get(name)
  const generated = Effect.gen(function*() {
    yield* folder.lock(name)
    const other = yield* stored
    if (Option.isSome(other)) return other.value.secret
    const secret = SealedId.randomSecret()
    yield* keys.set(name, { secret })
    return secret
  })
  return Effect.flatMap(
    stored,
    Option.match({ onSome: ({ secret }) => Effect.succeed(secret), onNone: () => Effect.scoped(generated) })
  )
}

export const sessionKeys = (
  { file, secret }: KeyOptions,
  folder: StateFolder["Type"]
): Effect.Effect<SecretFile.SecretsInUse, StartError> => {
  if (file !== undefined) {
    return SecretFile.keys("--session-key-file", file, rules.what)
  }
  return secret === undefined
    ? Effect.map(storedKey(folder), (key) => SecretFile.fixed([key]))
    : Effect.map(SecretFile.parse(Redacted.value(secret), "MCP_LIFELINE_SESSION_KEY", rules), SecretFile.fixed)
}

export interface PersistentSessions {
  readonly seal: SealedId.Seal
  readonly records: SessionRecords
}

/** Default of `records`: those in the state folder. */
export const make = (
  keys: SecretFile.SecretsInUse,
  records?: SessionRecords,
  changed: (line: string) => Effect.Effect<void> = () => Effect.void
): Effect.Effect<PersistentSessions, never, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const folder = yield* StateFolder
    let seals = Array.map(keys.current(), SealedId.make)
    yield* keys.follow((line) =>
      Effect.suspend(() => {
        seals = Array.map(keys.current(), SealedId.make)
        return changed(line)
      })
    )
    return { seal: SealedId.several(() => seals), records: records ?? (yield* FileRecords.make(folder)) }
  })
