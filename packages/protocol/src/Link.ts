/**
 * The transport of the official Client, which gets only questions: answers and progress go to our requests, notifications to who listens.
 */
import type { Loss, ServerNotification } from "@mcp-lifeline/core"
import type { Transport, TransportSendOptions } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import * as Failures from "./Failures.js"
import * as JsonRpc from "./JsonRpc.js"
import type { Requests } from "./Requests.js"

const questions = new Set(["elicitation/create", "sampling/createMessage", "roots/list"])

export interface Receivers {
  readonly requests: Requests
  readonly notified: (notification: ServerNotification) => void
  readonly log: (message: string) => void
  /**
   * Whether a handler starts some microtasks after its request was passed on, as those of the official Client do. Then later messages wait
   * until then: nobody may have an answer before a handler of what arrived earlier was called. Default false.
   */
  readonly startsLater?: boolean | undefined
}

export class Link implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: (<T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void) | undefined
  /** Why nothing is sent any more. */
  ended: Loss | undefined

  readonly #adapter: AdapterTransport
  readonly #receivers: Receivers
  /** Ends the time of each question that is not answered. */
  readonly #questions = new Map<unknown, () => void>()
  #isOver = false
  #isReleased = false
  /** Arrived behind a request whose handler has not been started. */
  #behind: Array<Parameters<NonNullable<AdapterTransport["onmessage"]>>> | undefined
  #starting: NodeJS.Immediate | undefined

  constructor(adapter: AdapterTransport, receivers: Receivers) {
    this.#adapter = adapter
    this.#receivers = receivers
    adapter.onmessage = (message, extra) => this.#receive(message, extra)
    adapter.onerror = (error) => this.onerror?.(error)
    adapter.onfailed = (id, error) => {
      this.#passBehind()
      receivers.requests.failed(id, error)
    }
    adapter.onunread = (unread, of) => {
      this.#passBehind()
      receivers.requests.unread(unread, of)
    }
  }

  /** Over a transport without one, the official Client begins a handshake. */
  get sessionId(): string {
    return this.#adapter.sessionId ?? ""
  }

  start(): Promise<void> {
    return this.#adapter.start()
  }

  /** Only the scope of the connection closes the adapter. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (!("method" in message)) this.#isAnswered(message.id)
    else if (!("id" in message)) this.#receivers.requests.notified()
    return this.#adapter.send(message, options)
  }

  /** Requests under way go on. */
  refuse(loss: Loss): void {
    this.ended ??= loss
    this.#passBehind()
  }

  /** For whoever goes on with the session. */
  release(loss: Loss, waiting: ReadonlySet<RequestId>): void {
    this.refuse(loss)
    this.#endQuestions()
    this.#receivers.requests.end(loss, waiting)
    this.#isReleased = true
  }

  end(loss: Loss): void {
    this.refuse(loss)
    if (!this.#isReleased) this.#receivers.requests.end(this.ended ?? loss)
    if (this.#isOver) return
    this.#isOver = true
    this.#endQuestions()
    this.onclose?.()
  }

  #receive(message: JSONRPCMessage, extra?: MessageExtraInfo): void {
    if (this.#behind !== undefined) this.#behind.push([message, extra])
    else this.#pass(message, extra)
  }

  #passBehind(): void {
    if (this.#behind === undefined) return
    clearImmediate(this.#starting)
    const behind = this.#behind
    this.#behind = undefined
    for (const message of behind) {
      try {
        this.#receive(...message)
      } catch (error) {
        this.#receivers.log(`a message of the server failed: ${Failures.describe(error)}`)
      }
    }
  }

  #isAnswered(id: unknown): void {
    this.#questions.get(id)?.()
    this.#questions.delete(id)
  }

  #endQuestions(): void {
    for (const id of this.#questions.keys()) this.#isAnswered(id)
  }

  #asked(request: JSONRPCMessage, extra: MessageExtraInfo | undefined): void {
    if (JsonRpc.isMessage(request) && JsonRpc.isRequest(request) && questions.has(request.method)) {
      this.#isAnswered(request.id)
      this.#questions.set(request.id, this.#receivers.requests.asks())
    }
    this.onmessage?.(request, extra)
    // What arrives when the connection ends must be known before its requests are ended.
    if (this.#receivers.startsLater !== true || this.ended !== undefined) return
    this.#behind = []
    this.#starting = setImmediate(() => this.#passBehind())
  }

  #pass(message: JSONRPCMessage, extra: MessageExtraInfo | undefined): void {
    if (!Predicate.isObject(message)) return this.#receivers.log("a message is no object and is dropped")
    if (!("method" in message)) this.#receivers.requests.answered(message)
    else if (this.#isOver) return
    else if ("id" in message) this.#asked(message, extra)
    else if (message.method === "notifications/cancelled") {
      this.#isAnswered(message.params?.["requestId"])
      this.onmessage?.(message, extra)
    } else if (message.method === "notifications/progress") this.#receivers.requests.progressed(message)
    else this.#notified(message)
  }

  #notified(notification: { readonly method: unknown; readonly params?: unknown }): void {
    const { log, notified } = this.#receivers
    const { method, params } = notification
    if (typeof method !== "string" || (params !== undefined && !Predicate.isRecord(params))) {
      return log("a notification is not JSON-RPC and is dropped")
    }
    try {
      notified(notification as ServerNotification)
    } catch (error) {
      log(`a listener of notifications threw: ${Failures.describe(error)}`)
    }
  }
}
