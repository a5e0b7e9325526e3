/**
 * The secret that seals the ids of sessions: given, where several gateways serve the same clients, or made once and kept in the state
 * folder.
 */
import { randomSecret } from "@mcp-lifeline/http-server/SealedId"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, Option, Redacted, Schema } from "effect"
import { StartError } from "../Errors.js"

/** A secret that is given. */
export interface Given {
  readonly secret: Redacted.Redacted | undefined
  /** The path of a file that has it. */
  readonly file: string | undefined
}

/** A shorter secret could be guessed. */
const minLength = 32

const Kept = Schema.Struct({ secret: Schema.Redacted(Schema.String) })

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

/** The secret in the state folder; the first process makes it. */
const kept = (folder: StateFolder["Type"]): Effect.Effect<Redacted.Redacted> => {
  const keys = folder.collection(name, Kept)
  const known = keys.get(name)
  const made = Effect.gen(function*() {
    yield* folder.lock(name)
    const other = yield* known
    if (Option.isSome(other)) return other.value.secret
    const secret = randomSecret()
    yield* keys.set(name, { secret })
    return secret
  })
  return Effect.flatMap(
    known,
    Option.match({ onSome: ({ secret }) => Effect.succeed(secret), onNone: () => Effect.scoped(made) })
  )
}

/** The secret that is given, else that of the state folder. */
export const make = (
  { file, secret }: Given,
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
  return secret === undefined ? kept(folder) : checked(secret, "MCP_LIFELINE_SESSION_KEY")
}
