/** The port for what outlives the program of what a server has shown of itself. */

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

/** Where that outlives the program. */
export interface TemperamentMemory {
  readonly remembered?: Shown | undefined
  /** Called when the server has shown something new. Must not throw. */
  readonly keep: (shown: Shown) => void
}
