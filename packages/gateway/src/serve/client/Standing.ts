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
  /** Resolves when the wishes are on disk, or cannot be written. */
  readonly remember: (wishes: Wishes) => Promise<void>
}

/** What one client has asked for. */
export class Standing implements Subscriber {
  readonly #asker: Asker
  readonly #groups = new Set<Group>()
  readonly #places = new Map<string, Place>()
  /** Resources of before a restart that are not subscribed to again yet: their server may be down. */
  readonly #resuming: Set<string>
  #level: Level | undefined

  constructor(asker: Asker, shared: Group, before: ReadonlyArray<string> = []) {
    this.#asker = asker
    this.#groups.add(shared)
    this.#resuming = new Set(before)
  }

  /** The client has servers to itself. */
  join(group: Group): void {
    this.#groups.add(group)
    if (this.#level !== undefined) group.levels.want(this, this.#level)
  }

  /** Sets the level. Resolves when that is remembered. */
  want(level: Level): Promise<void> {
    this.#level = level
    for (const { levels } of this.#groups) levels.want(this, level)
    return this.#remember()
  }

  /** Whether the client is given log messages of a level. */
  wants(level: unknown): boolean {
    return heightOf(level) >= heightOf(this.#level ?? otherwise)
  }

  /** How many resources it has subscribed to. */
  get size(): number {
    return this.#places.size
  }

  /** Subscribes, or goes on with a subscription of before unless the client has taken it back since. */
  subscribe(uri: string, place: Place, goesOn = false): Effect.Effect<void, CallError> {
    const { group: { subscriptions }, route } = place
    return Effect.suspend(() => {
      if (!this.#resuming.delete(uri) && goesOn) return Effect.void
      this.#places.set(uri, place)
      return Effect.tapErrorCause(subscriptions.subscribe(this, route, uri, goesOn), () =>
        Effect.sync(() => {
          if (!goesOn && this.#places.get(uri) === place) this.#places.delete(uri)
        }))
    }).pipe(Effect.zipLeft(goesOn ? Effect.void : Effect.promise(() => this.#remember())))
  }

  /** Takes a subscription back, where there is one. Resolves when that is remembered. */
  unsubscribe(uri: string): Promise<void> {
    const place = this.#places.get(uri)
    if (!this.#places.delete(uri) && !this.#resuming.delete(uri)) return Promise.resolve()
    place?.group.subscriptions.unsubscribe(this, place.route.backend.id, place.route.original)
    return this.#remember()
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
    this.#resuming.clear()
  }

  #remember(): Promise<void> {
    return this.#asker.remember({
      ...(this.#level === undefined ? {} : { level: this.#level }),
      subscriptions: [...this.#resuming, ...this.#places.keys()]
    })
  }
}
