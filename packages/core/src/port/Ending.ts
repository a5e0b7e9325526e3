/** How a connection has ended: told once, to a listener that may come later. See `Connection.onLost`. */
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

  /** The first one counts. */
  lose(loss: Loss): void {
    if (this.#loss !== undefined) return
    this.#loss = loss
    this.#listener?.(loss)
  }

  /** Without a word: who ends it knows. */
  end(loss: Loss): void {
    this.#loss ??= loss
  }

  readonly onLost: Connection["onLost"] = (listener) => {
    this.#listener = listener
    if (this.#loss !== undefined) listener(this.#loss)
  }
}
