import { ConnectError } from "@mcp-lifeline/core"
import { Effect, type Redacted } from "effect"

/** Read for each connection: it may have changed. */
export type Reading = Effect.Effect<Redacted.Redacted, ConnectError>

type Entry<A> = readonly [string, A | Redacted.Redacted]

/** All at once. An error names the value's place, which begins with `group`: `env.API_KEY`. */
export const read = <A>(
  values: { readonly [name: string]: A | Reading },
  group: string
): Effect.Effect<{ readonly [name: string]: A | Redacted.Redacted }, ConnectError> =>
  Effect.map(
    Effect.forEach(Object.entries(values), ([name, value]): Effect.Effect<Entry<A>, ConnectError> =>
      Effect.isEffect(value)
        ? Effect.mapBoth(value as Reading, {
          onFailure: (error) =>
            new ConnectError({ ...error, cause: error.cause, message: `${group}.${name}: ${error.message}` }),
          onSuccess: (secret): Entry<A> => [name, secret]
        })
        : Effect.succeed([name, value as A]), { concurrency: "unbounded" }),
    (entries) =>
      Object.fromEntries(entries)
  )
