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
import * as JsonRpc from "./JsonRpc.js"
import type { Requests } from "./Requests.js"

/** What a server asks the user, or a program in the user's place. */
const questions = new Set(["elicitation/create", "sampling/createMessage", "roots/list"])

/** Who is given what the server says. */
export interface Receivers {
  readonly requests: Requests
  readonly notified: (notification: ServerNotification) => void
  /** Called with what a server does that helps nobody, in words for a developer. */
  readonly log: (message: string) => void
  /**
   * Whether a handler starts some microtasks after its request was passed on, as those of the official Client do. Then messages behind the
   * request wait until then: who waits for an answer must not have it before a handler of what arrived earlier was called. Default false.
   */
  readonly startsLater?: boolean | undefined
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
  /** What ends the time of each question of the server that is not answered. */
  readonly #questions = new Map<unknown, () => void>()
  #isOver = false
  #isReleased = false
  /** What has arrived behind a request whose handler has not been started. */
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
    if (!("method" in message)) this.#isAnswered(message.id)
    else if (!("id" in message)) this.#receivers.requests.notified()
    return this.#adapter.send(message, options)
  }

  /** Sends nothing more. Requests that are under way go on. */
  refuse(loss: Loss): void {
    this.ended ??= loss
    this.#passBehind()
  }

  /** Leaves the requests that wait to whoever goes on with the session. */
  release(loss: Loss, waiting: ReadonlySet<RequestId>): void {
    this.refuse(loss)
    this.#endQuestions()
    this.#receivers.requests.end(loss, waiting)
    this.#isReleased = true
  }

  /** Ends what is under way in both directions. */
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

  /** Passes on what waits behind a request, in order. */
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

  /** A question is answered, or taken back. */
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
