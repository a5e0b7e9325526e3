/** Long work takes turns of the event loop, so that timers and other connections have theirs between. */
import { kibibytes } from "@mcp-lifeline/core/text"
import type { Readable } from "node:stream"

/** In characters or bytes. */
export const isLong = (length: number): boolean => length >= kibibytes(256)

const due: Array<() => void> = []

const turn = (): void => {
  // Two, because what an immediate begins comes after the next poll.
  setImmediate(() =>
    setImmediate(() => {
      const work = due.shift()
      if (due.length > 0) turn()
      work?.()
    })
  )
}

/** At once, or where it is long, in two later turns: one for `then`. */
export const run = <A>(length: number, work: () => A, then?: (result: A) => void): void => {
  if (isLong(length)) return new Turns().run(length, work, then)
  const result = work()
  then?.(result)
}

/** In order: what comes behind long work waits for it. */
export class Turns {
  readonly #waiting: Array<{ readonly takesTurns: boolean; readonly work: () => void }> = []

  run<A>(length: number, work: () => A, then?: (result: A) => void): void {
    const takesTurns = isLong(length)
    const isFirst = this.#waiting.length === 0
    if (isFirst && !takesTurns) return run(length, work, then)
    let result: A
    this.#waiting.push({ takesTurns, work: () => void (result = work()) })
    if (then !== undefined) this.#waiting.push({ takesTurns, work: () => then(result) })
    if (isFirst) this.#wait()
  }

  /** Reads nothing more while something waits. */
  hold(stream: Pick<Readable, "pause" | "resume">): void {
    if (this.#waiting.length === 0) return
    stream.pause()
    this.run(0, () => stream.resume())
  }

  #wait(): void {
    const next = (): void => {
      do {
        this.#waiting[0]?.work()
        // Not before, so that what the work itself begins comes behind it.
        this.#waiting.shift()
      } while (this.#waiting[0]?.takesTurns === false)
      if (this.#waiting.length > 0) this.#wait()
    }
    if (due.push(next) === 1) turn()
  }
}
