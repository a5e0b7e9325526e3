/** For Lifeline's packages that run the facade inside another runtime. Not for programs: it may change with every version. */
import * as Core from "@mcp-lifeline/core/text"
import type { Snapshot } from "@mcp-lifeline/core/types"
import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/sdk/types.js"
import type { Client } from "./Client.js"
import type { SupervisedClient } from "./internal/SupervisedClient.js"
import type { SignalOptions } from "./Options.js"

export type { Snapshot } from "@mcp-lifeline/core/types"
export { outer } from "./internal/Outer.js"
export type { Opening, Outer, OuterClock, OuterMetric, OuterSpan, OuterTelemetry, SpanIds } from "./internal/Outer.js"

export interface Catalog {
  /** The last good one. */
  readonly catalog: Snapshot | undefined
  /** The catalogue now and after each change, until the client is closed. A slow reader may miss values, but never the last one. */
  catalogChanges(options?: SignalOptions): AsyncIterableIterator<Snapshot | undefined>
  /** Resolves with a connection and its first catalogue, or when the first attempt has failed. */
  firstOutcome(options?: SignalOptions): Promise<void>
}

export const catalogOf = (client: Client): Catalog => (client as unknown as SupervisedClient).supervision

/** A part of a tool's result, for a language model. */
export const blockText: (block: ContentBlock) => string = Core.blockText

/** For a language model. */
export const resultText: (result: CallToolResult) => string = Core.resultText

/** For a language model, if the tool says that it failed. */
export const failureText: (result: CallToolResult) => string = Core.failureText

/** For a language model that gives a tool arguments of another form. */
export const argumentsForm: string = Core.argumentsForm
