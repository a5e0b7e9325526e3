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
  /** The URI under which each subscriber knows the resource. */
  readonly subscribers = new Map<Subscriber, string>()
  /** The backend that was sent `resources/subscribe`. */
  subscribedAt: Backend.Backend | undefined
  /** Lets one request run at a time, so that the last one determines the result. */
  readonly turn = Effect.unsafeMakeSemaphore(1)
}

/** Whether a resource is below another: servers may announce its changes to subscribers of the other. */
const isBelow = (uri: string, above: string): boolean => uri.startsWith(above.endsWith("/") ? above : `${above}/`)

/** The subscriptions of the clients of one fleet. */
export class Subscriptions {
  /** By server, and by the URI there. */
  readonly #all = new Map<string, Map<string, Subscription>>()
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
      return Effect.tapErrorCause(this.#subscribe(subscription, backend, original), (cause) =>
        Effect.sync(() => {
          const isDown = cause._tag === "Fail" && cause.error._tag !== "RemoteError"
          if (!(isResumed && isDown)) this.unsubscribe(subscriber, backend.id, original)
        })).pipe(Effect.onInterrupt(() => Effect.sync(() => this.unsubscribe(subscriber, backend.id, original))))
    })
  }

  /** Ends a subscription. */
  unsubscribe(subscriber: Subscriber, server: string, original: string): void {
    const subscription = this.#all.get(server)?.get(original)
    if (subscription?.subscribers.delete(subscriber) === true) this.#release(subscription, server, original)
  }

  /** Ends all subscriptions of a client that has left. */
  leave(subscriber: Subscriber): void {
    for (const [server, all] of this.#all) for (const uri of [...all.keys()]) this.unsubscribe(subscriber, server, uri)
  }

  /** Notifies the subscribers of a resource that a server says has changed. */
  updated(server: string, params: Readonly<Record<string, unknown>>): void {
    const { uri } = params
    if (typeof uri !== "string") return
    const all = this.#all.get(server)
    const same = all?.get(uri)
    if (same !== undefined) {
      for (const [subscriber, known] of same.subscribers) subscriber.updated(server, { ...params, uri: known })
      return
    }
    for (const [above, { subscribers }] of all ?? []) {
      if (isBelow(uri, above)) { for (const subscriber of subscribers.keys()) subscriber.updated(server, params) }
    }
  }

  /** Sends a backend that has connected the subscriptions of its server that it does not have yet. */
  connected(backend: Backend.Backend): void {
    for (const [original, subscription] of this.#all.get(backend.id) ?? []) {
      if (subscription.subscribers.size === 0) this.#release(subscription, backend.id, original)
      else this.#fork(Effect.ignore(this.#subscribe(subscription, backend, original)))
    }
  }

  #at(server: string, original: string): Subscription {
    const all = this.#all.get(server) ?? new Map<string, Subscription>()
    this.#all.set(server, all)
    const subscription = all.get(original) ?? new Subscription()
    all.set(original, subscription)
    return subscription
  }

  #subscribe(
    subscription: Subscription,
    backend: Backend.Backend,
    original: string
  ): Effect.Effect<void, CallError> {
    return subscription.turn.withPermits(1)(Effect.suspend(() => {
      if (subscription.subscribedAt === backend || subscription.subscribers.size === 0) return Effect.void
      subscription.subscribedAt = backend
      return Effect.tapError(backend.subscribeResource(original), () =>
        Effect.sync(() => {
          subscription.subscribedAt = undefined
        }))
    }))
  }

  /** Unsubscribes at the server if nobody is subscribed any more. */
  #release(subscription: Subscription, server: string, original: string): void {
    if (subscription.subscribers.size > 0) return
    this.#fork(
      subscription.turn.withPermits(1)(Effect.suspend(() => {
        const { subscribedAt, subscribers } = subscription
        if (subscribers.size > 0) return Effect.void
        if (subscribedAt === undefined) return Effect.sync(() => this.#forget(subscription, server, original))
        return Effect.matchCause(subscribedAt.unsubscribeResource(original), {
          // `connected` tries again when the server is back.
          onFailure: () => undefined,
          onSuccess: () => {
            subscription.subscribedAt = undefined
            this.#forget(subscription, server, original)
          }
        })
      }))
    )
  }

  #forget({ subscribers }: Subscription, server: string, original: string): void {
    const all = this.#all.get(server)
    if (all === undefined || subscribers.size > 0) return
    all.delete(original)
    if (all.size === 0) this.#all.delete(server)
  }
}
