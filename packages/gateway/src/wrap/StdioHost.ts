/**
 * The host of a wrapped server. It has started this process, and is connected to its standard input and output.
 */
import { Bytes, ExactJson, mebibytes } from "@mcp-lifeline/core/internal"
import type { Conversation } from "@mcp-lifeline/http-server/Conversation"
import * as messages from "@mcp-lifeline/http-server/messages"
import { ClientRequests, JsonRpc, type Responder } from "@mcp-lifeline/protocol"
import { type Frame, Framing } from "@mcp-lifeline/transport-stdio"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import type { Readable, Writable } from "node:stream"

/** The longest message that is accepted from a host, in bytes. */
const maxMessageBytes = mebibytes(64)
const tooLong = `the message is longer than ${maxMessageBytes} bytes`

/**
 * Limits of unread output, in bytes. Beyond `pause`, Lifeline reads nothing more from the server; beyond `giveUp`, it ends the connection to
 * the host.
 */
const unreadLimits = { pause: mebibytes(1), giveUp: mebibytes(256) }

/** Receives what the host sends, and its end. */
export interface Listener {
  readonly conversation: Pick<Conversation, "receive" | "request">
  /** Called once, when the host has closed its end, or reads no more. */
  readonly onEnd: (why: "stdin" | "stdout") => void
}

/** Reads and writes messages, one a line. Nothing else is ever written to standard output. */
export class StdioHost {
  readonly #output: Writable
  readonly #requests = new ClientRequests()
  readonly #responder: Responder = {
    say: (_, message) => this.write(message),
    answer: ({ id }, answer) => this.#write(messages.encodeAnswer(id, answer))
  }
  #listener: Listener | undefined
  #isOver = false
  /** The messages of the current tick, which are written together at its end. */
  #unsent = ""
  readonly #send = (): void => {
    const text = this.#unsent
    this.#unsent = ""
    if (text !== "" && !this.#isOver) this.#output.write(text)
  }
  #drained: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  constructor(input: Readable, output: Writable, listener: Listener) {
    this.#output = output
    this.#listener = listener
    const framing = new Framing(maxMessageBytes, Bytes(Number.POSITIVE_INFINITY))
    const take = (frame: Frame): void => {
      if (frame._tag === "Line") this.#line(frame.text)
      else this.#refuse(frame.id ?? null, JsonRpc.invalidRequest, tooLong)
    }
    input.on("data", (chunk: Buffer) => framing.push(chunk, take))
    input.on("end", () => this.#end("stdin"))
    input.on("error", () => this.#end("stdin"))
    output.on("error", () => this.#end("stdout"))
    output.on("drain", () => this.#resume())
  }

  /** Writes a message. Drops one that cannot be encoded as JSON. */
  write(message: JSONRPCMessage): void {
    const text = messages.encode(message)
    if (text !== undefined) this.#write(text)
  }

  /** Resolves when all requests of the host are answered. */
  get settled(): Promise<void> {
    return this.#requests.settled
  }

  #write(text: string): void {
    if (this.#isOver) return
    if (this.#unsent === "") process.nextTick(this.#send)
    this.#unsent += `${text}\n`
    if (this.#unread > unreadLimits.giveUp) this.#end("stdout")
  }

  /** How much the host has not read, in bytes. */
  get #unread(): number {
    return this.#output.writableLength + this.#unsent.length
  }

  /** If the host is more than `unreadLimits.pause` behind, returns a promise that resolves when it has read everything. */
  drained(): Promise<void> | undefined {
    if (this.#isOver || this.#unread <= unreadLimits.pause) return undefined
    if (this.#drained === undefined) {
      let resolve: () => void = () => undefined
      this.#drained = { promise: new Promise((done) => (resolve = done)), resolve }
    }
    return this.#drained.promise
  }

  #resume(): void {
    this.#drained?.resolve()
    this.#drained = undefined
  }

  /** Resolves when everything is written, or cannot be written any more. */
  flushed(): Promise<void> {
    this.#send()
    return new Promise((resolve) => {
      if (this.#isOver || this.#output.writableLength === 0) resolve()
      else this.#output.write("", () => resolve())
    })
  }

  #line(text: string): void {
    let message: unknown
    try {
      message = ExactJson.parse(text)
    } catch {
      if (text.trim() === "") return
      return this.#refuse(null, JsonRpc.parseError, "the line is not JSON")
    }
    const read = JsonRpc.read(message)
    if (read._tag === "Message") return this.#take(read.message)
    const reason = Array.isArray(message)
      ? "batches are not supported; send each message in a line of its own"
      : read.reason
    this.#refuse(read.id, JsonRpc.invalidRequest, reason)
  }

  #take(message: JSONRPCMessage): void {
    const conversation = this.#listener?.conversation
    if (conversation === undefined) return
    if (JsonRpc.isRequest(message)) {
      const { id } = message
      if (this.#requests.get(id) === undefined) {
        return conversation.request(this.#requests.open(message, this.#responder))
      }
      this.#refuse(id, JsonRpc.invalidRequest, `a request with the id ${JSON.stringify(id)} is not answered yet`)
      return
    }
    const isCancelled = "method" in message && message.method === "notifications/cancelled"
    // A request that is no longer open may still be known to the conversation: one that was answered with a question can be cancelled.
    if (!isCancelled || !this.#requests.cancel(message)) conversation.receive(message)
  }

  #refuse(id: string | number | null, code: number, message: string): void {
    this.write({ jsonrpc: "2.0", id, error: { code, message } } as unknown as JSONRPCMessage)
  }

  #end(why: "stdin" | "stdout"): void {
    const listener = this.#listener
    this.#listener = undefined
    if (why === "stdout") this.#isOver = true
    this.#resume()
    listener?.onEnd(why)
  }
}
