/**
 * The resources of a fleet that clients have subscribed to: each server is asked once for each, as long as anybody is subscribed.
 */
import type { Backend, CallError, Fleet } from "@mcp-lifeline/core"
import { Effect } from "effect"

/** Who is told of a change. Must not throw. */
export interface Subscriber {
  readonly updated: (server: string, params: Readonly<Record<string, unknown>>) => void
}

/** One resource that somebody has subscribed to. */
class Subscription {
  /** Under which URI each of them knows it. */
  readonly subscribers = new Map<Subscriber, string>()
  /** The backend that was asked to tell of changes. */
  asked: Backend.Backend | undefined
  /** One request at a time, so that the last one is what stays. */
  readonly turn = Effect.unsafeMakeSemaphore(1)
}

/** Whether a server tells of the changes of a resource when one below it changes. */
const isBelow = (uri: string, above: string): boolean => uri.startsWith(above.endsWith("/") ? above : `${above}/`)

/** The subscriptions of the clients of one fleet. */
export class Subscriptions {
  /** By server, and by the URI there. */
  readonly #all = new Map<string, Map<string, Subscription>>()
  readonly #fork: (effect: Effect.Effect<void>) => void

  /** `fork` runs what nobody waits for. */
  constructor(fork: (effect: Effect.Effect<void>) => void) {
    this.#fork = fork
  }

  /**
   * Subscribes. `uri`: how the subscriber names the resource. Where it fails, nobody is subscribed; unless it is a subscription of before
   * (`goesOn`) and the server is only down: then it is asked when it is back.
   */
  subscribe(
    subscriber: Subscriber,
    { backend, original }: Fleet.Route,
    uri: string,
    goesOn = false
  ): Effect.Effect<void, CallError> {
    return Effect.suspend(() => {
      const subscription = this.#at(backend.id, original)
      // First, so that no change is missed between the server's answer and the next step.
      subscription.subscribers.set(subscriber, uri)
      return Effect.tapErrorCause(this.#ask(subscription, backend, original), (cause) =>
        Effect.sync(() => {
          const isDown = cause._tag === "Fail" && cause.error._tag !== "RemoteError"
          if (!(goesOn && isDown)) this.unsubscribe(subscriber, backend.id, original)
        })).pipe(Effect.onInterrupt(() => Effect.sync(() => this.unsubscribe(subscriber, backend.id, original))))
    })
  }

  /** Takes a subscription back. */
  unsubscribe(subscriber: Subscriber, server: string, original: string): void {
    const subscription = this.#all.get(server)?.get(original)
    if (subscription?.subscribers.delete(subscriber) === true) this.#release(subscription, server, original)
  }

  /** Takes back all subscriptions of one that has gone. */
  leave(subscriber: Subscriber): void {
    for (const [server, all] of this.#all) for (const uri of [...all.keys()]) this.unsubscribe(subscriber, server, uri)
  }

  /** A server tells of a change. */
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

  /** A backend is connected: what others of its name were asked for, or it could not be, it is asked for now. */
  connected(backend: Backend.Backend): void {
    for (const [original, subscription] of this.#all.get(backend.id) ?? []) {
      if (subscription.subscribers.size === 0) this.#release(subscription, backend.id, original)
      else this.#fork(Effect.ignore(this.#ask(subscription, backend, original)))
    }
  }

  #at(server: string, original: string): Subscription {
    const all = this.#all.get(server) ?? new Map<string, Subscription>()
    this.#all.set(server, all)
    const subscription = all.get(original) ?? new Subscription()
    all.set(original, subscription)
    return subscription
  }

  #ask(
    subscription: Subscription,
    backend: Backend.Backend,
    original: string
  ): Effect.Effect<void, CallError> {
    return subscription.turn.withPermits(1)(Effect.suspend(() => {
      if (subscription.asked === backend || subscription.subscribers.size === 0) return Effect.void
      subscription.asked = backend
      return Effect.tapError(backend.subscribeResource(original), () =>
        Effect.sync(() => {
          subscription.asked = undefined
        }))
    }))
  }

  /** Nobody may be subscribed any more. */
  #release(subscription: Subscription, server: string, original: string): void {
    if (subscription.subscribers.size > 0) return
    this.#fork(
      subscription.turn.withPermits(1)(Effect.suspend(() => {
        const { asked, subscribers } = subscription
        if (subscribers.size > 0) return Effect.void
        if (asked === undefined) return Effect.sync(() => this.#forget(subscription, server, original))
        return Effect.matchCause(asked.unsubscribeResource(original), {
          // It is taken back when the server is there again.
          onFailure: () => undefined,
          onSuccess: () => {
            subscription.asked = undefined
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
