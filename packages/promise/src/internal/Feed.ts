/**
 * Streams as listeners and as async iterables, all of which end when their owner closes.
 */
import type { Runtime } from "effect"
import { Effect, FiberId, Runtime as Runtimes, Stream } from "effect"
import * as Aborts from "./Aborts.js"
import * as Run from "./Run.js"

/** Gets the values of a stream. */
interface Reader<A> {
  readonly push: (value: A) => void
  readonly end: () => void
}

/** Starts a stream into a reader; the function that is returned stops it. */
export type Start<A> = (reader: Reader<A>) => () => void

/** A stream that can be started any number of times. What a reader throws is logged, and the stream goes on. */
export const start = <A>(runtime: Runtime.Runtime<never>, stream: Stream.Stream<A, unknown>): Start<A> => {
  const runFork = Runtimes.runFork(runtime)
  return (reader) => {
    const fiber = runFork(
      Stream.runForEach(stream, (value) => Effect.sync(() => Run.guard(runtime, () => reader.push(value))))
    )
    fiber.addObserver(() => reader.end())
    return () => fiber.unsafeInterruptAsFork(FiberId.none)
  }
}

/** A stream with each value made into another. */
export const map = <A, B>(start: Start<A>, f: (value: A) => B): Start<B> => (reader) =>
  start({ push: (value) => reader.push(f(value)), end: reader.end })

/** What is being read of one client or fleet: closing it ends all. */
export class Feed<A> {
  readonly #runtime: Runtime.Runtime<never>
  readonly #start: Start<A>
  readonly #open = new Map<Reader<A>, { readonly stop: () => void; latest: A | undefined }>()
  #ended = false
  #last: A | undefined

  constructor(runtime: Runtime.Runtime<never>, start: Start<A>) {
    this.#runtime = runtime
    this.#start = start
  }

  /**
   * Ends what is open, with a last value, if there is one, for those who have not read it. Later readers get that value and
   * the end.
   */
  end(last?: A, isLast?: (value: A) => boolean): void {
    if (this.#ended) return
    this.#ended = true
    this.#last = last
    for (const [reader, { latest, stop }] of this.#open) {
      stop()
      if (last !== undefined && (latest === undefined || isLast?.(latest) !== true)) {
        Run.guard(this.#runtime, () => reader.push(last))
      }
      reader.end()
    }
    this.#open.clear()
  }

  /** Starts to read. The function that is returned stops it, without an end for the reader. */
  read(reader: Reader<A>): () => void {
    if (this.#ended) {
      if (this.#last !== undefined) reader.push(this.#last)
      reader.end()
      return () => undefined
    }
    const entry = { stop: (): void => undefined, latest: undefined as A | undefined }
    this.#open.set(reader, entry)
    entry.stop = this.#start({
      push: (value) => {
        if (!this.#open.has(reader)) return
        entry.latest = value
        reader.push(value)
      },
      end: () => {
        if (this.#open.delete(reader)) reader.end()
      }
    })
    return () => {
      if (this.#open.delete(reader)) entry.stop()
    }
  }

  /** Calls a listener with each value that is not there already. */
  listen(listener: (value: A) => void): () => void {
    return this.read({ push: listener, end: () => undefined })
  }

  /** The values from the first `next` on. A slow reader gets the latest. */
  iterate(signal: AbortSignal | undefined): AsyncIterableIterator<A> {
    return new Latest(this, signal)
  }
}

interface Waiting<A> {
  readonly resolve: (result: IteratorResult<A>) => void
  readonly reject: (reason: unknown) => void
}

class Latest<A> implements AsyncIterableIterator<A> {
  readonly #feed: Feed<A>
  readonly #signal: AbortSignal | undefined
  readonly #waiting: Array<Waiting<A>> = []
  #pending: { readonly value: A } | undefined
  #failure: { readonly reason: unknown } | undefined
  #state: "new" | "open" | "ended" = "new"
  #stop: (() => void) | undefined

  constructor(feed: Feed<A>, signal: AbortSignal | undefined) {
    this.#feed = feed
    this.#signal = signal
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<A> {
    return this
  }

  next(): Promise<IteratorResult<A>> {
    if (this.#state === "new") this.#begin()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#flush()
    })
  }

  return(): Promise<IteratorResult<A>> {
    this.#pending = undefined
    this.#end()
    return Promise.resolve({ done: true, value: undefined })
  }

  #begin(): void {
    this.#state = "open"
    if (this.#signal?.aborted === true) return this.#abort()
    if (this.#signal !== undefined) Aborts.add(this.#signal, this.#abort)
    const stop = this.#feed.read({
      push: (value) => {
        this.#pending = { value }
        this.#flush()
      },
      end: () => this.#end()
    })
    // It can have ended already.
    if (this.#state === "open") this.#stop = stop
    else stop()
  }

  readonly #abort = (): void => {
    if (this.#state === "ended") return
    this.#pending = undefined
    this.#failure = { reason: this.#signal?.reason }
    this.#end()
  }

  #end(): void {
    this.#state = "ended"
    if (this.#signal !== undefined) Aborts.remove(this.#signal, this.#abort)
    this.#stop?.()
    this.#flush()
  }

  /** Serves who waits: the pending value, then the failure, once, then the end. */
  #flush(): void {
    while (this.#waiting.length > 0) {
      if (this.#pending !== undefined) {
        const { value } = this.#pending
        this.#pending = undefined
        this.#waiting.shift()?.resolve({ done: false, value })
      } else if (this.#failure !== undefined) {
        const { reason } = this.#failure
        this.#failure = undefined
        this.#waiting.shift()?.reject(reason)
      } else if (this.#state === "ended") this.#waiting.shift()?.resolve({ done: true, value: undefined })
      else return
    }
  }
}
