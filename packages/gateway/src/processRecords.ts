/** The records of processes that the gateway starts (S12). */
import * as ProcessRecords from "@mcp-lifeline/state/ProcessRecords"
import { LeftContainer } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"

/** Those of this user. */
export const processRecords = (): ProcessRecords.ProcessRecords => ProcessRecords.ofUser(LeftContainer.end)

/** Ends what killed processes of this user have left, in the background. */
export const endLeft: Effect.Effect<void> = Effect.sync(() => void processRecords().endLeft())
