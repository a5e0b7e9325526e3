/**
 * For packages of Lifeline that run the facade inside of a program with another runtime. Not for programs: what is here may change with
 * every version.
 */
import * as Core from "@mcp-lifeline/core/internal"
import type { Snapshot } from "@mcp-lifeline/core/types"
import type { CallToolResult, ContentBlock } from "@modelcontextprotocol/sdk/types.js"
import type { Client } from "./Client.js"
import type { SupervisedClient } from "./internal/SupervisedClient.js"
import type { SignalOptions } from "./Options.js"

export type { Snapshot } from "@mcp-lifeline/core/types"
export { outer } from "./internal/Outer.js"
export type { Opening, Outer, OuterClock, OuterMetric, OuterSpan, OuterTelemetry, SpanIds } from "./internal/Outer.js"

/** What the server of a client offers, as a value, and when it is first known. */
export interface Catalog {
  /** The last good catalogue, if there is one. */
  readonly catalog: Snapshot | undefined
  /** The same, and the catalogue after each change, until the client is closed. A slow reader may miss values in between, but never the last one. */
  catalogChanges(options?: SignalOptions): AsyncIterableIterator<Snapshot | undefined>
  /** Resolves when there is a connection and its first catalogue, or when the first attempt has failed. */
  firstOutcome(options?: SignalOptions): Promise<void>
}

/** The catalogue of a client. */
export const catalogOf = (client: Client): Catalog => (client as unknown as SupervisedClient).supervision

/** A part of a tool's result as a language model reads it. */
export const blockText: (block: ContentBlock) => string = Core.blockText

/** A tool's result as a language model reads it. */
export const resultText: (result: CallToolResult) => string = Core.resultText

/** What a language model reads of a tool that says that it failed. */
export const failureText: (result: CallToolResult) => string = Core.failureText

/** What a language model reads if it gives a tool arguments of another form. */
export const argumentsForm: string = Core.argumentsForm
