/**
 * Finds the top-level `id` of a JSON object that is too long to keep, while it arrives.
 */
const quote = 0x22
const backslash = 0x5C
const maxToken = 256

/**
 * Takes a JSON text byte by byte, and keeps the value of the key `id` of its outermost object, wherever it is, and whether there is a
 * key `method`. It keeps nothing else. For a text that is not JSON the result is arbitrary, but never an error.
 */
export class IdScanner {
  /** The id, if it has been found yet. */
  id: string | number | undefined
  /** Whether the message is a request or a notification, and not an answer. */
  hasMethod = false

  #depth = 0
  #inString = false
  #escaped = false
  /** Between `{` or `,` and `:` of the outermost object. */
  #keyIsNext = false
  #key: string | undefined
  /** The bytes of the current key or value; undefined if it is not needed. */
  #token: Array<number> | undefined

  push(chunk: Uint8Array): void {
    for (const byte of chunk) {
      if (this.#inString) this.#inside(byte)
      else this.#outside(byte)
    }
  }

  #inside(byte: number): void {
    this.#take(byte)
    if (this.#escaped) this.#escaped = false
    else if (byte === backslash) this.#escaped = true
    else if (byte === quote) {
      this.#inString = false
      if (this.#depth === 1) {
        if (this.#keyIsNext) {
          const key = this.#parsed()
          this.#key = typeof key === "string" ? key : undefined
          if (this.#key === "method") this.hasMethod = true
        } else this.#value()
      }
    }
  }

  #outside(byte: number): void {
    switch (byte) {
      case quote: {
        this.#inString = true
        this.#token = this.#depth === 1 && (this.#keyIsNext || this.#key === "id") ? [quote] : undefined
        return
      }
      case 0x7B: // {
      case 0x5B: { // [
        this.#depth++
        this.#keyIsNext = this.#depth === 1 && byte === 0x7B
        this.#token = undefined
        return
      }
      case 0x7D: // }
      case 0x5D: { // ]
        if (this.#depth === 1) this.#value()
        this.#depth--
        return
      }
      case 0x3A: { // :
        if (this.#depth !== 1) return
        this.#keyIsNext = false
        this.#token = this.#key === "id" ? [] : undefined
        return
      }
      case 0x2C: { // ,
        if (this.#depth !== 1) return
        this.#value()
        this.#keyIsNext = true
        this.#key = undefined
        return
      }
      default: {
        this.#take(byte)
      }
    }
  }

  #take(byte: number): void {
    if (this.#token === undefined) return
    if (this.#token.length < maxToken) this.#token.push(byte)
    else this.#token = undefined
  }

  #parsed(): unknown {
    const token = this.#token
    this.#token = undefined
    if (token === undefined) return undefined
    try {
      return JSON.parse(Buffer.from(token).toString("utf8"))
    } catch {
      return undefined
    }
  }

  #value(): void {
    // Of the values, a token is kept only for that of the id.
    const value = this.#parsed()
    if (typeof value === "string" || typeof value === "number") this.id = value
  }
}
