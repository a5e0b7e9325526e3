/**
 * Recognizes the framing of language servers: `Content-Length: 83`, an empty line, and 83 bytes of JSON without an end of line. Over stdio,
 * such a server and a client wait for each other for ever.
 */
import { Bytes } from "@mcp-lifeline/core/internal"

const contentLength = /^content-length:\s*(\d{1,15})\s*$/i
const header = /^[a-z][a-z-]*:\s/i

/** Stateful; one for each stream, until the server has answered. */
export class HeaderFraming {
  #length: number | undefined
  #isBody = false

  /** `line` is no JSON; true if the framing is certain with it. */
  add(line: string): boolean {
    const text = line.trim()
    if (this.#isBody) return this.isUsed(text, Bytes(Buffer.byteLength(line)))
    const length = contentLength.exec(text)?.[1]
    if (length !== undefined) this.#length = Number(length)
    else if (text === "") this.#isBody = this.#length !== undefined
    else if (!header.test(text)) this.forget()
    return false
  }

  isUsed(begun: string, bytes: Bytes): boolean {
    return this.#isBody && begun.trimStart().startsWith("{") && bytes >= (this.#length ?? 0)
  }

  forget(): void {
    this.#length = undefined
    this.#isBody = false
  }
}
