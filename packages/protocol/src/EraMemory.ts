/**
 * Remembers that a connector's server has sessions, because finding this out costs a request.
 */
import type { ConnectError, ConnectOptions } from "@mcp-lifeline/core"
import { Duration, Effect, Predicate } from "effect"
import * as Era from "./Era.js"

/** How long Lifeline remembers that a server has sessions, in milliseconds. */
const lifetime = Duration.toMillis("24 hours")

/** Whether a failure of `initialize` may mean that the server no longer has sessions. */
export const mayBeStateless = ({ reason }: ConnectError): boolean =>
  reason === "incompatible" || reason === "protocol" || reason === "notFound" || reason === "session"

/** Whether a refusal of `initialize` shows that the server speaks the protocol without sessions. */
export const namesStateless = ({ cause }: ConnectError): boolean =>
  Era.namedIn(Predicate.isRecord(cause) ? cause["data"] : undefined)?.includes(Era.statelessVersion) === true

/** Of one connector: of one configuration of a server. */
export class EraMemory {
  #known: NonNullable<ConnectOptions["known"]> = {}

  /** Goes on with what the attempt knows of the server, and writes there from now on. */
  adopt(known: ConnectOptions["known"]): void {
    if (known === undefined) return
    known.sessionsSince ??= this.#known.sessionsSince
    this.#known = known
  }

  /** Whether the server is known to have sessions, from at most 24 hours ago. */
  hasSessions(now: number): boolean {
    const { sessionsSince } = this.#known
    if (sessionsSince !== undefined && Math.abs(now - sessionsSince) >= lifetime) this.#known.sessionsSince = undefined
    return this.#known.sessionsSince !== undefined
  }

  remember(now: number): void {
    this.#known.sessionsSince ??= now
  }

  /** Runs a handshake of the protocol with sessions. If the server refuses it, forgets what it remembered. */
  readonly watch = <A, R>(handshake: Effect.Effect<A, ConnectError, R>): Effect.Effect<A, ConnectError, R> =>
    Effect.tapError(handshake, (error) =>
      Effect.sync(() => {
        if (mayBeStateless(error)) this.#known.sessionsSince = undefined
      }))
}
