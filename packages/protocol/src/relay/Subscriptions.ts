/** Each server gets one subscription for each resource, as long as it has subscribers. */
import type { Backend, CallError, Fleet } from "@mcp-lifeline/core"
import { Effect } from "effect"

/** Must not throw. */
export interface Subscriber {
  readonly updated: (server: string, params: Readonly<Record<string, unknown>>) => void
}

class Subscription {
  readonly server: string
  /** The URI there. */
  readonly original: string
  readonly subscribers = new Map<Subscriber, string>()
  /** It was sent `resources/subscribe`. */
  subscribedAt: Backend.Backend | undefined
  /** Limits how many are made again at a time. */
  readonly turns: Effect.Semaphore
  /** One request at a time, so that the last one determines the result. */
  readonly turn = Effect.unsafeMakeSemaphore(1)

  constructor(server: string, original: string, turns: Effect.Semaphore) {
    this.server = server
    this.original = original
    this.turns = turns
  }
}

/** A backend takes only so many calls (`calls.maxInFlight`). */
const atOnce = 16

class AtServer {
  readonly turns = Effect.unsafeMakeSemaphore(atOnce)
  readonly byUri = new Map<string, Subscription>()
  /** No other lengths need be looked for. */
  readonly #lengths = new Map<number, number>()

  add(subscription: Subscription): void {
    const { length } = subscription.original
    this.byUri.set(subscription.original, subscription)
    this.#lengths.set(length, (this.#lengths.get(length) ?? 0) + 1)
  }

  remove({ original }: Subscription): void {
    if (!this.byUri.delete(original)) return
    const left = (this.#lengths.get(original.length) ?? 0) - 1
    if (left > 0) this.#lengths.set(original.length, left)
    else this.#lengths.delete(original.length)
  }

  /** Servers may announce changes of a resource to subscribers of what is above it. */
  *above(uri: string): Iterable<Subscription> {
    for (const length of this.#lengths.keys()) {
      const isAbove = length < uri.length && (uri[length] === "/" || uri[length - 1] === "/")
      const subscription = isAbove ? this.byUri.get(uri.slice(0, length)) : undefined
      if (subscription !== undefined) yield subscription
    }
  }
}

export class Subscriptions {
  readonly #all = new Map<string, AtServer>()
  readonly #of = new Map<Subscriber, Set<Subscription>>()
  readonly #fork: (effect: Effect.Effect<void>) => void

  constructor(fork: (effect: Effect.Effect<void>) => void) {
    this.#fork = fork
  }

  /**
   * `uri`: as the subscriber knows the resource. A failure undoes the subscription, unless a session resumes it (`isResumed`) and the
   * server is only down: then it is sent when the server is back.
   */
  subscribe(
    subscriber: Subscriber,
    { backend, original }: Fleet.Route,
    uri: string,
    isResumed = false
  ): Effect.Effect<void, CallError> {
    return Effect.suspend(() => {
      const subscription = this.#at(backend.id, original)
      // Before the request, so that no change is missed between the server's answer and the next step.
      subscription.subscribers.set(subscriber, uri)
      const all = this.#of.get(subscriber) ?? new Set()
      this.#of.set(subscriber, all.add(subscription))
      const subscribed = isResumed
        ? Effect.map(this.#again(subscription, backend), () => subscriber.updated(backend.id, { uri }))
        : this.#subscribe(subscription, backend)
      return Effect.onError(subscribed, (cause) =>
        Effect.sync(() => {
          const isDown = cause._tag === "Fail" && cause.error._tag !== "RemoteError"
          if (!(isResumed && isDown)) this.#end(subscriber, subscription)
        }))
    })
  }

  unsubscribe(subscriber: Subscriber, server: string, original: string): void {
    const subscription = this.#all.get(server)?.byUri.get(original)
    if (subscription !== undefined) this.#end(subscriber, subscription)
  }

  leave(subscriber: Subscriber): void {
    for (const subscription of [...this.#of.get(subscriber) ?? []]) this.#end(subscriber, subscription)
  }

  updated(server: string, params: Readonly<Record<string, unknown>>): void {
    const { uri } = params
    if (typeof uri !== "string") return
    const all = this.#all.get(server)
    const same = all?.byUri.get(uri)
    if (same !== undefined) {
      for (const [subscriber, known] of same.subscribers) subscriber.updated(server, { ...params, uri: known })
      return
    }
    for (const { subscribers } of all?.above(uri) ?? []) {
      for (const subscriber of subscribers.keys()) subscriber.updated(server, params)
    }
  }

  connected(backend: Backend.Backend): void {
    for (const subscription of this.#all.get(backend.id)?.byUri.values() ?? []) {
      if (subscription.subscribers.size === 0) this.#release(subscription)
      else if (subscription.subscribedAt !== backend) {
        const { original: uri } = subscription
        this.#fork(
          Effect.ignore(Effect.map(this.#again(subscription, backend), () => this.updated(backend.id, { uri })))
        )
      }
    }
  }

  #at(server: string, original: string): Subscription {
    const all = this.#all.get(server) ?? new AtServer()
    this.#all.set(server, all)
    const known = all.byUri.get(original)
    if (known !== undefined) return known
    const subscription = new Subscription(server, original, all.turns)
    all.add(subscription)
    return subscription
  }

  #end(subscriber: Subscriber, subscription: Subscription): void {
    if (!subscription.subscribers.delete(subscriber)) return
    const all = this.#of.get(subscriber)
    all?.delete(subscription)
    if (all?.size === 0) this.#of.delete(subscriber)
    this.#release(subscription)
  }

  #again(subscription: Subscription, backend: Backend.Backend): Effect.Effect<void, CallError> {
    return subscription.turns.withPermits(1)(this.#subscribe(subscription, backend))
  }

  #subscribe(subscription: Subscription, backend: Backend.Backend): Effect.Effect<void, CallError> {
    return subscription.turn.withPermits(1)(Effect.suspend(() => {
      if (subscription.subscribedAt === backend || subscription.subscribers.size === 0) return Effect.void
      subscription.subscribedAt = backend
      return Effect.tapError(backend.subscribeResource(subscription.original), () =>
        Effect.sync(() => {
          subscription.subscribedAt = undefined
        }))
    }))
  }

  #release(subscription: Subscription): void {
    if (subscription.subscribers.size > 0) return
    this.#fork(
      subscription.turn.withPermits(1)(Effect.suspend(() => {
        const { subscribedAt, subscribers } = subscription
        if (subscribers.size > 0) return Effect.void
        if (subscribedAt === undefined) return Effect.sync(() => this.#forget(subscription))
        return Effect.matchCause(subscribedAt.unsubscribeResource(subscription.original), {
          // `connected` tries again when the server is back.
          onFailure: () => undefined,
          onSuccess: () => {
            subscription.subscribedAt = undefined
            this.#forget(subscription)
          }
        })
      }))
    )
  }

  #forget(subscription: Subscription): void {
    const all = this.#all.get(subscription.server)
    if (all?.byUri.get(subscription.original) !== subscription || subscription.subscribers.size > 0) return
    all.remove(subscription)
    if (all.byUri.size === 0) this.#all.delete(subscription.server)
  }
}
