/** A person has to finish it before the connector can connect. */
export interface NeededSignIn {
  /** What to do, in one line, with the address and any code to enter. */
  readonly message: string
  /** To open in a browser. */
  readonly address: string
}

/** Part of `Status`. */
export interface ConnectorStatus {
  /** For people, such as that credentials go unencrypted: one line without secrets. */
  readonly connectorWarning?: string | undefined
  /** Until it is finished, Lifeline cannot use all of the server. */
  readonly signIn?: NeededSignIn | undefined
}

/** For people: the process, or the address without credentials. */
export interface Peer {
  /** Of the process that the connector started. */
  readonly pid?: number | undefined
  /** Of a server over HTTP. */
  readonly url?: string | undefined
}
