/**
 * A login that waits for a person.
 */

/** A login that a person has to finish before the connector can connect. */
export interface NeededSignIn {
  /** What to do, in one line, with the address and a code to enter if there is one. */
  readonly message: string
  /** The address to open in a browser. */
  readonly address: string
}
