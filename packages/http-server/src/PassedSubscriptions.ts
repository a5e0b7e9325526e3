/** Subscriptions of a client whose requests are passed on: those that its server has accepted, and may still accept. */
import type { ClientRequest, Excess, Holding } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { bytesOf } from "./subscriptionLimits.js"

export class PassedSubscriptions {
  readonly #room: Holding | undefined
  readonly #subscribed: Set<string>
  /** Open requests for a subscription, by URI. */
  readonly #asked = new Map<string, number>()

  /** `before`: they have room already. */
  constructor(room: Holding | undefined, before: Iterable<string> = []) {
    this.#room = room
    this.#subscribed = new Set(before)
  }

  /** Returns why there is no room for a subscription. */
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
