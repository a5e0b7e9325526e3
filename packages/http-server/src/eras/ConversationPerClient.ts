/**
 * Gives each client without a session one conversation, because a server may keep state between requests. Requests of one caller that name the same
 * client and capabilities are of one client.
 */
import { Bytes } from "@mcp-lifeline/core/text"
import { type ClientRequest, JsonRpc, JsonRpcError } from "@mcp-lifeline/protocol"
import { createHash } from "node:crypto"
import { type Caller, ownerOf } from "../Caller.js"
import { maxInitializeBytes } from "../ClientSessions.js"
import type { Client as Member, Conversation } from "../Conversation.js"
import * as FairShare from "../FairShare.js"
import type { Holder, OwnServersBudget } from "../OwnServersBudget.js"
import * as Envelope from "./Envelope.js"
import { isTooMuch, parkedLimits } from "./parkedLimits.js"
import type { StatelessHandler } from "./StatelessHandler.js"

export interface SharedConversation extends Pick<Conversation, "close" | "request"> {
  /** Whether nothing waits for an answer or for input. */
  readonly isIdle: () => boolean
  /** Called at intervals. */
  readonly tick: () => void
  /** Whether a request brings what a call waits for. */
  readonly hasParked?: ((request: ClientRequest) => boolean) | undefined
  /** Calls that wait for input. Default: the conversation limits them itself. */
  readonly parkedCalls?: (() => number) | undefined
  /** Of the bodies of these. */
  readonly parkedBytes?: (() => number) | undefined
  /** Ends the call that waits longest. */
  readonly abandonOldest?: (() => void) | undefined
}

export type SharedMember = { readonly [K in "caller" | "startsServers"]-?: NonNullable<Member[K]> }

export type BeginShared = (member: SharedMember) => SharedConversation

export interface SharedOptions {
  /** Conversations at once. */
  readonly maxClients: number
  /** How long an unused one is kept, in milliseconds. */
  readonly idleTime: number
  /** Default: the servers of clients are not limited. */
  readonly ownServers?: OwnServersBudget | undefined
}

interface Client {
  readonly conversation: SharedConversation
  readonly owner: string
  /** As of its last request. */
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

export class ConversationPerClient implements StatelessHandler {
  readonly #begin: BeginShared
  readonly #options: SharedOptions
  /** Least recently used first. */
  readonly #clients = new Map<string, Client>()

  constructor(begin: BeginShared, options: SharedOptions) {
    this.#begin = begin
    this.#options = options
    options.ownServers?.add(() => this.#holders())
  }

  request(request: ClientRequest, caller: Caller): void {
    const envelope = Envelope.read(request.params)
    if ("code" in envelope) return request.answer({ error: { ...envelope } })
    const key = keyOf(caller, envelope)
    if (key === undefined) {
      const message = `What the client says about itself is longer than ${maxInitializeBytes} bytes, the maximum`
      return request.refuse(JsonRpc.invalidParams, message)
    }
    const client = this.#find(key, caller)
    if (client === undefined) {
      const message = `${this.#options.maxClients} clients, the maximum, wait for answers from servers of their own; ` +
        "call again when one of them has its answer"
      return request.refuse(JsonRpcError.ourCode, message)
    }
    client.caller = caller
    client.usedAt = performance.now()
    request.onOver(() => {
      client.usedAt = performance.now()
      this.#limitParked(client)
    })
    client.conversation.request(request)
  }

  hasParked(request: ClientRequest, caller: Caller): boolean {
    const envelope = Envelope.read(request.params)
    const key = "code" in envelope ? undefined : keyOf(caller, envelope)
    const client = key === undefined ? undefined : this.#clients.get(key)
    return client?.conversation.hasParked?.(request) === true
  }

  /** Answers open requests with `why`. */
  async close(why: string): Promise<void> {
    const all = [...this.#clients.values()]
    this.#clients.clear()
    await Promise.allSettled(all.map(({ conversation }) => conversation.close(why)))
  }

  endOf({ subject }: Pick<Caller, "subject">, why: string): void {
    for (const [key, client] of this.#clients) if (client.caller.subject === subject) this.#end(key, client, why)
  }

  forget(why: string): Promise<void> {
    return this.close(why)
  }

  /** Ends unused conversations; the client's next request begins another. */
  tick(): void {
    const now = performance.now()
    for (const [key, client] of this.#clients) {
      client.conversation.tick()
      if (client.conversation.isIdle() && now - client.usedAt >= this.#options.idleTime) {
        this.#end(key, client, "the conversation was unused")
      }
    }
  }

  #find(key: string, caller: Caller): Client | undefined {
    const known = this.#clients.get(key)
    this.#clients.delete(key)
    const owner = ownerOf(caller)
    if (known === undefined && !this.#makeRoom(owner)) return undefined
    const client = known ?? this.#make(owner, caller)
    this.#clients.set(key, client)
    return client
  }

  #make(owner: string, caller: Caller): Client {
    const startsServers = (amount: number): boolean => {
      const mayStart = this.#options.ownServers?.makeRoom({ key: client, owner, amount }) ?? true
      if (mayStart) client.servers = amount
      return mayStart
    }
    const conversation = this.#begin({ caller: () => client.caller, startsServers })
    const client: Client = { conversation, owner, caller, usedAt: performance.now(), servers: 0 }
    return client
  }

  #holders(): ReadonlyArray<Holder> {
    return Array.from(this.#clients, ([key, client]) => ({
      key: client,
      owner: client.owner,
      amount: client.servers,
      usedAt: client.usedAt,
      isBusy: !client.conversation.isIdle(),
      end: (why) => this.#end(key, client, why)
    }))
  }

  /** A client without a session does not say when it leaves: the one that has been idle longest, of the caller that has most, makes room. */
  #makeRoom(owner: string): boolean {
    return FairShare.makeRoom({
      owner,
      amount: 1,
      capacity: this.#options.maxClients,
      holdings: () => Array.from(this.#clients, ([key, client]) => ({ key, client, owner: client.owner, amount: 1 })),
      canGo: ({ client }) => client.conversation.isIdle(),
      end: ({ client, key }) => this.#end(key, client, "the conversation made room for others")
    })
  }

  #limitParked({ conversation, owner }: Client): void {
    if ((conversation.parkedCalls?.() ?? 0) === 0) return
    for (;;) {
      const all = Array.from(this.#clients.values(), ({ conversation, owner }) => ({
        conversation,
        owner,
        count: conversation.parkedCalls?.() ?? 0,
        bytes: conversation.parkedBytes?.() ?? 0
      }))
      const sum = (of: "bytes" | "count") => all.reduce((total, one) => total + one[of], 0)
      const [count, bytes] = [sum("count"), sum("bytes")]
      if (!isTooMuch({ count, bytes: Bytes(bytes) })) return
      const of = count > parkedLimits.count ? "count" : "bytes"
      const found = FairShare.loser(all.map((one) => ({ ...one, amount: one[of] })), owner, () => true)
      if (found?.conversation.abandonOldest === undefined) return
      found.conversation.abandonOldest()
      if (found.conversation.parkedCalls?.() === found.count) return
    }
  }

  #end(key: string, { conversation }: Client, why: string): void {
    this.#clients.delete(key)
    void conversation.close(why).catch(() => undefined)
  }
}
