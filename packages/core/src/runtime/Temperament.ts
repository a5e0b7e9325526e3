/** What a server has shown, over all its connections, and over runs of the program. (V9) */
import type { Shown, TemperamentMemory } from "../port/TemperamentMemory.js"

/** So many other answers beside an unanswered ping: it ignores pings. */
const enough = 2

export class Temperament {
  readonly #keep: ((shown: Shown) => void) | undefined
  #server: string | undefined
  #isConcurrent: boolean
  #ignoredPings: number

  constructor(memory?: TemperamentMemory) {
    const remembered = memory?.remembered
    this.#keep = memory?.keep
    this.#server = remembered?.server
    this.#isConcurrent = remembered?.isConcurrent === true
    this.#ignoredPings = remembered?.ignoresPings === true ? enough : 0
  }

  /** Of another server than before nothing is known. */
  meets({ name, version }: { readonly name: string; readonly version: string }): void {
    const server = `${name} ${version}`
    if (this.#server === server) return
    if (this.#server !== undefined) {
      this.#isConcurrent = false
      this.#ignoredPings = 0
    }
    this.#server = server
  }

  get isConcurrent(): boolean {
    return this.#isConcurrent
  }

  showedConcurrent(): void {
    if (this.#isConcurrent) return
    this.#isConcurrent = true
    this.#changed()
  }

  get ignoresPings(): boolean {
    return this.#ignoredPings >= enough
  }

  ignoredPing(): void {
    if (++this.#ignoredPings === enough) this.#changed()
  }

  answeredPing(): void {
    const before = this.ignoresPings
    this.#ignoredPings = 0
    if (before) this.#changed()
  }

  #changed(): void {
    const { ignoresPings, isConcurrent } = this
    if (this.#server !== undefined) this.#keep?.({ server: this.#server, isConcurrent, ignoresPings })
  }
}
