/**
 * What is known of the tools of a server that are not as they were approved.
 */

/** A tool that is not as it was approved. */
export interface PinChange {
  readonly tool: string
  readonly kind: "changed" | "added" | "removed"
  /** When this was found, in milliseconds since the epoch. */
  readonly since: number
  /** Whether it is withheld: neither listed nor callable. */
  readonly withheld: boolean
  /**
   * What has changed, field by field; of a new tool, its definition. Long texts are shortened around the change, and characters that
   * cannot be seen are shown as their codes.
   */
  readonly difference: ReadonlyArray<string>
}

/** The tools of a server, compared with those that were approved. */
export interface PinStatus {
  readonly mode: "warn" | "block"
  readonly changes: ReadonlyArray<PinChange>
  /** The changes in one sentence; `undefined` if there are none. */
  readonly warning: string | undefined
}
