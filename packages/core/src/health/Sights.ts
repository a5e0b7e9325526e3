/** What the processes of a server do, from one look at them to the next. */
import { type Activity, activity, type ProcessSight, type Taken } from "../port/ProcessSight.js"

/** Milliseconds between sights: the clock of the kernel has ticks of 10 ms. */
const shortest = 200
/** Milliseconds between sights: the machine may have been suspended. */
const longest = 15_000

export class Sights {
  #last: ProcessSight | undefined
  #at: number
  activity: Activity | undefined
  /** Since when. */
  since: number
  workedAt = Number.NEGATIVE_INFINITY

  constructor(now: number) {
    this.#at = now
    this.since = now
  }

  /** `sight`: `undefined` if they cannot be seen. */
  add(sight: ProcessSight | undefined, now: number, taken: Omit<Taken, "apart">): void {
    const before = this.#last
    const apart = now - this.#at
    if (sight !== undefined && before !== undefined && apart < shortest) return
    const isComparable = sight !== undefined && before !== undefined && apart <= longest
    const found = isComparable ? activity(before, sight, { ...taken, apart }) : undefined
    if (found !== this.activity) this.since = isComparable ? this.#at : now
    this.activity = found
    if (found === "works" || found === "waits") this.workedAt = now
    this.#last = sight
    this.#at = now
  }

  get isEmpty(): boolean {
    return this.#last === undefined
  }
}
