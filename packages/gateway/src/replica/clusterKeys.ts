/** The keys by which replicas know each other: of a file, the newest first, or else the session key. */
import { Effect } from "effect"
import * as SecretFile from "../files/SecretFile.js"
import { StartError } from "../text/Errors.js"

export const clusterKeys = (
  file: string | undefined,
  [session, ...others]: SecretFile.Secrets
): Effect.Effect<SecretFile.Secrets, StartError> => {
  if (file !== undefined) {
    return Effect.map(SecretFile.keys("--cluster-key-file", file, "cluster key"), ({ current }) => current())
  }
  return others.length === 0 ? Effect.succeed([session]) : new StartError({
    message:
      "--cluster needs one session key and no second one: the replicas know each other by it, and the database is encrypted with it; to have several, "
      + "give the replicas a key of their own with --cluster-key-file"
  })
}
