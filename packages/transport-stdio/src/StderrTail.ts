/**
 * The last lines that a process wrote to stderr, masked.
 */
import { PlainText } from "@mcp-lifeline/core/internal"
import { StringDecoder } from "node:string_decoder"
import type { Secrets } from "./Secrets.js"
import { mask, maskCut } from "./Secrets.js"

const maxLines = 20
const maxCharacters = 4_096

/**
 * A line without colours and control characters, which might divide a secret, then without secrets, and not too long: one that is cut
 * says how much is left out. `dropped`: characters of it that are not in `line`.
 */
const clean = (line: string, hide: (text: string) => string, dropped: number): string => {
  const whole = hide(PlainText.lines(line)).trimEnd()
  if (whole.length + dropped <= maxCharacters) return whole
  const mark = `… (${whole.length + dropped - maxCharacters} more characters)`
  return whole.slice(0, maxCharacters - mark.length) + mark
}

/** Splits a stream of bytes into lines, keeps the last 20 (4,096 characters), and hands each on. */
export class StderrTail {
  readonly #lines: Array<string> = []
  readonly #decoder = new StringDecoder("utf8")
  readonly #secrets: Secrets
  readonly #longest: number
  readonly #onLine: ((line: string) => void) | undefined
  #characters = 0
  #partial = ""
  /** Characters of the line that were not kept. */
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

  /** No more will come: what has no line feed yet is a line too. */
  end(): void {
    if (this.#partial !== "") this.#flush()
  }

  /** The lines in one, oldest first, and what has no line feed yet: a question that waits for an answer, for example. */
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
