import { Bytes } from "@mcp-lifeline/core/text"
import { Messages } from "@mcp-lifeline/protocol"
import * as Secrets from "./Secrets.js"

/** Characters of a line which are looked at. */
const longest = 1024

export class StdoutNoise {
  readonly #secrets: Secrets.Secrets
  #count = 0
  #first = ""

  constructor(secrets: Secrets.Secrets) {
    this.#secrets = secrets
  }

  get count(): number {
    return this.#count
  }

  /** Only the first is kept, without secrets. */
  add(text: string): void {
    if (++this.#count > 1) return
    const line = text.trim()
    this.#first = line.length > longest
      ? this.#cut(line.slice(0, longest))
      : Messages.quoted(Secrets.mask(this.#secrets, line))
  }

  get warning(): string {
    return `a line on stdout is not JSON-RPC and is skipped, as are others like it (a server logs to stderr): ${this.#first}`
  }

  /** Empty without lines. `begun`: the line that has no end yet. */
  describe(begun: string): string {
    // A question ends without a line feed; what begins like a message may be one.
    const question = /^\s*([[{]|$)/.test(begun) ? undefined : this.#cut(begun)
    const count = this.#count + (question === undefined ? 0 : 1)
    if (count === 0) return ""
    const lines = count === 1 ? "1 line on stdout was" : `${count} lines on stdout were`
    const shown = [...(this.#first === "" ? [] : [`first ${this.#first}`]), ...(question ? [`last ${question}`] : [])]
    return `; ${lines} not JSON-RPC, ${shown.join(", ")}`
  }

  #cut(text: string): string {
    return Messages.quoted(Secrets.maskCut(this.#secrets, text))
  }
}

const contentLength = /^content-length:\s*(\d{1,15})\s*$/i
const header = /^[a-z][a-z-]*:\s/i

/**
 * Recognizes the framing of language servers: `Content-Length: 83`, an empty line, and 83 bytes of JSON without an end of line. Over stdio,
 * such a server and a client wait for each other for ever. Stateful; one for each stream, until the server has answered.
 */
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
