/**
 * Each era of the protocol has a bridge of its own, made at its first message; a client may use both.
 */
import type { ClientRequest, Introduction } from "@mcp-lifeline/protocol"
import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId
} from "@modelcontextprotocol/sdk/types.js"
import { isStateless } from "./Envelope.js"
import { type ServerSession, StatelessClient } from "./StatelessClient.js"

export interface Bridge extends ServerSession {
  /**
   * Whether this bridge, whose client has no session and knows at most who the server is, goes on for one whose `initialize` has these
   * params. So its server is not started again.
   */
  readonly beginSession: (params: unknown) => boolean
  readonly end: () => void
}

type Write = (message: JSONRPCNotification | JSONRPCRequest) => void

interface Stateless {
  readonly client: StatelessClient
  readonly bridge: Bridge
  write: Write
}

type Make = (write: Write, isStateless: boolean) => Bridge

export class EraRouter {
  readonly #bridges: Array<Bridge> = []
  readonly #make: Make
  readonly #write: Write
  readonly #name: string
  #withSession: Bridge | undefined
  #withoutSession: Stateless | undefined

  constructor(name: string, make: Make, write: Write) {
    this.#make = make
    this.#write = write
    this.#name = name
  }

  request(request: ClientRequest): void {
    if (isStateless(request)) {
      this.#withoutSession ??= this.#makeStateless()
      return this.#withoutSession.client.request(request)
    }
    if (request.method === "initialize") this.#handOver(request.params)
    this.#sessionBridge.request(request)
  }

  /** Except for cancellations, only clients with a session send these. */
  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    if (!("method" in message) || message.method !== "notifications/cancelled") {
      return this.#sessionBridge.receive(message)
    }
    this.#withoutSession?.client.cancel(message.params?.["requestId"] as RequestId, message.params?.["reason"])
  }

  /** For a client of whose messages another one has made those of a session. */
  introduce(params: unknown): Promise<Introduction | string> {
    return this.#sessionBridge.introduce(params)
  }

  endStreams(): void {
    this.#withoutSession?.client.end()
  }

  /** Sends the client nothing more. */
  end(): void {
    this.endStreams()
    for (const bridge of this.#bridges) bridge.end()
  }

  get #sessionBridge(): Bridge {
    return this.#withSession ??= this.#makeBridge(this.#write, false)
  }

  #makeBridge(write: Write, isStateless: boolean): Bridge {
    const bridge = this.#make(write, isStateless)
    this.#bridges.push(bridge)
    return bridge
  }

  #makeStateless(): Stateless {
    const bridge = this.#makeBridge((message) => stateless.write(message), true)
    const client = new StatelessClient({ name: this.#name, session: bridge })
    const stateless: Stateless = { client, bridge, write: (message) => client.deliver(message) }
    return stateless
  }

  /** A client that got no answer to `server/discover` goes on with `initialize`. */
  #handOver(params: unknown): void {
    const stateless = this.#withoutSession
    if (this.#withSession !== undefined || stateless?.bridge.beginSession(params) !== true) return
    this.#withSession = stateless.bridge
    stateless.write = this.#write
    this.#withoutSession = undefined
  }
}
