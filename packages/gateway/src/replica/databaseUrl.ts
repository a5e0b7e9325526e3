import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, Redacted } from "effect"
import { StartError } from "../Errors.js"
import { type ClusterOptions, storeOf } from "../serve/ClusterOptions.js"

const failed = (message: string, cause?: unknown) => Effect.fail(new StartError({ message, cause }))

/** A message never contains the URL. */
export const databaseUrl = ({ store }: Pick<ClusterOptions, "store">): Effect.Effect<Redacted.Redacted, StartError> => {
  if (Redacted.isRedacted(store)) return Effect.succeed(store)
  const option = `--cluster-file ${store.file}`
  return UserFile.text(store.file).pipe(
    Effect.catchAll((cause) => failed(`${option} cannot be read: ${cause.message}`, cause)),
    Effect.map((text) => storeOf(text, (why) => ({ why }))),
    Effect.flatMap((url) =>
      Redacted.isRedacted(url) ? Effect.succeed(url) : failed(`the content of ${option} ${url.why}`)
    )
  )
}
