/** With it, another process can end what is left after this one was killed: see `ProcessRecords` of `@mcp-lifeline/state`. */

/** Durations in milliseconds. */
export interface Started {
  /** The group, and its leader; undefined on Windows, which ends it by itself. */
  readonly pid: number | undefined
  readonly stdinGrace: number
  readonly termGrace: number
  /** In milliseconds since 1970: nobody ends it before, because it may be downloading its server. Default: its owner's end ends it. */
  readonly finishBy?: number | undefined
  /** Its container, as JSON, for `LeftContainer.end`. */
  readonly other?: unknown
}

/** Of one process group. Its functions may not throw. */
export interface Recording {
  readonly env: Readonly<Record<string, string>>
  /** Called again when something changes. */
  readonly started: (group: Started) => void
  /** With its container. Called at most once, after `started`. */
  readonly ended: () => void
}

export interface Recorder {
  readonly begin: () => Recording
}
