import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Cookies } from "./Cookies.js"
import type { Position } from "./EventStream.js"

/** What goes with a session that is taken out of a transport. */
export interface Known {
  readonly id: string
  readonly protocolVersion: string | undefined
  readonly serverStream: Position
  readonly exchanges: ReadonlyArray<Position & { readonly id: RequestId }>
  readonly cookies?: Cookies | undefined
}

/** A copy. */
export const positionOf = ({ lastEventId, retry }: Partial<Position> = {}): Position => ({ lastEventId, retry })

/** Visible ASCII (T8). */
const idText = /^[\x21-\x7e]+$/

export class HttpSession {
  #id: string | undefined
  #protocolVersion: string | undefined
  #isInitialized = false
  /** Borrowed from another transport, or taken out of this one. */
  #whose: "own" | "borrowed" | "suspended" = "own"
  #known: Known | undefined
  #hasRefused = false
  #hasAnsweredSince = false

  /** `undefined` if the server keeps no session, or has not said so yet. */
  get id(): string | undefined {
    return this.#id
  }

  get isInitialized(): boolean {
    return this.#isInitialized
  }

  /** Whether a failure is one of connecting. */
  get isConnecting(): boolean {
    return !this.#isInitialized || this.#whose === "borrowed"
  }

  get isBorrowed(): boolean {
    return this.#whose === "borrowed"
  }

  get isSuspended(): boolean {
    return this.#whose === "suspended"
  }

  get isOurs(): boolean {
    return this.#id !== undefined && this.#whose === "own"
  }

  /** Whether a 401 leaves open that the server has forgotten it: not once it has answered after one. */
  get mayBeForgotten(): boolean {
    return this.#id !== undefined && !this.isConnecting && !this.#hasAnsweredSince
  }

  /** With 401. */
  refused(): void {
    this.#hasRefused = true
  }

  answered(): void {
    this.#hasAnsweredSince = this.#hasRefused
  }

  /** A new object. */
  get headers(): Record<string, string> {
    const headers: Record<string, string> = {}
    if (this.#id !== undefined) headers["mcp-session-id"] = this.#id
    if (this.#protocolVersion !== undefined) headers["mcp-protocol-version"] = this.#protocolVersion
    return headers
  }

  /** Takes the id from the answer to `initialize`. False if it may not be sent. */
  begin(id: string | undefined): boolean {
    // An empty id is none, as in the official client.
    const given = id || undefined
    if (given !== undefined && !idText.test(given)) return false
    this.#id = given
    return true
  }

  initialized(protocolVersion: string): void {
    this.#protocolVersion = protocolVersion
    this.#isInitialized = true
  }

  /** `undefined` if there is none, or it is not this transport's. */
  suspend(
    serverStream: Position,
    exchanges: ReadonlyArray<Position & { readonly id: RequestId }>,
    cookies?: Cookies
  ): Known | undefined {
    if (this.#id === undefined || !this.isOurs || !this.#isInitialized) return undefined
    this.#whose = "suspended"
    return {
      id: this.#id,
      protocolVersion: this.#protocolVersion,
      serverStream: positionOf(serverStream),
      exchanges: exchanges.map((exchange) => ({ id: exchange.id, ...positionOf(exchange) })),
      ...(cookies === undefined ? {} : { cookies })
    }
  }

  borrow(known: Known): void {
    this.#known = known
    this.#whose = "borrowed"
    this.#id = known.id
    this.#protocolVersion = known.protocolVersion
    this.#isInitialized = true
  }

  /** Makes the borrowed session this transport's; returns where its streams stood. */
  goOn(): Known | undefined {
    const known = this.#known
    this.#known = undefined
    this.#whose = "own"
    return known
  }
}
