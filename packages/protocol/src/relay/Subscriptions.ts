/**
 * The resources of a fleet that clients have subscribed to. Each server gets one subscription for each resource, as long as it has
 * subscribers.
 */
import type { Backend, CallError, Fleet } from "@mcp-lifeline/core"
import { Effect } from "effect"

/** A client that has subscribed to resources. Must not throw. */
export interface Subscriber {
  readonly updated: (server: string, params: Readonly<Record<string, unknown>>) => void
}

/** A resource with subscribers. */
class Subscription {
  readonly server: string
  /** The URI there. */
  readonly original: string
  /** The URI under which each subscriber knows the resource. */
  readonly subscribers = new Map<Subscriber, string>()
  /** The backend that was sent `resources/subscribe`. */
  subscribedAt: Backend.Backend | undefined
  /** Lets only some of those that are made again at the server be on their way. */
  readonly turns: Effect.Semaphore
  /** Lets one request run at a time, so that the last one determines the result. */
  readonly turn = Effect.unsafeMakeSemaphore(1)

  constructor(server: string, original: string, turns: Effect.Semaphore) {
    this.server = server
    this.original = original
    this.turns = turns
  }
}

/** How many subscriptions one server is asked for again at a time: a backend takes only so many calls (`calls.maxInFlight`). */
const atOnce = 16

/** The subscriptions at one server. */
class AtServer {
  readonly turns = Effect.unsafeMakeSemaphore(atOnce)
  readonly byUri = new Map<string, Subscription>()
  /** How many URIs have this length: no other length need be looked for. */
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

  /** Those to what a resource is below of: servers may announce its changes to their subscribers. */
  *above(uri: string): Iterable<Subscription> {
    for (const length of this.#lengths.keys()) {
      const isAbove = length < uri.length && (uri[length] === "/" || uri[length - 1] === "/")
      const subscription = isAbove ? this.byUri.get(uri.slice(0, length)) : undefined
      if (subscription !== undefined) yield subscription
    }
  }
}

/** The subscriptions of the clients of one fleet. */
export class Subscriptions {
  readonly #all = new Map<string, AtServer>()
  readonly #of = new Map<Subscriber, Set<Subscription>>()
  readonly #fork: (effect: Effect.Effect<void>) => void

  /** `fork` runs an effect in the background. */
  constructor(fork: (effect: Effect.Effect<void>) => void) {
    this.#fork = fork
  }

  /**
   * Subscribes to a resource, which the subscriber knows as `uri`. A failure undoes the subscription, with one exception: if a session
   * resumes the subscription (`isResumed`) and the server is only down, the subscription stays, and is sent when the server is back.
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

  /** Ends a subscription. */
  unsubscribe(subscriber: Subscriber, server: string, original: string): void {
    const subscription = this.#all.get(server)?.byUri.get(original)
    if (subscription !== undefined) this.#end(subscriber, subscription)
  }

  /** Ends all subscriptions of a client that has left. */
  leave(subscriber: Subscriber): void {
    for (const subscription of [...this.#of.get(subscriber) ?? []]) this.#end(subscriber, subscription)
  }

  /** Notifies the subscribers of a resource that a server says has changed. */
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

  /** Sends a backend that has connected the subscriptions of its server that it does not have yet. */
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

  /** Subscribes to what was subscribed to before. */
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

  /** Unsubscribes at the server if nobody is subscribed any more. */
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
