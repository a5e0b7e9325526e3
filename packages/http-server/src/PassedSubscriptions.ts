/**
 * Counts the subscriptions of a client whose requests are passed on: what its server has accepted, and what it may still accept.
 */
import type { ClientRequest } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import type { Excess, Holding } from "./Quota.js"
import { bytesOf } from "./subscriptionLimits.js"

export class PassedSubscriptions {
  readonly #room: Holding | undefined
  readonly #subscribed: Set<string>
  /** How many requests for a subscription are open, by URI. */
  readonly #asked = new Map<string, number>()

  /** `before`: subscriptions that have room already. */
  constructor(room: Holding | undefined, before: Iterable<string> = []) {
    this.#room = room
    this.#subscribed = new Set(before)
  }

  /** Takes note of a request that has just come. If it is one for a subscription for which there is no room, returns why. */
  note(request: Pick<ClientRequest, "method" | "onOver" | "params">): Excess | undefined {
    const uri = request.params?.["uri"]
    if (!Predicate.isString(uri)) return undefined
    if (request.method === "resources/subscribe") return this.#subscribe(request, uri)
    if (request.method !== "resources/unsubscribe") return undefined
    request.onOver((error) => {
      if (error === undefined && this.#subscribed.delete(uri)) this.#leave(uri)
    })
    return undefined
  }

  #subscribe(request: Pick<ClientRequest, "onOver">, uri: string): Excess | undefined {
    const excess = this.#has(uri) ? undefined : this.#room?.take(bytesOf(uri))
    if (excess !== undefined) return excess
    this.#asked.set(uri, (this.#asked.get(uri) ?? 0) + 1)
    request.onOver((error) => {
      if (error === undefined) this.#subscribed.add(uri)
      const others = (this.#asked.get(uri) ?? 0) - 1
      if (others > 0) return void this.#asked.set(uri, others)
      this.#asked.delete(uri)
      this.#leave(uri)
    })
    return undefined
  }

  #has(uri: string): boolean {
    return this.#subscribed.has(uri) || this.#asked.has(uri)
  }

  #leave(uri: string): void {
    if (!this.#has(uri)) this.#room?.release(bytesOf(uri))
  }
}
