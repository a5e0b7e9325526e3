/** What outlives the request that set it: the log level, and subscriptions to resources. */
import type { CallError, ServerNotification } from "@mcp-lifeline/core"
import type { SettingChange } from "@mcp-lifeline/http-server/Conversation"
import { bytesOf } from "@mcp-lifeline/http-server/subscriptionLimits"
import type { Excess, Holding } from "@mcp-lifeline/protocol"
import { heightOf, type Level } from "@mcp-lifeline/protocol/Level"
import { defaultLevel } from "@mcp-lifeline/protocol/LogLevels"
import type { Subscriber } from "@mcp-lifeline/protocol/Subscriptions"
import { Effect } from "effect"
import type { GroupFleet } from "../pool/GroupFleet.js"
import type { ResolvedName } from "./NameResolver.js"

export interface SubscribingClient {
  readonly notify: (server: string, notification: ServerNotification) => void
  /** Resolves when the change is on disk, or cannot be written. */
  readonly saveSetting: (change: SettingChange) => Promise<void>
  /** Subscriptions from before a restart have it already. */
  readonly room: Holding | undefined
  readonly fleets: () => ReadonlyArray<GroupFleet>
}

export class ClientSubscriptions implements Subscriber {
  readonly #client: SubscribingClient
  readonly #resolved = new Map<string, ResolvedName>()
  /** From before a restart, and not restored yet: their server may be down. */
  readonly #resuming: Set<string>
  #level: Level | undefined

  constructor(client: SubscribingClient, before: ReadonlyArray<string> = []) {
    this.#client = client
    this.#resuming = new Set(before)
  }

  /** For servers that the client can use from now on. */
  join(): void {
    if (this.#level !== undefined) this.#sendLevel(this.#level)
  }

  /** Resolves when it is saved. */
  setLevel(level: Level): Promise<void> {
    this.#level = level
    this.#sendLevel(level)
    return this.#client.saveSetting({ level })
  }

  acceptsLevel(level: unknown): boolean {
    return heightOf(level) >= heightOf(this.#level ?? defaultLevel)
  }

  /** Returns which limit leaves no room. */
  subscribe(uri: string, resolved: ResolvedName): Effect.Effect<Excess | undefined, CallError> {
    return Effect.suspend(() => {
      const excess = this.#has(uri) ? undefined : this.#client.room?.take(bytesOf(uri))
      if (excess !== undefined) return Effect.succeed(excess)
      this.#resuming.delete(uri)
      const begun = Effect.onError(this.#begin(uri, resolved), () =>
        Effect.sync(() => {
          if (this.#resolved.get(uri) !== resolved) return
          this.#resolved.delete(uri)
          this.#client.room?.release(bytesOf(uri))
        }))
      // It may have been ended meanwhile.
      const save = Effect.promise(async () => {
        if (this.#resolved.get(uri) === resolved) await this.#client.saveSetting({ subscribed: uri })
      })
      return Effect.as(Effect.zipRight(begun, save), undefined)
    })
  }

  /** From before a restart, unless the client has ended it since. */
  resume(uri: string, resolved: ResolvedName): Effect.Effect<void, CallError> {
    return Effect.suspend(() => this.#resuming.delete(uri) ? this.#begin(uri, resolved, true) : Effect.void)
  }

  #begin(uri: string, resolved: ResolvedName, isResumed = false): Effect.Effect<void, CallError> {
    this.#leave(uri, resolved)
    this.#resolved.set(uri, resolved)
    return resolved.fleet.subscriptions.subscribe(this, resolved.route, uri, isResumed)
  }

  #has(uri: string): boolean {
    return this.#resolved.has(uri) || this.#resuming.has(uri)
  }

  /** Unless it is `other`. */
  #leave(uri: string, other?: ResolvedName): void {
    const resolved = this.#resolved.get(uri)
    if (resolved === undefined) return
    const { fleet, route: { backend: { id }, original } } = resolved
    if (other?.fleet === fleet && other.route.backend.id === id && other.route.original === original) return
    fleet.subscriptions.unsubscribe(this, id, original)
  }

  /** Resolves when that is saved. */
  unsubscribe(uri: string): Promise<void> {
    if (!this.#has(uri)) return Promise.resolve()
    this.#leave(uri)
    this.#resolved.delete(uri)
    this.#resuming.delete(uri)
    this.#client.room?.release(bytesOf(uri))
    return this.#client.saveSetting({ unsubscribed: uri })
  }

  updated(server: string, params: Readonly<Record<string, unknown>>): void {
    this.#client.notify(server, { method: "notifications/resources/updated", params })
  }

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
}
