/**
 * A host of either era of the protocol, or of both at once: each era has a bridge of its own, made when it is first spoken.
 */
import { Initialize, type Introduction } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { isStateless, type Session, StatelessHost } from "./StatelessHost.js"

/** What stands between a host of one era and a server. */
export interface Bridge extends Session {
  /** Resolved when the host has been answered everything that it has asked. */
  readonly settled: Promise<void>
  /** Cancels what the host has asked, and answers it: that `why`, and what is known of it. Ends when that is done. */
  readonly interrupt: (why: string) => Promise<void>
  /** Says nothing more to the host. */
  readonly end: () => void
}

/** Makes a bridge, which gives `write` its messages. */
type Make = (write: (message: JSONRPCMessage) => void, isStateless: boolean) => Bridge

/** Hands each message of a host to the bridge of its era. */
export class Eras {
  readonly #bridges: Array<Bridge> = []
  readonly #make: Make
  readonly #write: (message: JSONRPCMessage, about?: RequestId) => void
  readonly #name: string
  readonly #isShared: boolean
  #withSessions: Bridge | undefined
  #stateless: StatelessHost | undefined

  /**
   * `write` is told, too, about which request a message is, where its host has no session. `isShared`: whether there may be several hosts
   * without sessions, which nobody can tell apart.
   */
  constructor(
    name: string,
    make: Make,
    write: (message: JSONRPCMessage, about?: RequestId) => void,
    isShared = false
  ) {
    this.#make = make
    this.#write = write
    this.#name = name
    this.#isShared = isShared
  }

  /** Takes a message of the host. */
  receive(message: JSONRPCMessage): void {
    if (isStateless(message)) this.#stateless ??= this.#makeStateless()
    if (this.#stateless?.receive(message) === true) return
    this.#withSessions ??= this.#bridge(this.#write, false)
    this.#withSessions.receive(message)
  }

  /** What a host is told of the server that says nothing of itself. Starts nothing. */
  introduce(): Promise<Introduction> {
    this.#withSessions ??= this.#bridge(this.#write, false)
    return this.#withSessions.introduce({
      protocolVersion: Initialize.latestVersion,
      capabilities: {},
      clientInfo: { name: "unnamed", version: "unknown" }
    })
  }

  /** Resolved when the host has been answered everything that it has asked. */
  async settled(): Promise<void> {
    await Promise.all(this.#bridges.map((bridge) => bridge.settled))
  }

  /** Cancels what the host has asked, and answers it: that `why`, and what is known of it. Ends when that is done. */
  async interrupt(why: string): Promise<void> {
    await Promise.all(this.#bridges.map((bridge) => bridge.interrupt(why)))
  }

  /** Says nothing more to the host. */
  end(): void {
    this.#stateless?.end()
    for (const bridge of this.#bridges) bridge.end()
  }

  #bridge(write: (message: JSONRPCMessage) => void, isStateless: boolean): Bridge {
    const bridge = this.#make(write, isStateless)
    this.#bridges.push(bridge)
    return bridge
  }

  #makeStateless(): StatelessHost {
    const session = this.#bridge((message) => host.deliver(message), true)
    const host: StatelessHost = new StatelessHost({
      name: this.#name,
      isShared: this.#isShared,
      write: this.#write,
      session: {
        introduce: (params) => session.introduce(params),
        receive: (message) => {
          // The host may have been told this of the server by another process, which it has started to ask nothing else.
          if ("method" in message && message.method === "initialize") void session.introduce(message.params)
          session.receive(message)
        }
      }
    })
    return host
  }
}
