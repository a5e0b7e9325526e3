import * as ProcessRecords from "@mcp-lifeline/state/ProcessRecords"
import { LeftContainer } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"

export const processRecords = (): ProcessRecords.ProcessRecords => ProcessRecords.ofUser(LeftContainer.end)

/** In the background. */
export const endLeft: Effect.Effect<void> = Effect.sync(() => void processRecords().endLeft())
