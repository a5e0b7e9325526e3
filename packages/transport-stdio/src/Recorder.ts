/**
 * What records the processes that a connector starts, so that what is left of them after this process was killed can be ended by another
 * one. `ProcessRecords` of `@mcp-lifeline/state` is one.
 */

/** What is known of a process group that was started. Durations in milliseconds. */
export interface Started {
  /** The number of the group and the id of its leader; undefined on Windows, which ends it by itself. */
  readonly pid: number | undefined
  readonly stdinGrace: number
  readonly termGrace: number
  /**
   * Until when nobody ends it, in milliseconds since 1970, because it may still be downloading the server that it is to start. Default: its
   * owner's end ends it.
   */
  readonly finishBy?: number | undefined
  /** Its container, as JSON, which `LeftContainer.end` takes. */
  readonly other?: unknown
}

/** The record of one process group. None of its functions may throw. */
export interface Recording {
  /** Variables for its environment. */
  readonly env: Readonly<Record<string, string>>
  /** It has been started. Called again when something of this changes. */
  readonly started: (group: Started) => void
  /** It has ended, with its container. Called at most once, and only after `started`. */
  readonly ended: () => void
}

/** Records process groups. */
export interface Recorder {
  /** Called before each process is started. */
  readonly begin: () => Recording
}
