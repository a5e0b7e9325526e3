/**
 * The sessions that a server has forgotten: how soon a new one may be made, and whether the server keeps forgetting them.
 */
import { formatMillis } from "../internal/formatMillis.js"

/** So many new sessions are made at once after a quiet time. */
const burst = 10

/** One more may be made at once after each of these, in milliseconds. */
const refill = 1000

/** A server that forgets so many sessions within `memory` milliseconds keeps forgetting them. */
const many = 5
const memory = 600_000

interface LostSession {
  readonly at: number
  /** Milliseconds that it lived. */
  readonly age: number
}

/**
 * Counts the lost sessions of one backend. A lost session is the answer of a server that lives, so it is no failure: only the
 * pace of new sessions is bounded, by a bucket of `burst` that refills at one in `refill` milliseconds. (R7)
 */
export class LostSessions {
  #count = 0
  /** Of the last `memory` milliseconds, oldest first; at most `many`. */
  #recent: ReadonlyArray<LostSession> = []
  /** How many of a run of losses there were, without a pause of `memory` milliseconds. */
  #inARow = 0
  #warned = false
  /** Whether the next attempt replaces a lost session. */
  #isReplaced = false
  /** When the bucket is full again. */
  #fullAt = Number.NEGATIVE_INFINITY

  /** All that were lost. */
  get count(): number {
    return this.#count
  }

  /** Notes a session that was lost. True where it should be said, once, that the server keeps forgetting. */
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

  /** The next attempt replaces a lost session. */
  replace(): void {
    this.#isReplaced = true
  }

  /** An attempt begins. One that replaces a lost session takes its place in the bucket, which a command may empty and no more. */
  attempted(now: number): void {
    if (!this.#isReplaced) return
    this.#isReplaced = false
    this.#fullAt = Math.min(Math.max(now, this.#fullAt) + refill, now + burst * refill) // guard: session-pace
  }

  /** When the bucket next has a place. */
  next(now: number): number {
    return Math.max(now, this.#fullAt - (burst - 1) * refill)
  }

  /** What to say of a server that keeps forgetting its sessions: how many, how old, and the usual causes. */
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
