import type { Progress } from "@modelcontextprotocol/sdk/types.js"

/** A longer message of a server is not repeated: hosts show about as much. */
const longestRepeated = 200

/** `value`, or one above `last` by as little as every number up to 1e300 can show. */
const above = (last: number, value: number): number =>
  value > last ? value : last + Math.max(Math.abs(last), 1) * 2 ** -40

/**
 * Reports of the first request pass as they come; once Lifeline has spoken, or the request was sent again, raised above what came before, as
 * MCP asks for. A request sent again is not heard until it is farther.
 */
export class CallProgress {
  /** What Lifeline has said of a connection that is still missing. */
  missing: string | undefined
  /** Or when the call began; milliseconds on the Clock's scale. */
  toldAt: number
  reportedAt = Number.NEGATIVE_INFINITY
  readonly #listener: (progress: Progress) => void
  #last = Number.NEGATIVE_INFINITY
  #farthest = Number.NEGATIVE_INFINITY
  #isSentAgain = false
  #isMerged = false
  #total: number | undefined
  /** Of the request in flight. */
  #message: string | undefined

  /** What `listener` throws, the methods throw. */
  constructor(listener: (progress: Progress) => void, now: number) {
    this.#listener = listener
    this.toldAt = now
  }

  sentAgain(): void {
    this.#isSentAgain = true
    this.#message = undefined
    this.reportedAt = Number.NEGATIVE_INFINITY
  }

  reported(progress: Progress, now: number): void {
    const { message, progress: value, total } = progress
    this.reportedAt = now
    this.#total = total ?? this.#total
    this.#message = message ?? this.#message
    const isFarther = value > this.#farthest
    if (isFarther) this.#farthest = value
    if (this.#isSentAgain && !isFarther) return
    this.#tell(
      this.#isMerged || this.#isSentAgain ? { ...progress, progress: above(this.#last, value) } : progress,
      now
    )
  }

  /** Without a value: the status of a task. */
  described(message: string, now: number): void {
    this.reportedAt = now
    this.#message = message
    this.#say(message, now)
  }

  /** `isRunning`: what the server said last still holds. */
  said(message: string, isRunning: boolean, now: number): void {
    const theirs = isRunning ? this.#message : undefined
    this.#say(theirs === undefined || theirs.length > longestRepeated ? message : `${theirs} (${message})`, now)
  }

  /** The last `total` is repeated: hosts show no bar without it. */
  #say(message: string, now: number): void {
    this.#isMerged = true
    const progress = this.#last === Number.NEGATIVE_INFINITY ? 0 : above(this.#last, this.#last)
    this.#tell({ progress, ...(this.#total === undefined ? {} : { total: this.#total }), message }, now)
  }

  #tell(progress: Progress, now: number): void {
    const value = progress.progress
    if (!Number.isFinite(value)) return
    this.#last = Math.max(this.#last, value)
    this.toldAt = now
    this.#listener(progress)
  }
}
