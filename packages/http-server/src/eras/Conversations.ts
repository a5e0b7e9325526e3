/**
 * If a caller may use servers that each client has for itself, its client's conversation goes on between requests: these stay alive, and are never another
 * caller's. Requests of one caller that name the same client and capabilities are of one client. Every other request is a conversation of its own, so that
 * nothing crosses from one client to another; if the server asks for input, it waits for that.
 */
import { type ClientRequest, JsonRpc, JsonRpcError } from "@mcp-lifeline/protocol"
import { createHash } from "node:crypto"
import { type Caller, ownerOf } from "../Caller.js"
import { maxInitializeBytes } from "../ClientSessions.js"
import { type Place, Places } from "../Places.js"
import type { Conversing, Member } from "./conversing.js"
import * as Envelope from "./Envelope.js"
import { parking } from "./parkedLimits.js"

export interface Options {
  readonly begin: (member: Member) => Conversing
  readonly hasOwnServers: (caller: Caller) => boolean
  /** Lasting conversations at once. */
  readonly maxClients: number
  /** How long an unused one is kept, in milliseconds. */
  readonly idleTime: number
  /** Default: the servers of clients are not limited. */
  readonly ownServers?: Places | undefined
}

interface Entry {
  readonly conversation: Conversing
  /** Of the client; undefined if it is over with its only request. */
  readonly key: string | undefined
  readonly place: Place
  caller: Caller
  /** When a request last came or was over, by `performance.now`. */
  usedAt: number
}

/** Short, however much the client says about itself; `undefined` if that is too much. */
const keyOf = ({ subject }: Caller, { capabilities, clientInfo }: Envelope.Envelope): string | undefined => {
  const text = JSON.stringify([subject, clientInfo, capabilities])
  return Buffer.byteLength(text) > maxInitializeBytes
    ? undefined
    : createHash("sha256").update(text).digest("base64url")
}

/** None of its functions may throw. */
export class Conversations {
  readonly #options: Options
  readonly #all = new Set<Entry>()
  readonly #lasting = new Map<string, Entry>()
  /** By the state that a client brings with its input. */
  readonly #waiting = new Map<string, Entry>()
  readonly #parking = parking()
  readonly #places: Places

  constructor(options: Options) {
    this.#options = options
    this.#places = new Places(() => options.maxClients, "the conversation made room for others")
  }

  request(request: ClientRequest, caller: Caller): void {
    // The configuration may have changed since the call was made that waits for this.
    const entry = this.#waitingFor(request, caller) ??
      (this.#options.hasOwnServers(caller) ? this.#lastingFor(request, caller) : this.#add(caller, undefined))
    if (entry === undefined) return
    entry.caller = caller
    this.#places.used(entry.place)
    this.#used(entry)
    request.onOver(() => {
      this.#used(entry)
      if (entry.key === undefined && entry.conversation.parked() === 0) this.#end(entry, "the request is over")
    })
    entry.conversation.request(request)
  }

  #used(entry: Entry): void {
    entry.usedAt = performance.now()
    this.#options.ownServers?.used(entry.place)
  }

  close(why: string): Promise<void> {
    return this.#endAll(this.#all, why)
  }

  /** Open requests of the caller are ended before. */
  endOf({ subject }: Pick<Caller, "subject">, why: string): void {
    for (const entry of this.#all) if (entry.caller.subject === subject) this.#end(entry, why)
  }

  /** The next requests of all clients begin anew. */
  forget(why: string): Promise<void> {
    return this.#endAll(this.#lasting.values(), why)
  }

  /** Ends unused conversations; the client's next request begins another. */
  tick(): void {
    const now = performance.now()
    for (const entry of this.#all) {
      entry.conversation.tick()
      const isUnused = entry.conversation.isIdle() && now - entry.usedAt >= this.#options.idleTime
      if (isUnused) this.#end(entry, "the conversation was unused")
    }
  }

  /** That of the same caller with the call for which the request brings input. */
  #waitingFor({ params }: ClientRequest, { subject }: Caller): Entry | undefined {
    const entry = this.#waiting.get(Envelope.stateOf(params) ?? "")
    return entry?.caller.subject === subject ? entry : undefined
  }

  /** `undefined` if it has answered the request itself. */
  #lastingFor(request: ClientRequest, caller: Caller): Entry | undefined {
    const envelope = Envelope.read(request.params)
    if ("code" in envelope) return void request.answer({ error: { ...envelope } })
    const key = keyOf(caller, envelope)
    if (key === undefined) {
      const message = `What the client says about itself is longer than ${maxInitializeBytes} bytes, the maximum`
      return void request.refuse(JsonRpc.invalidParams, message)
    }
    const known = this.#lasting.get(key)
    if (known !== undefined) return known
    if (this.#places.makeRoom(ownerOf(caller))) return this.#add(caller, key)
    const message = `${this.#options.maxClients} clients, the maximum, wait for answers from servers of their own; ` +
      "call again when one of them has its answer"
    return void request.refuse(JsonRpcError.ourCode, message)
  }

  #add(caller: Caller, key: string | undefined): Entry {
    const owner = ownerOf(caller)
    const place: Place = {
      owner,
      canGo: () => entry.conversation.isIdle(),
      end: (why) => void this.#end(entry, why)
    }
    const startsServers = (amount: number): boolean =>
      this.#all.has(entry) && (this.#options.ownServers?.take(place, amount) ?? true)
    const park = this.#parking(owner)
    const member: Member = {
      caller: () => entry.caller,
      owner: owner || undefined,
      park: (bytes, end, state) => {
        this.#waiting.set(state, entry)
        const leave = park(bytes, () => {
          end()
          if (key === undefined) this.#end(entry, "the client did not come back")
        })
        return () => {
          this.#waiting.delete(state)
          leave()
        }
      }
    }
    const conversation = this.#options.begin(key === undefined ? member : { ...member, startsServers, isLasting: true })
    const entry: Entry = { conversation, key, place, caller, usedAt: performance.now() }
    this.#all.add(entry)
    if (key === undefined) return entry
    this.#lasting.set(key, entry)
    this.#places.put(place)
    return entry
  }

  async #endAll(entries: Iterable<Entry>, why: string): Promise<void> {
    await Promise.all([...entries].map((entry) => this.#end(entry, why)))
  }

  #end(entry: Entry, why: string): Promise<void> {
    if (!this.#all.delete(entry)) return Promise.resolve()
    if (entry.key !== undefined) this.#lasting.delete(entry.key)
    this.#places.leave(entry.place)
    this.#options.ownServers?.leave(entry.place)
    return entry.conversation.close(why)
  }
}
