/**
 * The transport that the official SDK's Client sees: it stands between the Client and the adapter, so that what the two
 * know reaches our side unmixed.
 *
 * - An error that the server answered is told apart from one that the SDK made here (both are `McpError`s, and a server
 *   may use any code): what came over the wire carries an `Origin` as its data.
 * - A `send` that is rejected becomes the answer of its request. The SDK would reject the request too, but keep its
 *   response and progress handlers for ever.
 * - An answer that the SDK takes for no message at all fails its request, which would otherwise wait for its timeout.
 */
import type { Fate, Loss } from "@mcp-lifeline/core"
import { RequestError } from "@mcp-lifeline/core"
import type { Transport, TransportSendOptions } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage, JSONRPCRequest, MessageExtraInfo, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { AdapterTransport } from "./AdapterTransport.js"

/** Where the error of a request came from: the server's own data, or a failure of the transport, with the least that it means. */
export type Origin =
  | { readonly _tag: "Remote"; readonly data: unknown }
  | { readonly _tag: "Local"; readonly error: unknown; readonly fate: Fate }

class Marked {
  readonly origin: Origin
  constructor(origin: Origin) {
    this.origin = origin
  }
}

/** The origin of an error that the SDK reports, if it came through a link's `onmessage`. */
export const originOf = (error: { readonly data?: unknown }): Origin | undefined =>
  error.data instanceof Marked ? error.data.origin : undefined

/** A transport for one Client over one adapter. */
export class Link implements Transport {
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: (<T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void) | undefined
  /** The version that was agreed on. */
  protocolVersion: string | undefined
  /** Why nothing is sent any more. */
  ended: Loss | undefined

  readonly #adapter: AdapterTransport
  /** The version to ask for in place of the SDK's own. */
  readonly #asked: string | undefined
  #sending = 0
  #progressed = false
  #misfit = false

  constructor(adapter: AdapterTransport, asked?: string) {
    this.#adapter = adapter
    this.#asked = asked
    adapter.onmessage = (message, extra) => this.#receive(message, extra)
    adapter.onerror = (error) => this.onerror?.(error)
    adapter.onfailed = (id, error) => this.#reject(id, error)
  }

  get sessionId(): string | undefined {
    return this.#adapter.sessionId
  }

  setProtocolVersion(version: string): void {
    this.protocolVersion = version
    this.#adapter.setProtocolVersion?.(version)
  }

  start(): Promise<void> {
    return this.#adapter.start()
  }

  /** The adapter is closed by the scope of the connection, and by nothing else. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    let sending: Promise<void>
    const request = "method" in message && "id" in message ? this.#asking(message) : undefined
    try {
      sending = this.#adapter.send(request ?? message, options)
    } catch (error) {
      if (request === undefined) return Promise.reject(error)
      queueMicrotask(() => this.#reject(request.id, error, "notSent"))
      return Promise.resolve()
    }
    if (request === undefined) return sending
    this.#sending++
    return sending.then(
      () => {
        this.#sending--
      },
      (error: unknown) => {
        this.#sending--
        this.#reject(request.id, error)
      }
    )
  }

  #asking(request: JSONRPCRequest): JSONRPCRequest {
    return this.#asked === undefined || request.method !== "initialize"
      ? request
      : { ...request, params: { ...request.params, protocolVersion: this.#asked } }
  }

  /** Sends nothing more. Requests that are under way go on. */
  refuse(loss: Loss): void {
    this.ended ??= loss
  }

  /**
   * Ends every pending request. Where some are still being sent, the transport may just be rejecting them with a better
   * knowledge of their fate: those rejections, which are under way as microtasks, go first.
   */
  end(loss: Loss): void {
    this.refuse(loss)
    if (this.#sending === 0) this.#detach()
    else setTimeout(() => this.#detach(), 0)
  }

  #detach(): void {
    this.onclose?.()
    this.onclose = undefined
    this.onmessage = undefined
  }

  #reject(id: RequestId, error: unknown, fate: Fate = "unknown"): void {
    this.onmessage?.({
      jsonrpc: "2.0",
      id,
      error: { code: 0, message: "", data: new Marked({ _tag: "Local", error, fate }) }
    })
  }

  #receive(message: JSONRPCMessage, extra: MessageExtraInfo | undefined): void {
    if ("method" in message) {
      // The SDK runs handlers of notifications a microtask later, and answers at once: an answer must not overtake the
      // progress that came before it.
      if (message.method === "notifications/progress" && !this.#progressed) {
        this.#progressed = true
        queueMicrotask(() => {
          this.#progressed = false
        })
      }
      this.onmessage?.(message, extra)
    } else if (this.#progressed) queueMicrotask(() => this.#answer(message))
    else this.#answer(message)
  }

  #answer(message: Exclude<JSONRPCMessage, { method: string }>): void {
    this.#misfit = false
    if ("error" in message && typeof message.error === "object" && message.error !== null) {
      const { code, data, message: text } = message.error
      this.onmessage?.({
        jsonrpc: "2.0",
        id: message.id as RequestId,
        error: { code, message: text, data: new Marked({ _tag: "Remote", data }) }
      })
    } else this.onmessage?.(message)
    if (this.#misfit && message.id !== undefined) {
      this.#reject(
        message.id,
        new RequestError({
          fate: "answered",
          reason: "protocol",
          message: "the server's answer is not a JSON-RPC response"
        })
      )
    }
  }

  /** The SDK reports a message that it cannot place, in the middle of `onmessage`. */
  markMisfit(error: Error): void {
    if (error.message.startsWith("Unknown message type")) this.#misfit = true
  }
}
