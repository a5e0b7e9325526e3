/** A new session before Lifeline sends calls there, as `onConnected` gets it. */
import type { Effect } from "effect"
import type { CallError } from "../Errors.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { CallOptions } from "./CallOptions.js"

/** What `onConnected` gets for a new generation, before Lifeline sends calls there. */
export interface Session {
  /** The number of the new connection. */
  readonly generation: number
  /** Sends a request on the new connection. */
  readonly request: <M extends Method>(
    method: M,
    params: Params<M>,
    options?: CallOptions
  ) => Effect.Effect<Result<M>, CallError>
}
