export interface PinChange {
  readonly tool: string
  /** `unknown`: what was approved cannot be read. */
  readonly kind: "changed" | "added" | "removed" | "unknown"
  /** In milliseconds since the epoch. */
  readonly since: number
  /** Neither listed nor callable. */
  readonly withheld: boolean
  /**
   * Field by field; of a new or unknown tool, its definition. Complete up to definitions of 32,768 characters, with codes for characters
   * that cannot be seen. A longer one is said to be too long.
   */
  readonly difference: ReadonlyArray<string>
  /** The same in short, at most 22 lines: long texts are cut, and the last line says what shows all. */
  readonly summary: ReadonlyArray<string>
}

export interface PinsStatus {
  /** Missing where nothing is compared. */
  readonly pins?: PinStatus | undefined
}

export interface PinStatus {
  readonly mode: "warn" | "block"
  readonly changes: ReadonlyArray<PinChange>
  /**
   * Something is kept, but cannot be read. The tools then count as not approved, and nothing is remembered in its place, until somebody
   * approves them or it can be read again.
   */
  readonly unreadable?: { readonly file: string; readonly reason: string } | undefined
  /** In one sentence; `undefined` if there are no changes. */
  readonly warning: string | undefined
}
