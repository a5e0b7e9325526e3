/**
 * A file of variables for the process of a server, as `envFile` names it: `NAME=value` in lines. It may be a named pipe, with which managers
 * of secrets provide it.
 */
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, Redacted } from "effect"
import { parseEnv } from "node:util"

const remedies: Readonly<Record<UserFile.ReadError["reason"], string>> = {
  missing: "create it, or leave envFile out",
  denied: "change its permissions",
  other: "name a file with a line NAME=value for each variable"
}

/** Its variables, or why it cannot be read. */
export const read = (file: string): Effect.Effect<Readonly<Record<string, Redacted.Redacted>>, string> =>
  UserFile.text(file).pipe(
    Effect.mapBoth({
      onFailure: ({ message, reason }) => `names ${file}, and ${message}; ${remedies[reason]}`,
      onSuccess: (text) =>
        Object.fromEntries(Object.entries(parseEnv(text)).map(([name, value]) => [name, Redacted.make(value ?? "")]))
    })
  )
