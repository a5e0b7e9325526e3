import type { Bytes } from "@mcp-lifeline/core/text"
import type * as Quota from "@mcp-lifeline/protocol"

/** Of what is for all, one client that is alone may have half. */
export interface Limits {
  /** In memory; for one more, one that is idle leaves (`Places`). Default 1,000. */
  readonly maxSessions?: number | undefined
  /** Of one request. Default 16 MiB. */
  readonly maxBodyBytes?: Bytes | undefined
  /** Servers of single clients; one session may always have its own. Called each time. Default 128. */
  readonly maxOwnServers?: (() => number | undefined) | undefined
  /** Of all bodies that are being read. Default 64 MiB. */
  readonly maxBodiesBytes?: Bytes | undefined
  /** Unanswered requests of one session, or of the only client without sessions. Default 1,000. */
  readonly maxCalls?: number | undefined
  /** Unanswered requests of all clients. Default 10,000. */
  readonly maxOpenCalls?: number | undefined
  /** In the bodies of these. Default 256 MiB. */
  readonly maxOpenBytes?: Bytes | undefined
  /** Of events that all streams keep for clients that resume. Default 64 MiB. */
  readonly maxKeptBytes?: Bytes | undefined
  /** Subscriptions to resources. Default `subscriptionLimits`. */
  readonly subscriptions?: Quota.Limits | undefined
}
