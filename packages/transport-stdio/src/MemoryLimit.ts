/** The verdict on the memory in use; `RuntimeTasks` of core applies it. */
import type { ResourceUsage, UsageLimit, UsageVerdict } from "@mcp-lifeline/core"
import { ByteSize } from "@mcp-lifeline/core/options"
import { Duration } from "effect"

/** From this part of the limit on, it warns. */
const high = 0.8
/** Below this, it may warn again. */
const low = 0.7
/** Milliseconds between two restarts. */
const pace = 60_000

const fine: UsageVerdict = { _tag: "Fine" }

export class MemoryLimit implements UsageLimit {
  /** In bytes. */
  readonly #limit: number
  #restarts = 0
  #restartedAt = Number.NEGATIVE_INFINITY
  #isHigh = false
  #isPostponed = false
  #warning: string | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  get status(): UsageLimit["status"] {
    return { bytes: this.#limit, restarts: this.#restarts, warning: this.#warning }
  }

  begin(): void {
    this.#isHigh = false
    this.#isPostponed = false
    this.#warning = undefined
  }

  measured({ memory }: ResourceUsage, now: number): UsageVerdict {
    const share = memory / this.#limit
    if (share < low) this.begin()
    this.#warning = share >= high ? this.#describe(memory) : undefined
    const isHigh = this.#isHigh
    const isPostponed = this.#isPostponed
    if (share >= high) this.#isHigh = true
    if (memory <= this.#limit) {
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
      Duration.format(Duration.seconds(Math.ceil((earliest - now) / 1000)))
    }`
    return { _tag: "High", message, nextRestartAt: earliest }
  }

  #describe(memory: number): string {
    const [used, limit] = [memory, this.#limit].map(ByteSize.show)
    return memory > this.#limit
      ? `${used} of memory, more than its limit of ${limit} (maxMemory)`
      : `${used} of memory, ${Math.floor(memory / this.#limit * 100)}% of its limit of ${limit} (maxMemory)`
  }
}
