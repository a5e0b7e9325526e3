/**
 * Where the messages of a server are given to whom they are for: answers and progress to our requests, notifications to who
 * listens, and what the server asks to the official Client, of which this is the transport.
 */
import type { Loss, ServerNotification } from "@mcp-lifeline/core"
import type { Transport, TransportSendOptions } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import * as Failures from "./Failures.js"
import type { Requests } from "./Requests.js"

/** Who is given what the server says. */
export interface Receivers {
  readonly requests: Requests
  readonly onNotification: (notification: ServerNotification) => void
  /** Called with what a server does that helps nobody, in words for a developer. */
  readonly log: (message: string) => void
}

/** A transport for one Client over one adapter. */
export class Link implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: (<T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void) | undefined
  /** Why nothing is sent any more. */
  ended: Loss | undefined

  readonly #adapter: AdapterTransport
  readonly #receivers: Receivers
  #isOver = false
  #isReleased = false

  constructor(adapter: AdapterTransport, receivers: Receivers) {
    this.#adapter = adapter
    this.#receivers = receivers
    adapter.onmessage = (message, extra) => this.#receive(message, extra)
    adapter.onerror = (error) => this.onerror?.(error)
    adapter.onfailed = (id, error) => receivers.requests.failed(id, error)
  }

  /** The official Client begins with a handshake of its own only over a transport without one. */
  get sessionId(): string {
    return this.#adapter.sessionId ?? ""
  }

  start(): Promise<void> {
    return this.#adapter.start()
  }

  /** The adapter is closed by the scope of the connection, and by nothing else. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    return this.#adapter.send(message, options)
  }

  /** Sends nothing more. Requests that are under way go on. */
  refuse(loss: Loss): void {
    this.ended ??= loss
  }

  /** Leaves the requests that wait to whoever goes on with the session. */
  release(loss: Loss, waiting: ReadonlySet<RequestId>): void {
    this.refuse(loss)
    this.#receivers.requests.end(loss, waiting)
    this.#isReleased = true
  }

  /** Ends what is under way in both directions. */
  end(loss: Loss): void {
    this.refuse(loss)
    if (!this.#isReleased) this.#receivers.requests.end(this.ended ?? loss)
    if (this.#isOver) return
    this.#isOver = true
    this.onclose?.()
  }

  #receive(message: JSONRPCMessage, extra: MessageExtraInfo | undefined): void {
    if (!Predicate.isObject(message)) return this.#receivers.log("a message is no object and is dropped")
    if (!("method" in message)) this.#receivers.requests.answered(message)
    else if (this.#isOver) return
    else if ("id" in message || message.method === "notifications/cancelled") this.onmessage?.(message, extra)
    else if (message.method === "notifications/progress") this.#receivers.requests.progressed(message)
    else this.#notified(message)
  }

  #notified(notification: { readonly method: unknown; readonly params?: unknown }): void {
    const { log, onNotification } = this.#receivers
    const { method, params } = notification
    if (typeof method !== "string" || (params !== undefined && !Predicate.isRecord(params))) {
      return log("a notification is not JSON-RPC and is dropped")
    }
    try {
      onNotification(notification as ServerNotification)
    } catch (error) {
      log(`a listener of notifications threw: ${Failures.describe(error)}`)
    }
  }
}
