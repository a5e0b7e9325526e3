import type { Progress, TaskCreationParams } from "@modelcontextprotocol/sdk/types.js"
import type { Effect, Layer } from "effect"
import type { CallError } from "../Errors.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { CallBounds } from "./PolicyOptions.js"
import * as TimeSpan from "./TimeSpan.js"

export interface CallOptions extends CallBounds<TimeSpan.TimeSpan> {
  /** For the whole call where neither `timeout` nor its tool's options say it. Default `timeouts.request`. */
  readonly defaultTimeout?: TimeSpan.TimeSpan | undefined
  /** Each progress notification restarts `timeout`. Default false. */
  readonly resetTimeoutOnProgress?: boolean | undefined
  readonly onprogress?: ((progress: Progress) => void) | undefined
  /** Called just before each sending, with the generation of the connection. Must not throw. */
  readonly onSent?: ((generation: number) => void) | undefined
  /** Called when the call is interrupted. Returns the reason for the server. Default: that the caller cancelled it. Must not throw. */
  readonly cancelReason?: (() => unknown) | undefined
  readonly task?: TaskCreationParams | undefined
  /** As the official SDK takes it. */
  readonly resultSchema?: unknown
}

/** Milliseconds; `undefined` if its options do not say. */
export const timeOf = (options: CallOptions | undefined): number | undefined => {
  const times = [options?.timeout, options?.maxTotalTimeout].flatMap((time) =>
    time === undefined ? [] : [TimeSpan.millis(time)]
  )
  return times.length === 0 ? undefined : Math.min(...times)
}

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
