/**
 * A host of either era of the protocol, or of both at once: each era has a bridge of its own, made when it is first spoken.
 */
import { type ClientRequest, Initialize, type Introduction } from "@mcp-lifeline/protocol"
import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId
} from "@modelcontextprotocol/sdk/types.js"
import { isStateless, type ServerSession, StatelessClient } from "./StatelessClient.js"

/** What stands between a host of one era and a server. */
export interface Bridge extends ServerSession {
  /** Says nothing more to the host. */
  readonly end: () => void
}

/** Takes a message for the host that is about no request of its own. */
type Write = (message: JSONRPCNotification | JSONRPCRequest) => void

/** Makes a bridge, which gives `write` its messages. */
type Make = (write: Write, isStateless: boolean) => Bridge

/** Hands each message of a host to the bridge of its era. */
export class EraRouter {
  readonly #bridges: Array<Bridge> = []
  readonly #make: Make
  readonly #write: Write
  readonly #name: string
  readonly #isShared: boolean
  #withSessions: Bridge | undefined
  #stateless: StatelessClient | undefined

  /** `isShared`: whether there may be several hosts without sessions, which nobody can tell apart. */
  constructor(name: string, make: Make, write: Write, isShared = false) {
    this.#make = make
    this.#write = write
    this.#name = name
    this.#isShared = isShared
  }

  /** Whether no host without a session waits for anything. */
  get isIdle(): boolean {
    return this.#stateless?.isIdle !== false
  }

  /** Called now and then: ends calls to which a host without a session did not come back. */
  tick(): void {
    this.#stateless?.tick()
  }

  /** Takes a request of the host. */
  request(request: ClientRequest): void {
    if (isStateless(request)) {
      this.#stateless ??= this.#makeStateless()
      this.#stateless.request(request)
    } else this.#session.request(request)
  }

  /** Takes any other message of the host: only those with a session send them, but for a cancellation. */
  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    if (!("method" in message) || message.method !== "notifications/cancelled") return this.#session.receive(message)
    this.#stateless?.cancel(message.params?.["requestId"] as RequestId, message.params?.["reason"])
  }

  /** What a host is told of the server that says nothing of itself. Starts nothing. */
  introduce(): Promise<Introduction> {
    return this.#session.introduce({
      protocolVersion: Initialize.latestVersion,
      capabilities: {},
      clientInfo: { name: "unnamed", version: "unknown" }
    })
  }

  /** Ends the streams of changes. */
  endStreams(): void {
    this.#stateless?.end()
  }

  /** Says nothing more to the host. */
  end(): void {
    this.endStreams()
    for (const bridge of this.#bridges) bridge.end()
  }

  get #session(): Bridge {
    this.#withSessions ??= this.#bridge(this.#write, false)
    return this.#withSessions
  }

  #bridge(write: Write, isStateless: boolean): Bridge {
    const bridge = this.#make(write, isStateless)
    this.#bridges.push(bridge)
    return bridge
  }

  #makeStateless(): StatelessClient {
    const session = this.#bridge((message) => host.deliver(message), true)
    const host: StatelessClient = new StatelessClient({
      name: this.#name,
      isShared: this.#isShared,
      session: {
        introduce: (params) => session.introduce(params),
        request: (request) => {
          // The host may have been told this of the server by another process, which it has started to ask nothing else.
          if (request.method === "initialize") void session.introduce(request.params)
          session.request(request)
        },
        receive: (message) => session.receive(message)
      }
    })
    return host
  }
}
