/** How long to wait for the first connection depends on why attempts fail. */
import type { Backend, ConnectError, Status } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Option, Stream } from "effect"

export interface Awaited {
  readonly backend: Backend.Backend
  /** Of the last attempt; undefined once one succeeds. */
  readonly lastError: () => ConnectError | undefined
  /** In milliseconds. `isExplicit`: set by the caller; then it applies to every cause. */
  readonly timeout: { readonly millis: number; readonly isExplicit: boolean }
  /** Whether a start may outlive its attempt. */
  readonly startsOn: boolean
}

/** If there is no server, in milliseconds. */
const absentTimeout = 5000

/** Longer than any `startLimit`, in milliseconds. */
const longest = 86_400_000

/** If that was too short. */
export const waitHint = ` (connect gave up after ${
  absentTimeout / 1000
} s; to wait longer for a server that is still starting, set timeouts.connect)`

/** States that only a command changes. */
const final: ReadonlySet<Status["state"]> = new Set([
  "Idle",
  "Connected",
  "PermanentlyFailed",
  "Disconnected",
  "Disabled",
  "Closed"
])

/** Reasons that show that no server is starting. One that times out, closes connections or answers 5xx may be starting. */
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

/** A process that exits is not starting; a server that closes a connection may be. */
const isAbsent = ({ reason }: ConnectError, { transport }: Status): boolean =>
  absent.has(reason) || (reason === "closed" && transport === "stdio")

export interface Outcome {
  /** Undefined after the timeout. */
  readonly status: Status | undefined
  /** There is no server: the wait was shorter than `timeouts.connect`. */
  readonly isAbsent: boolean
}

/**
 * Ends when only a command changes the state, or a person has to log in; after 5 s if there is no server and no attempt in progress; and with
 * the timeout, unless a server's process is still starting: then when that ends.
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
  const first = (test: (status: Status) => boolean, millis: number): Effect.Effect<Status | undefined> =>
    backend.status.changes.pipe(
      Stream.filter(test),
      Stream.runHead,
      Effect.timeoutOption(millis),
      Effect.map((found) => Option.getOrUndefined(Option.flatten(found)))
    )
  return Effect.scoped(Effect.gen(function*() {
    const { isExplicit, millis } = timeout
    if (!isOver(yield* backend.status)) yield* Effect.forkScoped(Effect.ignore(Handle.awaitConnection(backend, millis)))
    const soon = yield* first(isOver, isExplicit ? millis : Math.min(millis, absentTimeout))
    if (soon !== undefined || isExplicit || millis <= absentTimeout) return { status: soon, isAbsent: false }
    const hasEnded = (one: Status): boolean => isOver(one) || hasNoServer(one)
    const inTime = yield* first(hasEnded, millis - absentTimeout)
    // A process outlives its attempt, which may be about to end.
    const isStarting = ({ startingSince, state }: Status): boolean =>
      startsOn && (startingSince !== undefined || state === "Connecting")
    const status = inTime ?? (yield* first((one) => hasEnded(one) || !isStarting(one), longest))
    return { status, isAbsent: status !== undefined && hasNoServer(status) && !isOver(status) }
  }))
}
