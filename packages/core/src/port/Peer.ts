/** For people: the process, or the address without credentials. */
export interface Peer {
  /** Of the process that the connector started. */
  readonly pid?: number | undefined
  /** Of a server over HTTP. */
  readonly url?: string | undefined
}
