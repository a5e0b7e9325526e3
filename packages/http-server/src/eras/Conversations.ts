/**
 * If a caller may use servers that each client has for itself, its client's conversation goes on between requests: these stay alive, and are never another
 * caller's. Requests of one caller that name the same client and capabilities are of one client. Every other request is a conversation of its own, so that
 * nothing crosses from one client to another; if the server asks for input, it waits for that.
 */
import { Bytes } from "@mcp-lifeline/core/text"
import { type ClientRequest, JsonRpc, JsonRpcError } from "@mcp-lifeline/protocol"
import { createHash } from "node:crypto"
import { type Caller, ownerOf } from "../Caller.js"
import { maxInitializeBytes } from "../ClientSessions.js"
import type { Client } from "../Conversation.js"
import * as FairShare from "../FairShare.js"
import type { Holder, OwnServersBudget } from "../OwnServersBudget.js"
import type { Conversing } from "./conversing.js"
import * as Envelope from "./Envelope.js"
import { isTooMuch, parkedLimits } from "./parkedLimits.js"
import type { StatelessHandler } from "./StatelessHandler.js"

export type Member = Pick<Client, "caller" | "isLasting" | "startsServers">

export interface Options {
  readonly begin: (member: Member) => Conversing
  readonly hasOwnServers: (caller: Caller) => boolean
  /** Lasting conversations at once. */
  readonly maxClients: number
  /** How long an unused one is kept, in milliseconds. */
  readonly idleTime: number
  /** Default: the servers of clients are not limited. */
  readonly ownServers?: OwnServersBudget | undefined
}

interface Entry {
  readonly conversation: Conversing
  /** Of the client; undefined if it is over with its only request. */
  readonly key: string | undefined
  readonly owner: string
  caller: Caller
  /** When a request last came or was over, by `performance.now`. */
  usedAt: number
  servers: number
}

/** Short, however much the client says about itself; `undefined` if that is too much. */
const keyOf = ({ subject }: Caller, { capabilities, clientInfo }: Envelope.Envelope): string | undefined => {
  const text = JSON.stringify([subject, clientInfo, capabilities])
  return Buffer.byteLength(text) > maxInitializeBytes
    ? undefined
    : createHash("sha256").update(text).digest("base64url")
}

export class Conversations implements StatelessHandler {
  readonly #options: Options
  readonly #all = new Set<Entry>()
  readonly #lasting = new Map<string, Entry>()

  constructor(options: Options) {
    this.#options = options
    options.ownServers?.add(() => this.#holders())
  }

  request(request: ClientRequest, caller: Caller): void {
    // The configuration may have changed since the call was made that waits for this.
    const entry = this.#waitingFor(request, caller) ??
      (this.#options.hasOwnServers(caller) ? this.#lastingFor(request, caller) : this.#add(caller, undefined))
    if (entry === undefined) return
    this.#all.delete(entry)
    this.#all.add(entry)
    entry.caller = caller
    entry.usedAt = performance.now()
    request.onOver(() => {
      entry.usedAt = performance.now()
      if (entry.key === undefined && entry.conversation.parked().count === 0) this.#end(entry, "the request is over")
      else this.#limitParked(entry)
    })
    entry.conversation.request(request)
  }

  close(why: string): Promise<void> {
    return this.#endAll(this.#all, why)
  }

  endOf({ subject }: Pick<Caller, "subject">, why: string): void {
    for (const entry of this.#all) if (entry.caller.subject === subject) this.#end(entry, why)
  }

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
  #waitingFor(request: ClientRequest, { subject }: Caller): Entry | undefined {
    if (Envelope.stateOf(request.params) === undefined) return undefined
    for (const entry of this.#all) {
      if (entry.caller.subject === subject && entry.conversation.hasParked(request)) return entry
    }
    return undefined
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
    if (this.#makeRoom(ownerOf(caller))) return this.#add(caller, key)
    const message = `${this.#options.maxClients} clients, the maximum, wait for answers from servers of their own; ` +
      "call again when one of them has its answer"
    return void request.refuse(JsonRpcError.ourCode, message)
  }

  #add(caller: Caller, key: string | undefined): Entry {
    const owner = ownerOf(caller)
    const startsServers = (amount: number): boolean => {
      const mayStart = this.#options.ownServers?.makeRoom({ key: entry, owner, amount }) ?? true
      if (mayStart) entry.servers = amount
      return mayStart
    }
    const member: Member = { caller: () => entry.caller }
    const conversation = this.#options.begin(key === undefined ? member : { ...member, startsServers, isLasting: true })
    const entry: Entry = { conversation, key, owner, caller, usedAt: performance.now(), servers: 0 }
    this.#all.add(entry)
    if (key !== undefined) this.#lasting.set(key, entry)
    return entry
  }

  #holders(): ReadonlyArray<Holder> {
    return Array.from(this.#lasting.values(), (entry) => ({
      key: entry,
      owner: entry.owner,
      amount: entry.servers,
      usedAt: entry.usedAt,
      isBusy: !entry.conversation.isIdle(),
      end: (why) => this.#end(entry, why)
    }))
  }

  /** A client without a session does not say when it leaves: the one that has been idle longest, of the caller that has most, makes room. */
  #makeRoom(owner: string): boolean {
    const lasting = () => [...this.#all].filter(({ key }) => key !== undefined)
    return FairShare.makeRoom({
      owner,
      amount: 1,
      capacity: this.#options.maxClients,
      holdings: () => lasting().map((entry) => ({ entry, owner: entry.owner, amount: 1 })),
      canGo: ({ entry }) => entry.conversation.isIdle(),
      end: ({ entry }) => this.#end(entry, "the conversation made room for others")
    })
  }

  /** The caller that has most loses what waits longest. */
  #limitParked({ conversation, owner }: Entry): void {
    if (conversation.parked().count === 0) return
    for (;;) {
      const all = Array.from(this.#all, (entry) => ({ entry, owner: entry.owner, ...entry.conversation.parked() }))
      const sum = (of: "bytes" | "count") => all.reduce((total, one) => total + one[of], 0)
      const [count, bytes] = [sum("count"), sum("bytes")]
      if (!isTooMuch({ count, bytes: Bytes(bytes) })) return
      const of = count > parkedLimits.count ? "count" : "bytes"
      const found = FairShare.loser(all.map((one) => ({ ...one, amount: one[of] })), owner, () => true)?.entry
      if (found === undefined) return
      const before = found.conversation.parked().count
      found.conversation.abandonOldest()
      if (found.key === undefined) this.#end(found, "the client did not come back")
      else if (found.conversation.parked().count === before) return
    }
  }

  async #endAll(entries: Iterable<Entry>, why: string): Promise<void> {
    await Promise.all([...entries].map((entry) => this.#end(entry, why)))
  }

  #end(entry: Entry, why: string): Promise<void> {
    this.#all.delete(entry)
    if (entry.key !== undefined) this.#lasting.delete(entry.key)
    return entry.conversation.close(why)
  }
}
