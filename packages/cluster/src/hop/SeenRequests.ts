export class SeenRequests {
  readonly #kept: number
  #seen = new Set<string>()
  #before = new Set<string>()
  #since = -Infinity

  /** `kept`: how long each is remembered at least, in milliseconds. */
  constructor(kept: number) {
    this.#kept = kept
  }

  /** False if the nonce was remembered already. */
  add(nonce: string, now: number): boolean {
    if (now - this.#since >= this.#kept) {
      this.#before = this.#seen
      this.#seen = new Set()
      this.#since = now
    }
    if (this.#seen.has(nonce) || this.#before.has(nonce)) return false
    this.#seen.add(nonce)
    return true
  }
}
