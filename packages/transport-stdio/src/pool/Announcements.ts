/** What the processes of one server announce, for the client of all of them. */
import type { ServerNotification } from "@mcp-lifeline/core"
import { Effect } from "effect"

/** How long announcements of the same change by several processes are collected, in milliseconds. */
const sameChange = 200

export interface Parts {
  readonly announce: (notification: ServerNotification) => void
  /** Runs work until the connection closes. */
  readonly run: (work: Effect.Effect<unknown>) => void
}

/** The processes are copies: a list that several announce at the same time has changed once. */
export class Announcements {
  readonly #parts: Parts
  readonly #waiting = new Map<string, ServerNotification>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** The last announcement of a changed list is passed on when other processes had time for the same. */
  take(notification: ServerNotification): void {
    const { announce, run } = this.#parts
    const { method } = notification
    if (!method.endsWith("/list_changed")) return announce(notification)
    const isWaiting = this.#waiting.has(method)
    this.#waiting.set(method, notification)
    if (isWaiting) return
    run(Effect.delay(
      Effect.sync(() => {
        const last = this.#waiting.get(method)
        this.#waiting.delete(method)
        if (last !== undefined) announce(last)
      }),
      sameChange
    ))
  }
}
