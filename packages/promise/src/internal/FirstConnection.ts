/**
 * How long a first connection is waited for, by what keeps it from being made.
 */
import type { Backend, ConnectError, Status } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Option, Stream } from "effect"

/** What is waited for. */
export interface Awaited {
  readonly backend: Backend.Backend
  /** Why the last attempt failed, if one has and none has succeeded since. */
  readonly lastError: () => ConnectError | undefined
  /** Milliseconds; for whatever cause, where a caller has given it. */
  readonly timeout: { readonly millis: number; readonly given: boolean }
}

/** How long something is tried that is not there, in milliseconds. */
const absentTimeout = 5000

/** What to do where that was too short. */
export const waitHint = ` (connect gave up after ${
  absentTimeout / 1000
} s; to wait longer for a server that is still starting, set timeouts.connect)`

/** States in which nothing more comes by itself. */
const final: ReadonlySet<Status["state"]> = new Set([
  "Idle",
  "Connected",
  "PermanentlyFailed",
  "Disconnected",
  "Disabled",
  "Closed"
])

/**
 * Reasons that speak of no server that is starting: nothing listens, nothing is found, or what answers is no MCP server. A
 * server that times out, closes connections or answers 5xx may be starting.
 */
const absent: ReadonlySet<ConnectError["reason"]> = new Set([
  "refused",
  "unreachable",
  "tls",
  "unauthorized",
  "forbidden",
  "notFound",
  "redirect",
  "protocol"
])

/** A process that exits is not starting, whereas a connection may be closed by a server that is. */
const isAbsent = ({ reason }: ConnectError, { transport }: Status): boolean =>
  absent.has(reason) || (reason === "closed" && transport === "stdio")

/** How the waiting ended. */
export interface Outcome {
  /** Undefined where the time was over. */
  readonly status: Status | undefined
  /** Nothing is there, so that it was not waited for as long as `timeouts.connect`. */
  readonly isAbsent: boolean
}

/**
 * Ends when nothing more comes by itself or a person has to log in, after 5 s where there is no server and no attempt under
 * way, and with the timeout.
 */
export const wait = ({ backend, lastError, timeout }: Awaited): Effect.Effect<Outcome> => {
  const isOver = ({ state }: Status): boolean => {
    const error = lastError()
    return final.has(state) || (error !== undefined && HttpConnector.loginNeeded(error) !== undefined)
  }
  const isHopeless = (status: Status): boolean => {
    const error = lastError()
    const isWaiting = status.state === "Reconnecting" || status.state === "Dormant"
    return isWaiting && error !== undefined && isAbsent(error, status)
  }
  /** The first status that passes, if one does in time. */
  const first = (test: (status: Status) => boolean, millis: number): Effect.Effect<Status | undefined> =>
    backend.status.changes.pipe(
      // Whoever waits here wants it now, not at the next probe of a dormant backend.
      Stream.tap((status) =>
        status.state === "Dormant" && !test(status) ? Effect.ignore(backend.reconnect) : Effect.void
      ),
      Stream.filter(test),
      Stream.runHead,
      Effect.timeoutOption(millis),
      Effect.map((found) => Option.getOrUndefined(Option.flatten(found)))
    )
  return Effect.gen(function*() {
    const { given, millis } = timeout
    const soon = yield* first(isOver, given ? millis : Math.min(millis, absentTimeout))
    if (soon !== undefined || given || millis <= absentTimeout) return { status: soon, isAbsent: false }
    const status = yield* first((one) => isOver(one) || isHopeless(one), millis - absentTimeout)
    return { status, isAbsent: status !== undefined && !isOver(status) }
  })
}
