/**
 * The progress of one call as its caller hears it: what the server reports of each request that was sent for it, and what Lifeline says
 * where the server reports nothing.
 */
import type { Progress } from "@modelcontextprotocol/sdk/types.js"

/** A longer message of a server is not repeated with what Lifeline says: hosts show about as much. */
const longestRepeated = 200

/** A value above the last one: the given one, or one that is larger by as little as every number up to 1e300 can show. */
const above = (last: number, value: number): number =>
  value > last ? value : last + Math.max(Math.abs(last), 1) * 2 ** -40

/**
 * Merges the progress of a call from its sources, for one listener. What the server reports of the first request is handed on as it comes.
 * Once Lifeline has said something itself, or has sent the request again, each value is higher than the ones before it, as MCP asks for: a
 * value of the server that is not is raised by a trifle. What a request that was sent again reports is not handed on until it is farther
 * than before.
 */
export class CallProgress {
  readonly #listener: (progress: Progress) => void
  /** The highest value that the caller has heard. */
  #last = Number.NEGATIVE_INFINITY
  /** The highest value that the server has reported. */
  #farthest = Number.NEGATIVE_INFINITY
  #isSentAgain = false
  /** Lifeline has said something itself. */
  #isMerged = false
  #total: number | undefined
  /** What the server said last of the request in flight. */
  #message: string | undefined
  #toldAt: number
  #reportedAt = Number.NEGATIVE_INFINITY

  /** `listener`: may throw, and the call of the method that has called it throws too. `now`: when the call began. */
  constructor(listener: (progress: Progress) => void, now: number) {
    this.#listener = listener
    this.#toldAt = now
  }

  /** When the caller heard something last, or the call began; milliseconds on the Clock's scale. */
  get toldAt(): number {
    return this.#toldAt
  }

  /** When the server reported something last of the request in flight. */
  get reportedAt(): number {
    return this.#reportedAt
  }

  /** The request is sent again: the server begins anew. */
  sentAgain(): void {
    this.#isSentAgain = true
    this.#message = undefined
    this.#reportedAt = Number.NEGATIVE_INFINITY
  }

  /** The server reports progress. */
  reported(progress: Progress, now: number): void {
    const { message, progress: value, total } = progress
    this.#reportedAt = now
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

  /** The server says what it does, without a value: the status of a task. */
  described(message: string, now: number): void {
    this.#reportedAt = now
    this.#message = message
    this.#say(message, now)
  }

  /** Lifeline says what goes on. `isRunning`: the server carries the request out, so that what it said last still holds. */
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

  /** Says nothing where no higher value exists. */
  #tell(progress: Progress, now: number): void {
    const value = progress.progress
    if (!Number.isFinite(value)) return
    this.#last = Math.max(this.#last, value)
    this.#toldAt = now
    this.#listener(progress)
  }
}
