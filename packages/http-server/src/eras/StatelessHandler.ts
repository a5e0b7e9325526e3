import type { ClientRequest } from "@mcp-lifeline/protocol"
import type { Caller } from "../Caller.js"

/** For clients without sessions (2026-07-28). None of its functions may throw. */
export interface StatelessHandler {
  /**
   * Answers the request unless the client cancels it. Only a request of the same caller may bring input that a client
   * was asked for.
   */
  readonly request: (request: ClientRequest, caller: Caller) => void
  /** Called at intervals: ends calls whose client did not come back with input. */
  readonly tick: () => void
  /** Ends what goes on between requests of a caller. Its open requests are ended before. `why`: a statement. */
  readonly endOf: (caller: Pick<Caller, "subject">, why: string) => void
  /** The same for all clients, whose next requests begin anew. */
  readonly forget: (why: string) => Promise<void>
  readonly close: (why: string) => Promise<void>
}
