import { ByteSize } from "@mcp-lifeline/core/options"
import { Bytes, mebibytes } from "@mcp-lifeline/core/text"
import type { Conversation } from "@mcp-lifeline/http-server/Conversation"
import * as messages from "@mcp-lifeline/http-server/messages"
import {
  type ClientRequest,
  ClientRequests,
  JsonRpc,
  type JsonScanner,
  JsonShape,
  type Responder,
  Turns
} from "@mcp-lifeline/protocol"
import { type Frame, Framing } from "@mcp-lifeline/transport-stdio"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Either } from "effect"
import type { Readable, Writable } from "node:stream"
import * as HostLimit from "../commandLine/hostLimit.js"
import * as StandardError from "../text/StandardError.js"

/** From a host, in bytes. */
const maxMessageBytes = mebibytes(64)
const tooLong = `the message is longer than ${maxMessageBytes} bytes`

/** Of unread output, in bytes. Beyond `pause`, nothing more is read from the server; beyond `giveUp`, the connection to the host ends. */
const unreadLimits = { pause: mebibytes(1), giveUp: mebibytes(256) }

/**
 * How long after a word about a request its answer is written, in milliseconds: clients, among them those of the official SDK, forget who
 * hears of a request when they read its answer, before they have handled what they read with it.
 */
const pause = 5

const closed = "the host has closed its end, so that it answers nothing"

const parsed = (frame: Frame) =>
  frame._tag === "Line" ? { ...frame, value: Either.try(() => JsonShape.parse(frame.text)) } : frame

export interface Listener {
  readonly conversation: Pick<Conversation, "receive" | "request">
  /** Called once, when the host has closed its end, or reads no more. */
  readonly onEnd: (why: "stdin" | "stdout") => void
}

/** One message a line. Nothing else is ever written to standard output. */
export class StdioHost {
  readonly #output: Writable
  readonly #requests = new ClientRequests()
  readonly #responder: Responder = {
    say: (request, message) => {
      this.#saidAt.set(request, performance.now())
      this.write(message)
    },
    answer: (request, answer) => {
      const text = messages.encodeAnswer(request.id, answer)
      const left = pause - (performance.now() - (this.#saidAt.get(request) ?? 0))
      if (left <= 0) return this.#answer(request.id, text)
      const write = (): void => {
        if (this.#held.delete(write)) this.#answer(request.id, text)
      }
      this.#held.add(write)
      setTimeout(write, left)
    }
  }
  readonly #saidAt = new WeakMap<ClientRequest, number>()
  /** Write the answers that follow what was just said of their requests. */
  readonly #held = new Set<() => void>()
  readonly #conversation: Listener["conversation"]
  readonly #longest: Bytes
  /** Not answered yet. */
  readonly #questions = new Set<RequestId>()
  #hasWarned = false
  /** None once the host says nothing more. */
  #listener: Listener | undefined
  #isOver = false
  #whenOver: () => void = () => undefined
  readonly #over = new Promise<void>((resolve) => void (this.#whenOver = resolve))
  /** Messages of the current tick, written together at its end. */
  #unsent = ""
  readonly #send = (): void => {
    const text = this.#unsent
    this.#unsent = ""
    if (text !== "" && !this.#isOver) this.#output.write(text)
  }
  #drained: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  constructor(input: Readable, output: Writable, listener: Listener, longest = HostLimit.usual) {
    this.#output = output
    this.#longest = longest
    this.#listener = listener
    this.#conversation = listener.conversation
    const framing = new Framing(maxMessageBytes, Bytes(Number.POSITIVE_INFINITY))
    input.on("data", (chunk: Buffer) => {
      framing.push(chunk, parsed, (frame) => this.#line(frame))
      framing.turns.hold(input)
    })
    input.on("end", () => framing.turns.run(0, () => this.#end("stdin")))
    input.on("error", () => this.#end("stdin"))
    output.on("error", () => this.#end("stdout"))
    output.on("drain", () => this.#resume())
  }

  /** Drops a message that cannot be encoded as JSON, or that the host would not read. */
  write(message: JSONRPCMessage): void {
    const text = messages.encode(message)
    if (text === undefined) return
    if (!JsonRpc.isRequest(message)) {
      if ("method" in message && message.method === "notifications/cancelled") {
        this.#questions.delete(message.params?.["requestId"] as RequestId)
      }
      return this.#isTooLong(text) ? this.#warn(text) : this.#write(text)
    }
    if (this.#listener === undefined) return this.#cannotAnswer(message.id, closed)
    if (this.#isTooLong(text)) return this.#cannotAnswer(message.id, `the request is ${this.#tooLong(text)}`)
    this.#questions.add(message.id)
    this.#write(text)
  }

  /** Resolves when all requests of the host are answered, or it reads no more. */
  get settled(): Promise<void> {
    return Promise.race([this.#requests.settled, this.#over])
  }

  #answer(id: RequestId, text: string): void {
    if (!this.#isTooLong(text)) return this.#write(text)
    this.#refuse(
      id,
      JsonRpc.internalError,
      `the answer is ${this.#tooLong(text)}. Ask for less, or raise --max-message if the host reads more`,
      { fate: "answered", tag: "TooLong" }
    )
  }

  #isTooLong(text: string): boolean {
    return text.length > this.#longest / 3 && Buffer.byteLength(text) >= this.#longest
  }

  #tooLong(text: string): string {
    return `${ByteSize.show(Buffer.byteLength(text))} long, and the host reads at most ${ByteSize.show(this.#longest)}`
  }

  #warn(text: string): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    StandardError.line(
      `mcp-lifeline: a notification of the server is ${
        this.#tooLong(text)
      }: it is dropped, as others will be (this is said once); --max-message raises the limit`
    )
  }

  /** In place of the host. */
  #cannotAnswer(id: RequestId, message: string): void {
    const error = { code: JsonRpc.internalError, message }
    // Whoever asks knows the id only after it has asked.
    queueMicrotask(() => this.#conversation.receive({ jsonrpc: "2.0", id, error }))
  }

  #write(text: string): void {
    if (this.#isOver) return
    if (this.#unsent === "") process.nextTick(() => Turns.run(this.#unsent.length, this.#send))
    this.#unsent += `${text}\n`
    if (this.unread > unreadLimits.giveUp) this.#end("stdout")
  }

  /** In bytes. */
  get unread(): number {
    return this.#output.writableLength + this.#unsent.length
  }

  /** If more than `unreadLimits.pause` is unread, a promise that resolves when all is read. */
  drained(): Promise<void> | undefined {
    if (this.#isOver || this.unread <= unreadLimits.pause) return undefined
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
    for (const write of this.#held) write()
    this.#send()
    return new Promise((resolve) => {
      if (this.#isOver || this.#output.writableLength === 0) resolve()
      else this.#output.write("", () => resolve())
    })
  }

  #line(frame: ReturnType<typeof parsed>): void {
    if (frame._tag === "TooLong") return this.#refuse(frame.id ?? null, JsonRpc.invalidRequest, tooLong)
    const { text, value } = frame
    if (Either.isLeft(value)) {
      if (value.left instanceof JsonShape.TooManyValues) return this.#tooMany(value.left.found)
      return text.trim() === "" ? undefined : this.#refuse(null, JsonRpc.parseError, "the line is not JSON")
    }
    const read = JsonRpc.read(value.right)
    if (read._tag === "Message") return this.#take(read.message)
    const reason = Array.isArray(value.right)
      ? "batches are not supported; send each message in a line of its own"
      : read.reason
    this.#refuse(read.id, JsonRpc.invalidRequest, reason)
  }

  #tooMany({ hasMethod, id }: JsonScanner): void {
    const message = `the message ${JsonShape.tooMany}: send it in another form`
    if (hasMethod || id === undefined) return this.#refuse(id ?? null, JsonRpc.invalidRequest, message)
    // It answers a question of the server.
    this.#take({ jsonrpc: "2.0", id, error: { code: JsonRpc.invalidRequest, message } })
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
    if (!("method" in message)) this.#questions.delete(message.id as RequestId)
    const isCancelled = "method" in message && message.method === "notifications/cancelled"
    // The conversation may still know a request that is no longer open: one that was answered with a question can be cancelled.
    if (!isCancelled || !this.#requests.cancel(message)) conversation.receive(message)
  }

  #refuse(id: string | number | null, code: number, message: string, data?: object): void {
    const error = data === undefined ? { code, message } : { code, message, data }
    this.write({ jsonrpc: "2.0", id, error } as unknown as JSONRPCMessage)
  }

  #end(why: "stdin" | "stdout"): void {
    const listener = this.#listener
    this.#listener = undefined
    for (const id of this.#questions) this.#cannotAnswer(id, closed)
    this.#questions.clear()
    if (why === "stdout") {
      this.#isOver = true
      this.#whenOver()
    }
    this.#resume()
    listener?.onEnd(why)
  }
}
