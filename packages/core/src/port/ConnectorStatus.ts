/** What a connector answers for in the status of its backend. */

/** A login that a person has to finish before the connector can connect. */
export interface NeededSignIn {
  /** What to do, in one line, with the address and a code to enter if there is one. */
  readonly message: string
  /** The address to open in a browser. */
  readonly address: string
}

/** Part of `Status`. */
export interface ConnectorStatus {
  /** What people should know, such as that credentials go to the server without encryption: one line without secrets. */
  readonly connectorWarning?: string | undefined
  /** Set while a person has to finish a login before Lifeline can use all of the server. */
  readonly signIn?: NeededSignIn | undefined
}
