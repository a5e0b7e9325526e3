/** What a connection is connected to, for people: the process, or the address without credentials. */
export interface Peer {
  /** The id of the process that the connector started. */
  readonly pid?: number | undefined
  /** The address of a server over HTTP. */
  readonly url?: string | undefined
}
