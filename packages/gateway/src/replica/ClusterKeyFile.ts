/**
 * The keys by which the replicas of a cluster know each other: those of a file, which can be replaced while they run, or else the session key.
 */
import { Effect, Redacted } from "effect"
import { StartError } from "../Errors.js"
import * as SecretFile from "../http/SecretFile.js"

const rules = { ...SecretFile.keyRules, what: "cluster key" }

const text = (secrets: SecretFile.Secrets): ReadonlyArray<string> => secrets.map((secret) => Redacted.value(secret))

/** The session key stays as it is, since what replicas share is sealed with it, too. */
const sessionKey = ({ current }: SecretFile.SecretsInUse): Effect.Effect<SecretFile.SecretsInUse, StartError> => {
  const [key, ...others] = current()
  return others.length === 0 ? Effect.succeed(SecretFile.fixed([key])) : new StartError({
    message:
      "--cluster needs one session key and no second one: the replicas know each other by it, and the database is encrypted with it; to have several, "
      + "give the replicas a key of their own with --cluster-key-file"
  })
}

/** `session`: the keys of sessions, of which there is only one if no file is given. */
export const make = (
  file: string | undefined,
  session: SecretFile.SecretsInUse
): Effect.Effect<SecretFile.SecretsInUse, StartError> => {
  if (file === undefined) return sessionKey(session)
  const place = `--cluster-key-file ${file}`
  let last: ReadonlyArray<string> | undefined
  /** A replica that takes none of its keys along would be alone. */
  const continued = (secrets: SecretFile.Secrets): Effect.Effect<SecretFile.Secrets, StartError> => {
    const now = text(secrets)
    if (last?.some((key) => now.includes(key)) === false) {
      return new StartError({
        message:
          `${place}: has none of the keys that it had; keep the old key below the new one, until each replica has read both`
      })
    }
    last = now
    return Effect.succeed(secrets)
  }
  return SecretFile.make(file, rules.what, (read) =>
    read.pipe(
      Effect.mapError((cause) => new StartError({ message: `${place} cannot be read: ${cause.message}`, cause })),
      Effect.flatMap((text) => SecretFile.parse(text, place, rules)),
      Effect.flatMap(continued)
    ))
}
