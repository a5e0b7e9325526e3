/**
 * What a JSON text holds, found without parsing it, and while it arrives.
 */
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"

/** In bytes or characters. */
const maxToken = 256
/** A message has six. */
const maxKeys = 100

/**
 * Takes a JSON text in pieces: all of them text, or all of them bytes. Keeps only a short id. For a text that is not JSON the result is
 * arbitrary, but never an error.
 */
export class JsonScanner {
  /** A request or a notification, and not an answer. */
  hasMethod = false
  /** The most arrays and objects in one another. */
  depth = 0
  /** Arrays, objects and separators; names count twice. */
  values = 0

  #isText = true
  #id = ""
  #within = 0
  #inString = false
  #escaped = false
  #isObject = false
  #keys = 0
  /** With its quotes. */
  #key = ""
  /** Of the key or value that has begun, what came in earlier pieces. Bytes are read as characters. */
  #token = ""

  /** Of the outermost object, if it has been found yet. */
  get id(): RequestId | undefined {
    const id = this.#parsed(this.#id)
    return typeof id === "string" || typeof id === "number" ? id : undefined
  }

  push(given: string | Buffer): this {
    this.#isText = typeof given === "string"
    const piece = typeof given === "string" ? given : given.toString("latin1")
    const { length } = piece
    let [within, inString, depth, values] = [this.#within, this.#inString, this.depth, this.values]
    let [at, begin] = [this.#escaped ? 1 : 0, 0]
    for (; at < length; at++) {
      for (; inString && at < length; at++) {
        const char = piece.charCodeAt(at)
        if (char === 0x22) inString = false // "
        else if (char === 0x5C) at++ // \
      }
      if (at >= length) break
      const char = piece.charCodeAt(at)
      switch (char) {
        case 0x22: // "
          inString = true
          break
        case 0x7B: // {
        case 0x5B: // [
          values++
          if (++within > depth) depth = within
          if (within > 1) break
          this.#isObject = char === 0x7B
          begin = at + 1
          break
        case 0x7D: // }
        case 0x5D: // ]
          if (within-- === 1) this.#endsValue(piece, begin, at)
          break
        case 0x2C: // ,
          values++
          if (within !== 1) break
          this.#endsValue(piece, begin, at)
          begin = at + 1
          break
        case 0x3A: // :
          values += 2
          if (within !== 1) break
          this.#endsKey(piece, begin, at)
          begin = at + 1
      }
    }
    if (within === 1) this.#token = this.#tokenTo(piece, begin, length)
    this.#within = within
    this.#inString = inString
    this.#escaped = at > length
    this.depth = depth
    this.values = values
    return this
  }

  #endsKey(piece: string, begin: number, end: number): void {
    this.#key = this.#isObject && this.#keys++ < maxKeys ? this.#tokenTo(piece, begin, end).trim() : ""
    if (this.#key.includes("\\")) this.#key = String(JSON.stringify(this.#parsed(this.#key)))
    if (this.#key === `"method"`) this.hasMethod = true
    this.#token = ""
  }

  #endsValue(piece: string, begin: number, end: number): void {
    if (this.#key === `"id"`) this.#id = this.#tokenTo(piece, begin, end)
    this.#key = ""
    this.#token = ""
  }

  #parsed(token: string): unknown {
    try {
      return token.length > maxToken
        ? undefined
        : JSON.parse(this.#isText ? token : Buffer.from(token, "latin1").toString())
    } catch {
      return undefined
    }
  }

  #tokenTo(piece: string, begin: number, end: number): string {
    return (this.#token + piece.slice(begin, Math.min(end, begin + maxToken + 1))).slice(0, maxToken + 1)
  }
}
