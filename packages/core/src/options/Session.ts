import type { Effect } from "effect"
import type { CallError } from "../Errors.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { CallOptions } from "./CallOptions.js"

/** A new generation, before Lifeline sends calls there. */
export interface Session {
  readonly generation: number
  /** On the new connection. */
  readonly request: <M extends Method>(
    method: M,
    params: Params<M>,
    options?: CallOptions
  ) => Effect.Effect<Result<M>, CallError>
}
