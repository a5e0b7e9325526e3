/**
 * Who answers requests of the protocol without sessions, whatever carries them.
 */
import type { ClientRequest } from "@mcp-lifeline/protocol"

/** Answers requests of clients without sessions. None of its functions may throw. */
export interface StatelessHandler {
  /**
   * Takes a request. `tokenHash`: only requests with the same one may bring what was asked in place of a result. Answers the request, unless the
   * client cancels it.
   */
  readonly request: (request: ClientRequest, tokenHash: string) => void
  /** Called at intervals: ends what nobody comes back to. */
  readonly tick: () => void
  /** Ends all conversations. */
  readonly close: (why: string) => Promise<void>
}
