/**
 * A host of either era of the protocol, or of both at once: each era has a bridge of its own, made when it is first spoken.
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import type { Bridge } from "./Bridge.js"
import { isStateless, StatelessHost } from "./StatelessHost.js"

/** Hands each message of a host to the bridge of its era. */
export class Eras {
  readonly #bridges: Array<Bridge> = []
  readonly #make: (write: (message: JSONRPCMessage) => void) => Bridge
  readonly #write: (message: JSONRPCMessage) => void
  readonly #name: string
  #withSessions: Bridge | undefined
  #stateless: StatelessHost | undefined

  constructor(
    name: string,
    make: (write: (message: JSONRPCMessage) => void) => Bridge,
    write: (message: JSONRPCMessage) => void
  ) {
    this.#name = name
    this.#make = make
    this.#write = write
  }

  /** Takes a message of the host. */
  receive(message: JSONRPCMessage): void {
    if (isStateless(message)) this.#stateless ??= this.#makeStateless()
    if (this.#stateless?.receive(message) === true) return
    this.#withSessions ??= this.#bridge(this.#write)
    this.#withSessions.receive(message)
  }

  /** Resolved when the host has been answered everything that it has asked. */
  async settled(): Promise<void> {
    await Promise.all(this.#bridges.map((bridge) => bridge.settled))
  }

  /** Says nothing more to the host. */
  end(): void {
    for (const bridge of this.#bridges) bridge.end()
  }

  #bridge(write: (message: JSONRPCMessage) => void): Bridge {
    const bridge = this.#make(write)
    this.#bridges.push(bridge)
    return bridge
  }

  #makeStateless(): StatelessHost {
    const session = this.#bridge((message) => host.deliver(message))
    const host: StatelessHost = new StatelessHost(this.#name, session, this.#write)
    return host
  }
}
