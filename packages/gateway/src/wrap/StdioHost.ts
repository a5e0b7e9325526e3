/**
 * The host of a wrapped server, which started us and speaks to us over standard input and output.
 */
import { JsonRpc } from "@mcp-lifeline/protocol"
import { Framing } from "@mcp-lifeline/transport-stdio"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { Readable, Writable } from "node:stream"

/** The longest message of a host that is taken, in bytes. */
const maxMessageBytes = 64 * 1024 * 1024

const parseError = -32_700
const invalidRequest = -32_600

/** Some hosts write a member that is not there as null. */
const legible = (message: Readonly<Record<string, unknown>>): unknown => {
  const absent = ["params", "error"].filter((key) => message[key] === null)
  return absent.length === 0
    ? message
    : Object.fromEntries(Object.entries(message).filter(([key]) => !absent.includes(key)))
}

/** What is told of the host. */
export interface Listener {
  readonly onMessage: (message: JSONRPCMessage) => void
  /** Called once, when the host has closed its end or can be told nothing more. */
  readonly onEnd: (why: "stdin" | "stdout") => void
}

/** Reads messages, one a line, and writes them. Nothing else ever goes to standard output. */
export class StdioHost {
  readonly #output: Writable
  #listener: Listener | undefined
  #isOver = false
  #isCorked = false

  constructor(input: Readable, output: Writable, listener: Listener) {
    this.#output = output
    this.#listener = listener
    const framing = new Framing(maxMessageBytes, Number.POSITIVE_INFINITY)
    input.on("data", (chunk: Buffer) => {
      framing.push(chunk, (frame) => {
        if (frame._tag === "Line") this.#line(frame.text)
        else this.#refuse(frame.id ?? null, invalidRequest, `the message is longer than ${maxMessageBytes} bytes`)
      })
    })
    input.on("end", () => this.#end("stdin"))
    input.on("error", () => this.#end("stdin"))
    output.on("error", () => this.#end("stdout"))
  }

  /** Writes a message. */
  write(message: JSONRPCMessage): void {
    if (this.#isOver) return
    // What is written in one step leaves in one piece.
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#output.cork()
      process.nextTick(() => {
        this.#isCorked = false
        this.#output.uncork()
      })
    }
    this.#output.write(`${JSON.stringify(message)}\n`)
  }

  /** Resolved when all that was written has left, or cannot leave any more. */
  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isOver || this.#output.writableLength === 0) resolve()
      else this.#output.write("", () => resolve())
    })
  }

  #line(text: string): void {
    if (text.trim() === "") return
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch {
      return this.#refuse(null, parseError, "the line is not JSON")
    }
    const read = Predicate.isRecord(message) ? legible(message) : message
    if (JsonRpc.isMessage(read)) return this.#listener?.onMessage(read)
    const id = Predicate.isRecord(read) && JsonRpc.isId(read["id"]) ? read["id"] : null
    // A server is not left to wait for an answer that nobody can read.
    if (id !== null && !("method" in Object(read))) {
      const error = { code: JsonRpc.internalError, message: "the client's answer is not JSON-RPC 2.0" }
      return this.#listener?.onMessage({ jsonrpc: "2.0", id, error })
    }
    const reason = Array.isArray(message)
      ? "batches are not supported; send each message in a line of its own"
      : "the message is not JSON-RPC 2.0"
    this.#refuse(id, invalidRequest, reason)
  }

  #refuse(id: string | number | null, code: number, message: string): void {
    this.write({ jsonrpc: "2.0", id, error: { code, message } } as unknown as JSONRPCMessage)
  }

  #end(why: "stdin" | "stdout"): void {
    const listener = this.#listener
    this.#listener = undefined
    if (why === "stdout") this.#isOver = true
    listener?.onEnd(why)
  }
}
