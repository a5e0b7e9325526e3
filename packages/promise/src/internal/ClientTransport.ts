/**
 * The transport under the facade's own client: there from the first to the last, whatever connections come and go.
 */
import { ClientRequests, Relay } from "@mcp-lifeline/protocol"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import * as Run from "./Run.js"
import type { Source } from "./Supervised.js"

/** Hands on what one client sends and is to get. */
export class ClientTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: NonNullable<Transport["onmessage"]>
  readonly relay: Relay
  readonly #requests = new ClientRequests()
  /** Whether the client has attached itself. */
  isAttached = false
  /** The id of the current session, where the server gives one. */
  session: string | undefined
  readonly #source: Source
  readonly #run: Run.Run

  constructor(source: Source) {
    this.#source = source
    this.#run = Run.make(source.runtime)
    this.relay = new Relay(source.name, this)
  }

  /** The official Client begins with a handshake only over a transport without one. */
  get sessionId(): string | undefined {
    return this.isAttached ? this.session : ""
  }

  start(): Promise<void> {
    return Promise.resolve()
  }

  send(message: JSONRPCMessage): Promise<void> {
    if (!("method" in message)) this.relay.answered(message)
    else if ("id" in message) this.relay.request(this.#source, this.#requests.open(message, this.relay.responder))
    else if (message.method === "notifications/cancelled") this.#requests.cancel(message)
    else return this.#run(this.#source.use((backend) => backend.notify(message.method, message.params)))
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.end()
    return Promise.resolve()
  }

  /** The client is told that it is over. */
  end(): void {
    this.relay.end()
    this.onclose?.()
  }
}
