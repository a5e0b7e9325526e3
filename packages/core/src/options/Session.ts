import type { Effect, Layer } from "effect"
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

/** Nobody waits for it. `R`: the services that it uses. */
export type RuntimeLayer<R = never> = (session: Session) => Layer.Layer<never, never, R>
