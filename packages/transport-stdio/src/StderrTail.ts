import { PlainText } from "@mcp-lifeline/core/text"
import { StringDecoder } from "node:string_decoder"
import type { Secrets } from "./Secrets.js"
import { mask, maskCut } from "./Secrets.js"

const maxLines = 20
const maxCharacters = 4_096

/** Control characters go first, because they might divide a secret. `dropped`: characters that are not in `line`. */
const clean = (line: string, hide: (text: string) => string, dropped: number): string => {
  const whole = hide(PlainText.lines(line)).trimEnd()
  if (whole.length + dropped <= maxCharacters) return whole
  const mark = `… (${whole.length + dropped - maxCharacters} more characters)`
  return whole.slice(0, maxCharacters - mark.length) + mark
}

/** Keeps the last 20 lines (4,096 characters), masked, and hands each on. */
export class StderrTail {
  readonly #lines: Array<string> = []
  readonly #decoder = new StringDecoder("utf8")
  readonly #secrets: Secrets
  readonly #longest: number
  readonly #onLine: ((line: string) => void) | undefined
  #characters = 0
  #partial = ""
  #dropped = 0

  constructor(secrets: Secrets, onLine: ((line: string) => void) | undefined) {
    this.#secrets = secrets
    this.#longest = secrets[0]?.length ?? 0
    this.#onLine = onLine
  }

  push(chunk: Buffer): void {
    const pieces = this.#decoder.write(chunk).split("\n")
    const last = pieces.pop() ?? ""
    for (const piece of pieces) {
      this.#extend(piece)
      this.#flush()
    }
    this.#extend(last)
  }

  end(): void {
    if (this.#partial !== "") this.#flush()
  }

  /** With what has no line feed yet, such as a question. */
  get text(): string {
    const begun = clean(this.#partial, (text) => maskCut(this.#secrets, text), this.#dropped)
    return (begun === "" ? this.#lines : [...this.#lines, begun]).join(" | ")
  }

  #extend(piece: string): void {
    const room = maxCharacters + this.#longest - this.#partial.length
    const taken = piece.slice(0, Math.max(0, room))
    this.#dropped += piece.length - taken.length
    this.#partial += taken
  }

  #flush(): void {
    const hide = this.#dropped > 0 ? maskCut : mask
    const line = clean(this.#partial, (text) => hide(this.#secrets, text), this.#dropped)
    this.#partial = ""
    this.#dropped = 0
    if (line === "") return
    this.#lines.push(line)
    this.#characters += line.length
    while (this.#lines.length > maxLines || this.#characters > maxCharacters) {
      this.#characters -= this.#lines.shift()?.length ?? 0
    }
    this.#onLine?.(line)
  }
}
