/**
 * Answers requests of the protocol without sessions (2026-07-28), whatever carries them.
 */
import type { ClientRequest } from "@mcp-lifeline/protocol"
import type { Caller } from "../Caller.js"

/** Handles requests of clients without sessions. None of its functions may throw. */
export interface StatelessHandler {
  /**
   * Takes a request, and answers it unless the client cancels it. Where a client was asked for input, only a request of
   * the same caller may bring that.
   */
  readonly request: (request: ClientRequest, caller: Caller) => void
  /** Called at intervals: ends calls whose client was asked for input and did not come back. */
  readonly tick: () => void
  /** Ends what goes on between requests of a caller. Its open requests are ended before. `why`: a statement. */
  readonly endOf?: ((caller: Pick<Caller, "subject">, why: string) => void) | undefined
  /** Ends what goes on between requests, of all clients; their next requests begin it anew. `why`: a statement. */
  readonly forget?: ((why: string) => Promise<void>) | undefined
  /** Ends all conversations. */
  readonly close: (why: string) => Promise<void>
}
