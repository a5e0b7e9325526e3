/**
 * Waits for the first connection of a backend. How long depends on why the attempts fail.
 */
import type { Backend, ConnectError, Status } from "@mcp-lifeline/core"
import { awaitConnection } from "@mcp-lifeline/core/internal"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Option, Stream } from "effect"

/** What to wait for, and how long. */
export interface Awaited {
  readonly backend: Backend.Backend
  /** Why the last attempt failed, if one has and none has succeeded since. */
  readonly lastError: () => ConnectError | undefined
  /** In milliseconds. If the caller has set it (`isExplicit`), it applies to every cause. */
  readonly timeout: { readonly millis: number; readonly isExplicit: boolean }
  /** Whether what an attempt starts may outlive it. */
  readonly startsOn: boolean
}

/** How long to wait if there is no server, in milliseconds. */
const absentTimeout = 5000

/** More than any start takes (`startLimit`), in milliseconds. */
const longest = 86_400_000

/** What the user can do if that was too short. */
export const waitHint = ` (connect gave up after ${
  absentTimeout / 1000
} s; to wait longer for a server that is still starting, set timeouts.connect)`

/** States that do not change without a command. */
const final: ReadonlySet<Status["state"]> = new Set([
  "Idle",
  "Connected",
  "PermanentlyFailed",
  "Disconnected",
  "Disabled",
  "Closed"
])

/**
 * Reasons of a failed attempt that show that no server is starting there: nothing listens, nothing is found, or what answers is not an MCP
 * server. A server that times out, closes connections or answers 5xx may be starting.
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

/** Whether no server is starting. A process that exits is not; a server that closes a connection may be. */
const isAbsent = ({ reason }: ConnectError, { transport }: Status): boolean =>
  absent.has(reason) || (reason === "closed" && transport === "stdio")

/** How the waiting ended. */
export interface Outcome {
  /** The status that ended it; undefined after the timeout. */
  readonly status: Status | undefined
  /** There is no server, so that the waiting was shorter than `timeouts.connect`. */
  readonly isAbsent: boolean
}

/**
 * Ends when the state does not change any more without a command, or when a person has to log in; after 5 s if there is no server and no
 * attempt is in progress; and with the timeout, unless the process of a server is still starting then: when it has ended or its time is over.
 */
export const wait = ({ backend, lastError, startsOn, timeout }: Awaited): Effect.Effect<Outcome> => {
  const isOver = ({ state }: Status): boolean => {
    const error = lastError()
    return final.has(state) || (error !== undefined && HttpConnector.loginNeeded(error) !== undefined)
  }
  const hasNoServer = (status: Status): boolean => {
    const error = lastError()
    const isWaiting = status.state === "Reconnecting" || status.state === "Dormant"
    return isWaiting && error !== undefined && isAbsent(error, status)
  }
  /** The first status that passes the test, if there is one in time. */
  const first = (test: (status: Status) => boolean, millis: number): Effect.Effect<Status | undefined> =>
    backend.status.changes.pipe(
      Stream.filter(test),
      Stream.runHead,
      Effect.timeoutOption(millis),
      Effect.map((found) => Option.getOrUndefined(Option.flatten(found)))
    )
  return Effect.scoped(Effect.gen(function*() {
    const { isExplicit, millis } = timeout
    if (!isOver(yield* backend.status)) yield* Effect.forkScoped(Effect.ignore(awaitConnection(backend, millis)))
    const soon = yield* first(isOver, isExplicit ? millis : Math.min(millis, absentTimeout))
    if (soon !== undefined || isExplicit || millis <= absentTimeout) return { status: soon, isAbsent: false }
    const hasEnded = (one: Status): boolean => isOver(one) || hasNoServer(one)
    const inTime = yield* first(hasEnded, millis - absentTimeout)
    // A process goes on after its attempt, which may be about to end.
    const isStarting = ({ startingSince, state }: Status): boolean =>
      startsOn && (startingSince !== undefined || state === "Connecting")
    const status = inTime ?? (yield* first((one) => hasEnded(one) || !isStarting(one), longest))
    return { status, isAbsent: status !== undefined && hasNoServer(status) && !isOver(status) }
  }))
}
