/** What a server has shown of itself. Without Effect, because the types of the Promise API name it. */

/** Evidence that outlives a connection. */
export interface Shown {
  /** Name and version of the server that has shown it: of another one it says nothing. */
  readonly server: string
  /** It has answered a request while it worked on an older one. */
  readonly isConcurrent: boolean
  /** It leaves pings without an answer, and answers other questions. */
  readonly ignoresPings: boolean
  /** The slowest start that was answered, in milliseconds. */
  readonly slowestStart?: number | undefined
  /** When it was found out that the server has sessions (the revisions of MCP up to 2025-11-25), in milliseconds since the epoch. */
  readonly sessionsSince?: number | undefined
}
