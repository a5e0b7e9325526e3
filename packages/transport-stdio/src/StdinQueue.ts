import { Bytes, mebibytes } from "@mcp-lifeline/core/text"
import { Holding } from "@mcp-lifeline/protocol"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { Writable } from "node:stream"
import type { UnreadInput } from "./UnreadInput.js"

interface Write {
  /** Undefined for what cannot be taken back. */
  readonly id: RequestId | undefined
  readonly line: string
  readonly resolve: () => void
  readonly reject: (isPartlySent: boolean) => void
}

/** Beside requests, which their callers limit. */
export const unreadLimits = { item: Bytes(Number.POSITIVE_INFINITY), count: 10_000, bytes: mebibytes(64) }

const bytesOf = (line: string): Bytes => Bytes(Buffer.byteLength(line))

/** Lines wait here and not in the stream, from which nothing can be taken back. */
export class StdinQueue {
  readonly unread: UnreadInput
  readonly #stdin: Writable
  readonly #isOver: () => boolean
  #writing: Write | undefined
  /** By id; what has none, by itself. */
  readonly #waiting = new Map<RequestId | Write, Write>()
  readonly #room = new Holding(unreadLimits)
  /** Their requests end with the loss: nobody acts on a part of a line. */
  #failed: Array<Write> = []

  constructor(stdin: Writable, unread: UnreadInput, isOver: () => boolean) {
    this.#stdin = stdin
    this.unread = unread
    this.#isOver = isOver
  }

  /** False if there is no room. */
  add(write: Write): boolean {
    if (this.#writing === undefined) this.#write(write)
    else if (write.id === undefined && this.#room.take(bytesOf(write.line)) !== undefined) return false
    else this.#waiting.set(write.id ?? write, write)
    return true
  }

  withdraw(id: RequestId): boolean {
    this.unread.forget(id)
    this.#waiting.get(id)?.reject(false)
    return this.#waiting.delete(id)
  }

  /** Rejects what has failed, and what waits. */
  end(): void {
    for (const write of this.#failed) write.reject(true)
    for (const write of this.#waiting.values()) write.reject(false)
    this.#failed = []
    this.#waiting.clear()
    this.#room.close()
  }

  #write(write: Write): void {
    const stdin = this.#stdin
    this.#writing = write
    this.unread.begin(write.id, write.line)
    stdin.write(write.line, (error) => {
      // Of what a destroyed stream had not handed on, Node says that it was written.
      const isTaken = !error && !(stdin.destroyed && this.#writing === write)
      if (isTaken) {
        write.resolve()
        if (this.#writing === write) this.#flush()
      } else if (this.#isOver()) write.reject(true)
      else this.#failed.push(write)
    })
    if (stdin.writableLength === 0) this.#writing = undefined
  }

  #flush(): void {
    this.#writing = undefined
    for (const [key, next] of this.#waiting) {
      this.#waiting.delete(key)
      if (next.id === undefined) this.#room.release(bytesOf(next.line))
      this.#write(next)
      if (this.#writing !== undefined) return
    }
  }
}
