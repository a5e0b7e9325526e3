/** A tool that is not as it was approved. */
export interface PinChange {
  readonly tool: string
  /** `unknown`: what was approved cannot be read, so nobody knows whether the tool is as it was. */
  readonly kind: "changed" | "added" | "removed" | "unknown"
  /** When this was found, in milliseconds since the epoch. */
  readonly since: number
  /** Whether it is withheld: neither listed nor callable. */
  readonly withheld: boolean
  /**
   * What has changed, field by field; of a new tool, or one of which nobody knows, its definition. Nothing is left out of a definition of up to
   * 32,768 characters, and characters that cannot be seen are shown as their codes. Of a longer one, it says that it is too long.
   */
  readonly difference: ReadonlyArray<string>
  /** The same in short, at most 22 lines: long texts are cut, and the last line says what shows all. */
  readonly summary: ReadonlyArray<string>
}

/** What the extension adds to a backend's status. */
export interface PinsStatus {
  /** Missing where nothing is compared. */
  readonly pins?: PinStatus | undefined
}

/** The tools of a server, compared with those that were approved. */
export interface PinStatus {
  readonly mode: "warn" | "block"
  readonly changes: ReadonlyArray<PinChange>
  /**
   * Why it is not known what was approved: something is kept, but cannot be read. Then the tools of the server count as not approved, and
   * nothing is remembered in place of what is kept, until somebody approves them or it can be read again.
   */
  readonly unreadable?: { readonly file: string; readonly reason: string } | undefined
  /** The changes in one sentence, or that they are not known; `undefined` if there are none. */
  readonly warning: string | undefined
}
