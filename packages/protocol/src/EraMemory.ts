/** Remembers that a server has sessions, because finding this out costs a request. */
import type { ConnectError, ConnectOptions } from "@mcp-lifeline/core"
import { Duration, Effect, Predicate } from "effect"
import * as Era from "./Era.js"

/** In milliseconds. */
const lifetime = Duration.toMillis("24 hours")

export const mayBeStateless = ({ reason }: ConnectError): boolean =>
  reason === "incompatible" || reason === "protocol" || reason === "notFound" || reason === "session"

export const namesStateless = ({ cause }: ConnectError): boolean =>
  Era.namedIn(Predicate.isRecord(cause) ? cause["data"] : undefined)?.includes(Era.statelessVersion) === true

/** Of one configuration of a server. */
export class EraMemory {
  #known: NonNullable<ConnectOptions["known"]> = {}

  /** Goes on with what the attempt knows, and writes there from now on. */
  adopt(known: ConnectOptions["known"]): void {
    if (known === undefined) return
    known.sessionsSince ??= this.#known.sessionsSince
    this.#known = known
  }

  /** Known from at most 24 hours ago. */
  hasSessions(now: number): boolean {
    const { sessionsSince } = this.#known
    if (sessionsSince !== undefined && Math.abs(now - sessionsSince) >= lifetime) this.#known.sessionsSince = undefined
    return this.#known.sessionsSince !== undefined
  }

  remember(now: number): void {
    this.#known.sessionsSince ??= now
  }

  /** If the server refuses the handshake, forgets what it remembered. */
  readonly watch = <A, R>(handshake: Effect.Effect<A, ConnectError, R>): Effect.Effect<A, ConnectError, R> =>
    Effect.tapError(handshake, (error) =>
      Effect.sync(() => {
        if (mayBeStateless(error)) this.#known.sessionsSince = undefined
      }))
}
