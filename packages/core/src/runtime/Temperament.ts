/** Over all connections, and over runs of the program. (V9) */
import type { Shown } from "../port/Shown.js"

/** So many other answers beside an unanswered ping. */
const enough = 2

/** `server`: `undefined` until it is met. */
type Known = Omit<Shown, "server"> & { readonly server: string | undefined }

const nothing: Known = { server: undefined, isConcurrent: false, ignoresPings: false }

export class Temperament {
  readonly #keep: (shown: Shown) => void
  #known: Known
  /** In a row. */
  #unansweredPings = 0

  constructor(remembered?: Shown, keep: (shown: Shown) => void = () => {}) {
    this.#keep = keep
    this.#known = remembered ?? nothing
  }

  meets({ name, version }: { readonly name: string; readonly version: string }): void {
    const server = `${name} ${version}`
    const before = this.#known
    if (before.server === undefined) {
      this.#known = { ...before, server }
      if (before !== nothing) this.#learn({})
    } else if (before.server !== server) {
      // `sessionsSince` was found out in this connection.
      this.#known = { ...nothing, server, sessionsSince: before.sessionsSince }
      this.#unansweredPings = 0
    }
  }

  get known(): Known {
    return this.#known
  }

  get isConcurrent(): boolean {
    return this.#known.isConcurrent
  }

  showedConcurrent(): void {
    if (!this.isConcurrent) this.#learn({ isConcurrent: true })
  }

  get ignoresPings(): boolean {
    return this.#known.ignoresPings
  }

  ignoredPing(): void {
    if (++this.#unansweredPings >= enough && !this.ignoresPings) this.#learn({ ignoresPings: true })
  }

  answeredPing(): void {
    this.#unansweredPings = 0
    if (this.ignoresPings) this.#learn({ ignoresPings: false })
  }

  /** In that time, in milliseconds. */
  started(took: number): void {
    if (took > (this.#known.slowestStart ?? 0)) this.#learn({ slowestStart: took })
  }

  get sessionsSince(): number | undefined {
    return this.#known.sessionsSince
  }

  set sessionsSince(since: number | undefined) {
    if (since !== this.sessionsSince) this.#learn({ sessionsSince: since })
  }

  #learn(news: Partial<Known>): void {
    this.#known = { ...this.#known, ...news }
    const { server } = this.#known
    if (server !== undefined) this.#keep({ ...this.#known, server })
  }
}
