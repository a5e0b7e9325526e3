/** How soon a new session may be made in place of a forgotten one, and whether the server keeps forgetting them. */
import { formatMillis } from "../internal/formatMillis.js"

/** At once, after a quiet time. */
const burst = 10

/** One more after each of these, in milliseconds. */
const refill = 1000

/** So many within `memory` milliseconds are too many. */
const many = 5
const memory = 600_000

interface LostSession {
  readonly at: number
  /** Milliseconds that it lived. */
  readonly age: number
}

/** No failures, since the server lives: only their pace is bounded, by a bucket of `burst` places. (R7) */
export class LostSessions {
  #count = 0
  /** The last `many`, oldest first. */
  #recent: ReadonlyArray<LostSession> = []
  /** Without a pause of `memory` milliseconds. */
  #inARow = 0
  #warned = false
  #isReplaced = false
  /** When the bucket is full again. */
  #fullAt = Number.NEGATIVE_INFINITY

  get count(): number {
    return this.#count
  }

  /** True where a warning is due, once. */
  add(now: number, age: number): boolean {
    const quiet = now - (this.#recent.at(-1)?.at ?? Number.NEGATIVE_INFINITY) > memory
    if (quiet) {
      this.#inARow = 0
      this.#warned = false
    }
    this.#count++
    this.#inARow++
    this.#recent = [...this.#recent, { at: now, age }].slice(-many)
    if (this.#warned || !this.#isForgetful(now)) return false
    this.#warned = true
    return true
  }

  replace(): void {
    this.#isReplaced = true
  }

  /** One that replaces a lost session takes a place in the bucket, which a command may empty and no more. */
  attempted(now: number): void {
    if (!this.#isReplaced) return
    this.#isReplaced = false
    this.#fullAt = Math.min(Math.max(now, this.#fullAt) + refill, now + burst * refill) // guard: session-pace
  }

  next(now: number): number {
    return Math.max(now, this.#fullAt - (burst - 1) * refill)
  }

  /** `undefined` unless it keeps forgetting. */
  describe(now: number): string | undefined {
    if (!this.#isForgetful(now)) return undefined
    const ages = this.#recent.map(({ age }) => age)
    const [youngest, oldest] = [formatMillis(Math.min(...ages)), formatMillis(Math.max(...ages))]
    const old = youngest === oldest ? youngest : `${youngest} to ${oldest}`
    return `the server keeps forgetting its sessions: ${this.#inARow} were lost, the last ${many} of them ${old} old. ` +
      "Usual causes: several replicas without sticky sessions, sessions kept in the memory of a function or of a server that " +
      "restarts, an idle limit that is shorter than the keepalive interval"
  }

  #isForgetful(now: number): boolean {
    const oldest = this.#recent[0]
    return this.#recent.length === many && oldest !== undefined && now - oldest.at <= memory
  }
}
