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

/**
 * What is read of one client or fleet: a stream that is run for each reader. It ends with its stream, or when `end` says so. What a
 * reader throws is logged, and the stream goes on.
 */
export class Feed<A> {
  readonly #runtime: Runtime.Runtime<never>
  readonly #stream: Stream.Stream<A, unknown>
  /** Who reads, and how to stop the stream for them. */
  readonly #open = new Map<Reader<A>, () => void>()
  readonly #drained: Array<() => void> = []
  #last: { readonly value: A | undefined } | undefined

  constructor(runtime: Runtime.Runtime<never>, stream: Stream.Stream<A, unknown>) {
    this.#runtime = runtime
    this.#stream = stream
  }

  /** Resolved when nobody reads any more: to be waited for where the stream is known to end. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained.push(resolve)
      this.#wake()
    })
  }

  /** Ends for whoever reads, with a last value, if there is one. Who reads later gets that value and the end. */
  end(value?: A): void {
    if (this.#last !== undefined) return
    this.#last = { value }
    for (const [reader, stop] of this.#open) {
      stop()
      if (value !== undefined) Run.guard(this.#runtime, () => reader.push(value))
      reader.end()
    }
    this.#open.clear()
    this.#wake()
  }

  /** Starts to read. The function that is returned stops it, without an end for the reader. */
  read(reader: Reader<A>): () => void {
    if (this.#last !== undefined) {
      if (this.#last.value !== undefined) reader.push(this.#last.value)
      reader.end()
      return () => undefined
    }
    this.#open.set(reader, () => undefined)
    const stop = this.#run(reader)
    if (this.#open.has(reader)) this.#open.set(reader, stop)
    return () => {
      if (this.#open.delete(reader)) stop()
      this.#wake()
    }
  }

  /** Runs the stream for a reader; the function that is returned stops it. */
  #run(reader: Reader<A>): () => void {
    const push = (value: A): void => {
      if (this.#open.has(reader)) reader.push(value)
    }
    const fiber = Runtimes.runFork(this.#runtime)(
      Stream.runForEach(this.#stream, (value) => Effect.sync(() => Run.guard(this.#runtime, () => push(value))))
    )
    fiber.addObserver(() => {
      if (this.#open.delete(reader)) reader.end()
      this.#wake()
    })
    return () => fiber.unsafeInterruptAsFork(FiberId.none)
  }

  #wake(): void {
    if (this.#open.size === 0) { for (const resolve of this.#drained.splice(0)) resolve() }
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
