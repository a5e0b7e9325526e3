/**
 * What lets the sessions of clients survive a restart of the gateway: a key that seals their ids, and records in the state folder. The key
 * is given, so that several gateways can serve the same clients, or generated once and stored in the state folder.
 */
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import * as SessionRecords from "@mcp-lifeline/http-server/SessionRecords"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, Option, Redacted, Schema, type Scope } from "effect"
import { StartError } from "../Errors.js"

/** Where the key comes from; from the state folder if neither is given. */
export interface KeyOptions {
  readonly secret: Redacted.Redacted | undefined
  /** The path of a file with the key. Overrides `secret`. */
  readonly file: string | undefined
}

/** In characters. A shorter key could be guessed. */
const minLength = 32

const StoredKey = Schema.Struct({ secret: Schema.Redacted(Schema.String) })

const name = "session-key"

const checked = (secret: Redacted.Redacted, from: string): Effect.Effect<Redacted.Redacted, StartError> => {
  const text = Redacted.value(secret).trim()
  return text.length < minLength
    ? new StartError({
      message:
        `the session key in ${from} has less than ${minLength} characters; make one with: openssl rand -base64 32`
    })
    : Effect.succeed(Redacted.make(text))
}

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

/** The key that the options name, or else that of the state folder. */
export const sessionKey = (
  { file, secret }: KeyOptions,
  folder: StateFolder["Type"]
): Effect.Effect<Redacted.Redacted, StartError> => {
  if (file !== undefined) {
    return UserFile.text(file).pipe(
      Effect.mapError((cause) =>
        new StartError({ message: `--session-key-file ${file} cannot be read: ${cause.message}`, cause })
      ),
      Effect.flatMap((text) => checked(Redacted.make(text), `--session-key-file ${file}`))
    )
  }
  return secret === undefined ? storedKey(folder) : checked(secret, "MCP_LIFELINE_SESSION_KEY")
}

/** The seal of session ids, and what the gateway remembers of each session. */
export interface PersistentSessions {
  readonly seal: SealedId.Seal
  readonly records: SessionRecords.SessionRecords
}

/** For the sessions of this state folder, or those with these records, and of all gateways with the same key. */
export const make = (
  options: KeyOptions,
  records?: SessionRecords.SessionRecords
): Effect.Effect<PersistentSessions, StartError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const folder = yield* StateFolder
    const secret = yield* sessionKey(options, folder)
    return { seal: SealedId.make(secret), records: records ?? (yield* SessionRecords.make(folder)) }
  })
