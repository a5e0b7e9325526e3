import type { Runtime } from "effect"
import { Effect, FiberId, Runtime as Runtimes, Stream } from "effect"
import * as AbortListeners from "./AbortListeners.js"
import * as Runner from "./Runner.js"

interface Subscriber<A> {
  readonly push: (value: A) => void
  readonly end: () => void
}

/** Runs its stream once for each subscriber, until the stream or `end`. What a subscriber throws is logged. */
export class Publisher<A> {
  readonly #runtime: Runtime.Runtime<never>
  readonly #stream: Stream.Stream<A, unknown>
  /** With a function that stops its stream. */
  readonly #subscribers = new Map<Subscriber<A>, () => void>()
  readonly #drained: Array<() => void> = []
  #last: { readonly value: A | undefined } | undefined

  constructor(runtime: Runtime.Runtime<never>, stream: Stream.Stream<A, unknown>) {
    this.#runtime = runtime
    this.#stream = stream
  }

  /** Resolves without subscribers. Await it only if the stream is known to end. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained.push(resolve)
      this.#wake()
    })
  }

  /** Ends all subscriptions, with an optional last value. Later subscribers get only that. */
  end(value?: A): void {
    if (this.#last !== undefined) return
    this.#last = { value }
    for (const [subscriber, stop] of this.#subscribers) {
      stop()
      if (value !== undefined) Runner.callListener(this.#runtime, () => subscriber.push(value))
      subscriber.end()
    }
    this.#subscribers.clear()
    this.#wake()
  }

  /** The returned function unsubscribes without calling `end`. */
  subscribe(subscriber: Subscriber<A>): () => void {
    if (this.#last !== undefined) {
      if (this.#last.value !== undefined) subscriber.push(this.#last.value)
      subscriber.end()
      return () => undefined
    }
    this.#subscribers.set(subscriber, () => undefined)
    const stop = this.#run(subscriber)
    if (this.#subscribers.has(subscriber)) this.#subscribers.set(subscriber, stop)
    return () => {
      if (this.#subscribers.delete(subscriber)) stop()
      this.#wake()
    }
  }

  #run(subscriber: Subscriber<A>): () => void {
    const push = (value: A): void => {
      if (this.#subscribers.has(subscriber)) subscriber.push(value)
    }
    const fiber = Runtimes.runFork(this.#runtime)(
      Stream.runForEach(
        this.#stream,
        (value) => Effect.sync(() => Runner.callListener(this.#runtime, () => push(value)))
      )
    )
    fiber.addObserver(() => {
      if (this.#subscribers.delete(subscriber)) subscriber.end()
      this.#wake()
    })
    return () => fiber.unsafeInterruptAsFork(FiberId.none)
  }

  #wake(): void {
    if (this.#subscribers.size === 0) { for (const resolve of this.#drained.splice(0)) resolve() }
  }

  listen(listener: (value: A) => void): () => void {
    return this.subscribe({ push: listener, end: () => undefined })
  }

  /** From the first `next` on. A slow consumer gets only the latest value. */
  iterate(signal: AbortSignal | undefined): AsyncIterableIterator<A> {
    return new LatestValues(this, signal)
  }
}

interface Waiting<A> {
  readonly resolve: (result: IteratorResult<A>) => void
  readonly reject: (reason: unknown) => void
}

class LatestValues<A> implements AsyncIterableIterator<A> {
  readonly #publisher: Publisher<A>
  readonly #signal: AbortSignal | undefined
  readonly #waiting: Array<Waiting<A>> = []
  #pending: { readonly value: A } | undefined
  #failure: { readonly reason: unknown } | undefined
  #state: "new" | "open" | "ended" = "new"
  #stop: (() => void) | undefined

  constructor(publisher: Publisher<A>, signal: AbortSignal | undefined) {
    this.#publisher = publisher
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
    if (this.#signal !== undefined) AbortListeners.add(this.#signal, this.#abort)
    const stop = this.#publisher.subscribe({
      push: (value) => {
        this.#pending = { value }
        this.#flush()
      },
      end: () => this.#end()
    })
    // The subscription may have ended already.
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
    if (this.#signal !== undefined) AbortListeners.remove(this.#signal, this.#abort)
    this.#stop?.()
    this.#flush()
  }

  /** Answers waiting `next` calls: the pending value, then the failure once, then the end. */
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
