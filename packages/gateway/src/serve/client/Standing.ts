/**
 * What a client has asked for that outlives its requests: the level of log messages, and the resources it has subscribed to.
 */
import type { CallError, ServerNotification } from "@mcp-lifeline/core"
import { Effect } from "effect"
import type { Wishes } from "../../http/Conversation.js"
import { heightOf, type Level } from "../../Level.js"
import type { Group } from "../Group.js"
import { otherwise } from "../Levels.js"
import type { Subscriber } from "../Subscriptions.js"
import type { Place } from "./Places.js"

/** Who has asked. */
export interface Asker {
  /** Gives the client a notification of a server. */
  readonly notify: (server: string, notification: ServerNotification) => void
  readonly remember: (wishes: Wishes) => void
}

/** What one client has asked for. */
export class Standing implements Subscriber {
  readonly #asker: Asker
  readonly #groups = new Set<Group>()
  readonly #places = new Map<string, Place>()
  #level: Level | undefined

  constructor(asker: Asker, shared: Group) {
    this.#asker = asker
    this.#groups.add(shared)
  }

  /** The client has servers to itself. */
  join(group: Group): void {
    this.#groups.add(group)
    if (this.#level !== undefined) group.levels.want(this, this.#level)
  }

  /** Sets the level. */
  want(level: Level): void {
    this.#level = level
    for (const { levels } of this.#groups) levels.want(this, level)
    this.#remember()
  }

  /** Whether the client is given log messages of a level. */
  wants(level: unknown): boolean {
    return heightOf(level) >= heightOf(this.#level ?? otherwise)
  }

  /** How many resources it has subscribed to. */
  get size(): number {
    return this.#places.size
  }

  /** Subscribes, or goes on with a subscription of before. */
  subscribe(uri: string, place: Place, goesOn = false): Effect.Effect<void, CallError> {
    const { group: { subscriptions }, route } = place
    return Effect.suspend(() => {
      this.#places.set(uri, place)
      return Effect.tapErrorCause(subscriptions.subscribe(this, route, uri, goesOn), () =>
        Effect.sync(() => {
          if (!goesOn && this.#places.get(uri) === place) this.#places.delete(uri)
        }))
    }).pipe(Effect.zipLeft(Effect.sync(() => this.#remember())))
  }

  /** Takes a subscription back; says whether there was one. */
  unsubscribe(uri: string): boolean {
    const place = this.#places.get(uri)
    if (place === undefined) return false
    this.#places.delete(uri)
    const { group: { subscriptions }, route: { backend, original } } = place
    subscriptions.unsubscribe(this, backend.id, original)
    this.#remember()
    return true
  }

  updated(server: string, params: Readonly<Record<string, unknown>>): void {
    this.#asker.notify(server, { method: "notifications/resources/updated", params })
  }

  /** Takes everything back. */
  close(): void {
    for (const { levels, subscriptions } of this.#groups) {
      levels.leave(this)
      subscriptions.leave(this)
    }
    this.#groups.clear()
    this.#places.clear()
  }

  #remember(): void {
    this.#asker.remember({
      ...(this.#level === undefined ? {} : { level: this.#level }),
      subscriptions: [...this.#places.keys()]
    })
  }
}
