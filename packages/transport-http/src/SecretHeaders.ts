/** Values are read for each connection, and again if the server refuses them: a secret may have been rotated. */
import { ConnectError } from "@mcp-lifeline/core"
import { SecretValues } from "@mcp-lifeline/protocol"
import { Clock, Effect, Redacted } from "effect"
import * as Credentials from "./Credentials.js"

export type Readings = Readonly<Record<string, SecretValues.Reading>>

/** Between a reading and one after a refusal, in milliseconds: reading may mean asking a person. */
const pace = 30_000

const valid = (
  values: Readonly<Record<string, Redacted.Redacted>>
): Effect.Effect<Readonly<Record<string, Redacted.Redacted>>, ConnectError> => {
  const invalid = Object.keys(values).find((name) => !Credentials.isHeader(name, values[name]))
  if (invalid === undefined) return Effect.succeed(values)
  const message =
    `headers.${invalid}: what was read is not the value of an HTTP header; accepted: one line of Latin-1 characters`
  return Effect.fail(new ConnectError({ backend: "", reason: "spawn", permanent: false, message }))
}

export const read = (readings: Readings): Effect.Effect<Credentials.SecretHeaders, ConnectError> =>
  Effect.gen(function*() {
    const reading = Effect.flatMap(SecretValues.read<never>(readings, "headers"), valid)
    const lock = yield* Effect.makeSemaphore(1)
    let current = yield* reading
    let readAt = yield* Clock.currentTimeMillis
    return {
      current: () => current,
      renew: (refused) =>
        lock.withPermits(1)(Effect.gen(function*() {
          const differs = () =>
            Object.entries(current).some(([name, value]) => refused[name.toLowerCase()] !== Redacted.value(value))
          if (differs()) return true
          const now = yield* Clock.currentTimeMillis
          if (now - readAt < pace) return false
          readAt = now
          current = yield* Effect.orElseSucceed(reading, () => current)
          return differs()
        }))
    }
  })
