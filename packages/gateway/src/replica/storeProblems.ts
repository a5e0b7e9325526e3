import type { ClusterStore } from "@mcp-lifeline/cluster"
import { Cause, Effect, Exit, Option } from "effect"

/** Failed renewals of the lease in a row. */
const worthALine = 2

const goesOn = "; the servers go on for as long as all other replicas agree, and a replica that is alone stops its own"

/** Logs renewals that fail, or are not answered in time. */
export const told = (store: ClusterStore): ClusterStore => {
  let failed = 0
  return {
    ...store,
    renew: (...given) =>
      Effect.onExit(store.renew(...given), (exit) => {
        if (Exit.isSuccess(exit)) {
          const wasAway = failed >= worthALine
          failed = 0
          // A warning, because the log has nothing below: who reads that it is away has to read this, too.
          return wasAway ? Effect.logWarning("the database is back") : Effect.void
        }
        const why = Option.map(Cause.failureOption(exit.cause), ({ message }) => message)
        return ++failed === worthALine
          ? Effect.logWarning(`${Option.getOrElse(why, () => "the database does not answer in time")}${goesOn}`)
          : Effect.void
      })
  }
}
