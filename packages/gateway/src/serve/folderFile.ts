/**
 * The file that `serve` uses without --config: the `mcp.json` of the folder in which it was started.
 */
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect } from "effect"

const name = "mcp.json"

/** The path of the file, or `undefined` if there is none. One that cannot be examined counts: reading it then says why. */
export const find: Effect.Effect<string | undefined> = Effect.match(UserFile.fingerprint(name), {
  onFailure: () => name,
  onSuccess: (fingerprint) => fingerprint === undefined ? undefined : name
})
