/**
 * The settings of one client that remain valid after the request that set them: its log level, and its subscriptions to resources.
 */
import type { CallError, ServerNotification } from "@mcp-lifeline/core"
import { type ClientSettings, maxSubscriptions } from "@mcp-lifeline/http-server/Conversation"
import { heightOf, type Level } from "@mcp-lifeline/protocol/Level"
import { defaultLevel } from "@mcp-lifeline/protocol/LogLevels"
import type { Subscriber } from "@mcp-lifeline/protocol/Subscriptions"
import { Effect } from "effect"
import type { GroupFleet } from "../pool/GroupFleet.js"
import type { ResolvedName } from "./NameResolver.js"

/** The client, as `ClientSubscriptions` uses it. */
export interface SubscribingClient {
  /** Sends the client a notification of a server. */
  readonly notify: (server: string, notification: ServerNotification) => void
  /** Saves the settings. Resolves when they are on disk, or cannot be written. */
  readonly saveSettings: (settings: ClientSettings) => Promise<void>
  /** The servers that the client can use now. */
  readonly fleets: () => ReadonlyArray<GroupFleet>
}

/** The log level and the subscriptions of one client. */
export class ClientSubscriptions implements Subscriber {
  readonly #client: SubscribingClient
  readonly #resolved = new Map<string, ResolvedName>()
  /** Subscriptions from before a restart that are not restored yet: their server may be down. */
  readonly #resuming: Set<string>
  #level: Level | undefined

  constructor(client: SubscribingClient, before: ReadonlyArray<string> = []) {
    this.#client = client
    this.#resuming = new Set(before.slice(0, maxSubscriptions))
  }

  /** Sends the client's log level to servers that it can use from now on. */
  join(): void {
    if (this.#level !== undefined) this.#sendLevel(this.#level)
  }

  /** Sets the log level. Resolves when it is saved. */
  setLevel(level: Level): Promise<void> {
    this.#level = level
    this.#sendLevel(level)
    return this.#saveSettings()
  }

  /** Whether the client wants log messages of a level. */
  acceptsLevel(level: unknown): boolean {
    return heightOf(level) >= heightOf(this.#level ?? defaultLevel)
  }

  /** Whether the client may subscribe to a resource: it has subscribed to it already, or to fewer than the maximum. */
  hasRoom(uri: string): boolean {
    return this.#resolved.has(uri) || this.#resuming.has(uri)
      || this.#resolved.size + this.#resuming.size < maxSubscriptions
  }

  /** Subscribes. With `isResumed`, restores a subscription from before a restart, unless the client has ended it since. */
  subscribe(uri: string, resolved: ResolvedName, isResumed = false): Effect.Effect<void, CallError> {
    const { fleet: { subscriptions }, route } = resolved
    return Effect.suspend(() => {
      if (!this.#resuming.delete(uri) && isResumed) return Effect.void
      this.#resolved.set(uri, resolved)
      return Effect.tapErrorCause(subscriptions.subscribe(this, route, uri, isResumed), () =>
        Effect.sync(() => {
          if (!isResumed && this.#resolved.get(uri) === resolved) this.#resolved.delete(uri)
        }))
    }).pipe(Effect.zipLeft(isResumed ? Effect.void : Effect.promise(() => this.#saveSettings())))
  }

  /** Ends a subscription, if there is one. Resolves when that is saved. */
  unsubscribe(uri: string): Promise<void> {
    const resolved = this.#resolved.get(uri)
    if (!this.#resolved.delete(uri) && !this.#resuming.delete(uri)) return Promise.resolve()
    resolved?.fleet.subscriptions.unsubscribe(this, resolved.route.backend.id, resolved.route.original)
    return this.#saveSettings()
  }

  updated(server: string, params: Readonly<Record<string, unknown>>): void {
    this.#client.notify(server, { method: "notifications/resources/updated", params })
  }

  /** Removes the client's level and ends its subscriptions. */
  close(): void {
    for (const { levels, subscriptions } of this.#client.fleets()) {
      levels.leave(this)
      subscriptions.leave(this)
    }
    this.#resolved.clear()
    this.#resuming.clear()
  }

  #sendLevel(level: Level): void {
    for (const { levels } of this.#client.fleets()) levels.setLevel(this, level)
  }

  #saveSettings(): Promise<void> {
    return this.#client.saveSettings({
      ...(this.#level === undefined ? {} : { level: this.#level }),
      subscriptions: [...this.#resuming, ...this.#resolved.keys()]
    })
  }
}
