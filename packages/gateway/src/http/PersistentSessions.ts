/**
 * What lets the sessions of clients survive a restart of the gateway: a key that seals their ids, and records in the state folder. The key
 * is given, so that several gateways can serve the same clients, or generated once and stored in the state folder. A given key can be replaced
 * while sessions go on: the newest seals, and all open.
 */
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import * as SessionRecords from "@mcp-lifeline/http-server/SessionRecords"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Array, Effect, Option, Redacted, Schema, type Scope } from "effect"
import { StartError } from "../Errors.js"
import * as SecretFile from "./SecretFile.js"

/** Where the key comes from; from the state folder if neither is given. */
export interface KeyOptions {
  readonly secret: Redacted.Redacted | undefined
  /** The path of a file with the key. Overrides `secret`. */
  readonly file: string | undefined
}

const StoredKey = Schema.Struct({ secret: Schema.Redacted(Schema.String) })

const name = "session-key"

const rules = { ...SecretFile.keyRules, what: "session key" }

/** The key in the state folder. The first process generates it. */
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

/** The keys that the options name, or else that of the state folder. */
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

/** The seal of session ids, and what the gateway remembers of each session. */
export interface PersistentSessions {
  readonly seal: SealedId.Seal
  readonly records: SessionRecords.SessionRecords
}

/** For the sessions of this state folder, or those with these records, and of all gateways with the same key. */
export const make = (
  keys: SecretFile.SecretsInUse,
  records?: SessionRecords.SessionRecords,
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
    return { seal: SealedId.several(() => seals), records: records ?? (yield* SessionRecords.make(folder)) }
  })
