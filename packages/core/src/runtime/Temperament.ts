/**
 * What a server has shown of itself, over all its connections, and over runs of the program where somebody keeps it. (V9)
 */
import type { Shown, TemperamentMemory } from "../port/TemperamentMemory.js"

/** How often a server has to answer another question while a ping has no answer, until it counts as one that ignores pings. */
const enough = 2

/** What the server of one backend has shown. */
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

  /** A connection is installed, with a server that introduces itself so. Of another one than before nothing is known. */
  meets({ name, version }: { readonly name: string; readonly version: string }): void {
    const server = `${name} ${version}`
    if (this.#server === server) return
    if (this.#server !== undefined) {
      this.#isConcurrent = false
      this.#ignoredPings = 0
    }
    this.#server = server
  }

  /** It has answered a request while it worked on an older one. */
  get isConcurrent(): boolean {
    return this.#isConcurrent
  }

  /** It has done so now. */
  showedConcurrent(): void {
    if (this.#isConcurrent) return
    this.#isConcurrent = true
    this.#changed()
  }

  /** It leaves pings without an answer, and answers other questions. */
  get ignoresPings(): boolean {
    return this.#ignoredPings >= enough
  }

  /** It has answered another question while a ping had no answer. */
  ignoredPing(): void {
    if (++this.#ignoredPings === enough) this.#changed()
  }

  /** It has answered a ping. */
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
