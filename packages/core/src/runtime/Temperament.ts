/** Over all connections, and over runs of the program. (V9) */
import type { Shown } from "../port/Shown.js"

/** So many other answers beside an unanswered ping. */
const enough = 2

type Known = Omit<Shown, "server">

const nothing: Known = { isConcurrent: false, ignoresPings: false }

export class Temperament {
  readonly #keep: (shown: Shown) => void
  #server: string | undefined
  #known = nothing
  #unansweredPings = 0

  constructor(remembered?: Shown, keep: (shown: Shown) => void = () => {}) {
    this.#keep = keep
    if (remembered === undefined) return
    const { server, ...known } = remembered
    this.#server = server
    this.#known = known
  }

  meets({ name, version }: { readonly name: string; readonly version: string }): void {
    const before = this.#server
    this.#server = `${name} ${version}`
    if (before === undefined && this.#known !== nothing) this.#learn({})
    if (before === undefined || before === this.#server) return
    const { sessionsSince } = this.#known
    this.#known = { ...nothing, sessionsSince }
    this.#unansweredPings = 0
  }

  get known(): Known {
    return this.#known
  }

  showedConcurrent(): void {
    if (!this.#known.isConcurrent) this.#learn({ isConcurrent: true })
  }

  ignoredPing(): void {
    if (++this.#unansweredPings >= enough && !this.#known.ignoresPings) this.#learn({ ignoresPings: true })
  }

  answeredPing(): void {
    this.#unansweredPings = 0
    if (this.#known.ignoresPings) this.#learn({ ignoresPings: false })
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
    if (this.#server !== undefined) this.#keep({ server: this.#server, ...this.#known })
  }
}
