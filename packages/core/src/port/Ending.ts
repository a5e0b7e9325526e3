/** Told once, to a listener that may come later. See `Connection.onLost`. */
import type { Connection, Loss } from "./Connection.js"

export class Ending {
  #loss: Loss | undefined
  #listener: ((loss: Loss) => void) | undefined

  get loss(): Loss | undefined {
    return this.#loss
  }

  get isHeard(): boolean {
    return this.#listener !== undefined
  }

  /** The first loss counts, also where another follows before `tell`. False for that one. */
  claim(loss: Loss): boolean {
    if (this.#loss !== undefined) return false
    this.#loss = loss
    return true
  }

  /** After `claim`. */
  tell(): void {
    if (this.#loss !== undefined) this.#listener?.(this.#loss)
  }

  lose(loss: Loss): void {
    if (this.claim(loss)) this.tell()
  }

  readonly onLost: Connection["onLost"] = (listener) => {
    this.#listener = listener
    this.tell()
  }
}
