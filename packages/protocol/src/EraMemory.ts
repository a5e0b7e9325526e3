/**
 * What a connector remembers of the era of its server: only that it has sessions, because finding that out costs a request.
 */
import type { ConnectError } from "@mcp-lifeline/core"
import { Duration, Effect, Predicate } from "effect"
import * as Era from "./Era.js"

/** How long a server is not asked again whether it has sessions, in milliseconds. */
const lifetime = Duration.toMillis("24 hours")

/** Whether a failure of `initialize` may mean that the server has no sessions any more. */
export const mayBeStateless = ({ reason }: ConnectError): boolean =>
  reason === "incompatible" || reason === "protocol" || reason === "notFound" || reason === "session"

/** Whether a refusal of `initialize` says that the server speaks the protocol without sessions. */
export const namesStateless = ({ cause }: ConnectError): boolean => {
  const data: unknown = Predicate.isRecord(cause) ? cause["data"] : undefined
  const supported = Predicate.isRecord(data) ? data["supported"] : undefined
  return Array.isArray(supported) && supported.includes(Era.statelessVersion)
}

/** The memory of one connector, which is that of one configuration of a server. */
export class EraMemory {
  /** Since when the server is known to have sessions, in milliseconds. */
  #since: number | undefined

  /** Whether the server is known to have sessions. What is older than 24 hours is forgotten. */
  hasSessions(now: number): boolean {
    if (this.#since !== undefined && now - this.#since >= lifetime) this.#since = undefined
    return this.#since !== undefined
  }

  /** The server was found to have sessions. */
  remember(now: number): void {
    this.#since ??= now
  }

  /** Runs a handshake of the protocol with sessions. Where the server refuses that, nothing is remembered of it any more. */
  readonly watch = <A, R>(handshake: Effect.Effect<A, ConnectError, R>): Effect.Effect<A, ConnectError, R> =>
    Effect.tapError(handshake, (error) =>
      Effect.sync(() => {
        if (mayBeStateless(error)) this.#since = undefined
      }))
}
