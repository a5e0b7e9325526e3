/**
 * What is too much is refused to who asks for it; a share is at most as much as is left for others.
 */

import type { Bytes } from "@mcp-lifeline/core/text"
import type * as Quota from "@mcp-lifeline/protocol"

export interface Limits {
  /**
   * In memory; one caller may have half. For one more, the least recently used idle session of the caller that has most leaves the memory. Default
   * 1,000.
   */
  readonly maxSessions?: number | undefined
  /** Of one request. Default 16 MiB. */
  readonly maxBodyBytes?: Bytes | undefined
  /**
   * Servers of single clients, together; one caller may have half, and one session always its own. To make room, the least recently used session of the
   * caller that has most loses its servers. Called each time. Default 128.
   */
  readonly maxOwnServers?: (() => number | undefined) | undefined
  /** Of all bodies that are being read; one client may have half. Default 64 MiB. */
  readonly maxBodiesBytes?: Bytes | undefined
  /** Unanswered requests of one session, or of the only client without sessions. Default 1,000. */
  readonly maxCalls?: number | undefined
  /** Unanswered requests of all clients; one may have half. Default 10,000. */
  readonly maxOpenCalls?: number | undefined
  /** In the bodies of these; one client may have half. Default 256 MiB. */
  readonly maxOpenBytes?: Bytes | undefined
  /** Of events that all streams keep for clients that resume. Default 64 MiB. */
  readonly maxKeptBytes?: Bytes | undefined
  /** Subscriptions to resources. Default `subscriptionLimits`. */
  readonly subscriptions?: Quota.Limits | undefined
}
