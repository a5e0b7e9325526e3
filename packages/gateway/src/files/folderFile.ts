import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect } from "effect"

const name = "mcp.json"

/** A file that cannot be examined counts: reading it then says why. */
export const find: Effect.Effect<string | undefined> = Effect.match(UserFile.fingerprint(name), {
  onFailure: () => name,
  onSuccess: (fingerprint) => fingerprint === undefined ? undefined : name
})
