/**
 * A session that is not open for calls yet, as `onConnected` gets it.
 */
import type { Effect } from "effect"
import type { CallError } from "../Errors.js"
import type { CallOptions } from "../options/CallOptions.js"
import type { Method, Params, Result } from "./Method.js"

/** What a new generation gives to `onConnected` before calls are let in. */
export interface Session {
  readonly generation: number
  readonly request: <M extends Method>(
    method: M,
    params: Params<M>,
    options?: CallOptions
  ) => Effect.Effect<Result<M>, CallError>
}
