/**
 * The limit for the memory of a server, and what a measurement means for it. Pure but for what it remembers.
 */
import { formatMillis } from "../internal/formatMillis.js"
import * as ByteSize from "../options/ByteSize.js"

/** From which part of the limit on a process causes a warning. */
const high = 0.8
/** Below which part of it the next rise causes another warning. */
const low = 0.7
/** How long after a restart the next one may be, in milliseconds. */
const pace = 60_000

/** What a measurement asks for: nothing, a warning, or a new process. */
export type MemoryVerdict =
  | { readonly _tag: "Fine" }
  /** `nextRestartAt`: it is above its limit, and may be restarted from this time on. */
  | { readonly _tag: "High"; readonly message: string; readonly nextRestartAt: number | undefined }
  | { readonly _tag: "Restart"; readonly message: string }

const fine: MemoryVerdict = { _tag: "Fine" }

/** The limit of one backend, over all its processes. */
export class MemoryLimit {
  /** In bytes. */
  readonly limit: number
  #restarts = 0
  #restartedAt = Number.NEGATIVE_INFINITY
  /** What was said of the present process: that it uses much, and that it has to wait for its restart. */
  #isHigh = false
  #isPostponed = false
  #warning: string | undefined

  constructor(limit: number) {
    this.limit = limit
  }

  /** How many processes were replaced because of their memory. */
  get restarts(): number {
    return this.#restarts
  }

  /** What people should know of the memory of the present process: set while it uses more than 80% of the limit. */
  get warning(): string | undefined {
    return this.#warning
  }

  /** A new process has begun. */
  begin(): void {
    this.#isHigh = false
    this.#isPostponed = false
    this.#warning = undefined
  }

  /**
   * What the memory of the present process means. The caller follows the verdict: one to restart counts as done. Between two of these is at
   * least a minute. (S13)
   */
  measured(memory: number, now: number): MemoryVerdict {
    const share = memory / this.limit
    if (share < low) this.begin()
    this.#warning = share >= high ? this.#describe(memory) : undefined
    const { isHigh, isPostponed } = { isHigh: this.#isHigh, isPostponed: this.#isPostponed }
    if (share >= high) this.#isHigh = true
    if (memory <= this.limit) {
      return share < high || isHigh
        ? fine
        : { _tag: "High", message: this.#describe(memory), nextRestartAt: undefined }
    }
    const earliest = this.#restartedAt + pace
    if (now >= earliest) { // guard: memory-restarts-keep-pace
      this.#restarts++
      this.#restartedAt = now
      return { _tag: "Restart", message: `it uses ${this.#describe(memory)}` }
    }
    this.#isPostponed = true
    if (isPostponed) return fine
    const message = `${this.#describe(memory)}, again; the next restart is possible in ${
      formatMillis(Math.ceil((earliest - now) / 1000) * 1000)
    }`
    return { _tag: "High", message, nextRestartAt: earliest }
  }

  #describe(memory: number): string {
    const [used, limit] = [memory, this.limit].map(ByteSize.show)
    return memory > this.limit
      ? `${used} of memory, more than its limit of ${limit} (maxMemory)`
      : `${used} of memory, ${Math.floor(memory / this.limit * 100)}% of its limit of ${limit} (maxMemory)`
  }
}
