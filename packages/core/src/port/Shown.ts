/** Without Effect, because the types of the Promise API name it. */

/** Evidence that outlives a connection. */
export interface Shown {
  /** Its name and version: of another one this says nothing. */
  readonly server: string
  /** It answered a request while it worked on an older one. */
  readonly isConcurrent: boolean
  /** It answers other questions, but no pings. */
  readonly ignoresPings: boolean
  /** The slowest that was answered, in milliseconds. */
  readonly slowestStart?: number | undefined
  /** When it was found to have sessions (MCP up to 2025-11-25), in milliseconds since the epoch. */
  readonly sessionsSince?: number | undefined
}
