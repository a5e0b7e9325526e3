/**
 * Who answers requests of the protocol without sessions, whatever carries them.
 */
import type { JSONRPCMessage, JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"

/** Answers one request, and its successors that bring what was asked in place of a result. */
export interface Answering {
  readonly receive: (request: JSONRPCRequest) => void
  /**
   * Ends what is not answered yet, because of `why`: a stream of changes gets its closing result; other requests may be told nothing more.
   */
  readonly close: (why: string) => void
}

/** Begins to answer: gives `write` what is said during the request, and the answer. */
export type Answer = (write: (message: JSONRPCMessage) => void) => Answering
