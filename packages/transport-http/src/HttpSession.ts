/**
 * The session that a transport speaks in: who has it, and the headers that name it.
 */
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Cookies } from "./Cookies.js"
import type { Position } from "./EventStream.js"

/** What is known of a session that was taken out of a transport. */
export interface Known {
  readonly id: string
  readonly protocolVersion: string | undefined
  readonly serverStream: Position
  readonly exchanges: ReadonlyArray<Position & { readonly id: RequestId }>
  /** Which its server has set in it. */
  readonly cookies?: Cookies | undefined
}

/** A copy of where a stream stands; without one, where it begins. */
export const positionOf = ({ lastEventId, retry }: Partial<Position> = {}): Position => ({ lastEventId, retry })

/** Session ids are visible ASCII (T8). */
const idText = /^[\x21-\x7e]+$/

/** One session, from before `initialize` is answered. */
export class HttpSession {
  #id: string | undefined
  #protocolVersion: string | undefined
  #isInitialized = false
  /** That of this transport, one that was borrowed from another, or one that was taken out of this. */
  #whose: "own" | "borrowed" | "suspended" = "own"
  #known: Known | undefined
  #hasRefused = false
  #hasAnsweredSince = false

  /** Of the server; `undefined` where it keeps no session, or has not said so yet. */
  get id(): string | undefined {
    return this.#id
  }

  get isInitialized(): boolean {
    return this.#isInitialized
  }

  /** Whether a failure is one of an attempt to connect, and not of a session that is up. */
  get isConnecting(): boolean {
    return !this.#isInitialized || this.#whose === "borrowed"
  }

  get isBorrowed(): boolean {
    return this.#whose === "borrowed"
  }

  get isSuspended(): boolean {
    return this.#whose === "suspended"
  }

  /** Whether there is one that is this transport's to end. */
  get isOurs(): boolean {
    return this.#id !== undefined && this.#whose === "own"
  }

  /** Whether a 401 leaves open that the server has forgotten it: not once it has answered after one. */
  get mayBeForgotten(): boolean {
    return this.#id !== undefined && !this.isConnecting && !this.#hasAnsweredSince
  }

  /** The server has answered a request in it with 401. */
  refused(): void {
    this.#hasRefused = true
  }

  /** The server has answered a request in it. */
  answered(): void {
    this.#hasAnsweredSince = this.#hasRefused
  }

  /** What names the session in a request, as an object of the caller's own. */
  get headers(): Record<string, string> {
    const headers: Record<string, string> = {}
    if (this.#id !== undefined) headers["mcp-session-id"] = this.#id
    if (this.#protocolVersion !== undefined) headers["mcp-protocol-version"] = this.#protocolVersion
    return headers
  }

  /** Takes the id that the server gave with its answer to `initialize`. False where it is none that may be sent. */
  begin(id: string | undefined): boolean {
    // An empty one is none, as the official client has it.
    const given = id || undefined
    if (given !== undefined && !idText.test(given)) return false
    this.#id = given
    return true
  }

  initialized(protocolVersion: string): void {
    this.#protocolVersion = protocolVersion
    this.#isInitialized = true
  }

  /** Takes it out of this transport. `undefined` where there is none, or it is not this transport's. */
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

  /** Speaks in one that another transport had. */
  borrow(known: Known): void {
    this.#known = known
    this.#whose = "borrowed"
    this.#id = known.id
    this.#protocolVersion = known.protocolVersion
    this.#isInitialized = true
  }

  /** The borrowed one is this transport's from now on; where its streams stood. */
  goOn(): Known | undefined {
    const known = this.#known
    this.#known = undefined
    this.#whose = "own"
    return known
  }
}
