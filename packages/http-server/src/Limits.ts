/**
 * How much clients may use. What is too much is refused to who asks for it; a share is at most as much as is left for others.
 */

import { type Bytes } from "@mcp-lifeline/core/internal"
import type * as Quota from "./Quota.js"

/** Each has a default. */
export interface Limits {
  /**
   * Sessions in memory. For one more, the least recently used session with nothing open leaves the memory: of the caller that has most of them. A caller
   * alone may have half. Default 1,000.
   */
  readonly maxSessions?: number | undefined
  /** Bytes in the body of a request. Default 16 MiB. */
  readonly maxBodyBytes?: Bytes | undefined
  /**
   * Servers that run for single clients, of all clients together. To make room, the least recently used session loses its servers: of the caller
   * that has most of them. A caller alone may have half; one session alone may always have its own. Called each time that servers are needed.
   * Default 128.
   */
  readonly maxOwnServers?: (() => number | undefined) | undefined
  /** Bytes of all request bodies that are being read; a client alone may use half. Default 64 MiB. */
  readonly maxBodiesBytes?: Bytes | undefined
  /** Unanswered requests of one session, or of a client without sessions while it is the only one. Default 1,000. */
  readonly maxCalls?: number | undefined
  /** Unanswered requests of all clients together; a client alone may have half. Default 10,000. */
  readonly maxOpenCalls?: number | undefined
  /** Bytes in the bodies of these; a client alone may have half. Default 256 MiB. */
  readonly maxOpenBytes?: Bytes | undefined
  /** Bytes of events that all streams together keep for clients that resume them. Default 64 MiB. */
  readonly maxKeptBytes?: Bytes | undefined
  /** Subscriptions to resources, in both eras. Default `subscriptionLimits`. */
  readonly subscriptions?: Quota.Limits | undefined
}
