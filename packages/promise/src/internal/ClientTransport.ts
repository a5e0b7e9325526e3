/** Lasts as long as the facade's client, while connections are replaced. */
import { ClientRequests, Relay } from "@mcp-lifeline/protocol"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import * as Runner from "./Runner.js"
import type { BackendSource } from "./ServerSupervision.js"

export class ClientTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: NonNullable<Transport["onmessage"]>
  readonly relay: Relay
  readonly #requests = new ClientRequests()
  /** Whether the client is attached. */
  isAttached = false
  /** The current session id. */
  session: string | undefined
  readonly #source: BackendSource
  readonly #run: Runner.Runner

  constructor(source: BackendSource) {
    this.#source = source
    this.#run = Runner.make(source.runtime)
    this.relay = new Relay(source.name, this)
  }

  /** The official Client skips `initialize` if there is a session id, even an empty one. */
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

  end(): void {
    this.relay.end()
    this.onclose?.()
  }
}
