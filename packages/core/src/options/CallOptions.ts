/**
 * The options of one call.
 */
import type { Progress, TaskCreationParams } from "@modelcontextprotocol/sdk/types.js"
import type { TimeSpan } from "./TimeSpan.js"

/** Options of one call. */
export interface CallOptions {
  /** Time for the answer. Default `timeouts.request`. */
  readonly timeout?: TimeSpan | undefined
  /** Progress starts `timeout` anew. Default false. */
  readonly resetTimeoutOnProgress?: boolean | undefined
  /** Bound on the whole call, waiting and repetition included. Default: none beyond the others. */
  readonly maxTotalTimeout?: TimeSpan | undefined
  /** How long to wait for a connection. Default `timeouts.wait`. */
  readonly wait?: TimeSpan | undefined
  /** Doing it twice does no harm: send again when the fate of the first is unknown. Default: by method and hints. */
  readonly idempotent?: boolean | undefined
  /** Fail at once when there is no connection. Default `calls.failFast`. */
  readonly failFast?: boolean | undefined
  readonly onprogress?: ((progress: Progress) => void) | undefined
  /** Asked when the call is interrupted: why, for the server. Default: that the caller cancelled it. Must not throw. */
  readonly cancelReason?: (() => unknown) | undefined
  readonly task?: TaskCreationParams | undefined
  /** A schema of the official SDK's kind for the result. */
  readonly resultSchema?: unknown
}
