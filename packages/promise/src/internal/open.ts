import { Backend, ConnectError as CoreConnectError, Policy } from "@mcp-lifeline/core"
import type { Status } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Either, Runtime } from "effect"
import type { ConnectError, UnauthorizedError } from "../Errors.js"
import type { CommonOptions } from "../Options.js"
import { fromConnectError, fromError } from "./Failure.js"
import * as FirstConnection from "./FirstConnection.js"
import * as Ownership from "./Ownership.js"
import * as Runner from "./Runner.js"
import type { Prepared } from "./Servers.js"
import type { BackendSource, ServerSupervision } from "./ServerSupervision.js"

/** With or without quotation marks, which command lines have. */
const names = (message: string, target: string): boolean =>
  message.includes(target) || message.includes(JSON.stringify(target))

/** The last attempt's error, or one from the status. */
export const notConnectedError = (
  { backend, lastError, lostSessions, state, target }: Status,
  prepared: Prepared | undefined,
  hint = ""
): ConnectError | UnauthorizedError => {
  const error = prepared?.lastError()
  const what = error?.message ?? lastError ??
    ["no connection in time", prepared?.describeAttempt()].filter((part) => part !== undefined).join(": ")
  const { warning } = lostSessions
  const message = warning === undefined || what.includes(warning) ? what : `${what}; ${warning}`
  return fromConnectError(
    new CoreConnectError({
      backend,
      reason: error?.reason ?? "timeout",
      permanent: state === "PermanentlyFailed",
      message: `${names(message, target) ? "" : `${target}: `}${message}${hint}`,
      retryAfter: error?.retryAfter,
      cause: error?.cause
    })
  )
}

const isLoginNeeded = ({ lastError }: Prepared): boolean => {
  const error = lastError()
  return error !== undefined && HttpConnector.loginNeeded(error) !== undefined
}

/** Throws ConfigError. */
export const policyOf = (name: string, prepared: Prepared): Policy.Policy => {
  const policy = Policy.resolve(name, prepared.options.connector, Policy.pick(prepared.options))
  if (Either.isLeft(policy)) throw fromError(policy.left)
  return policy.right
}

/**
 * Waits for the first connection, unless lazy or disabled; on failure, closes everything. `make` is called before the first attempt; the
 * `close` of what it makes closes the backend.
 */
export const open = async <A extends Pick<ServerSupervision, "status">>(
  name: string,
  prepared: Prepared,
  options: CommonOptions,
  make: (source: BackendSource) => A
): Promise<A> => {
  const policy = policyOf(name, prepared)
  const owned = Ownership.open(options)
  try {
    let made: Backend.Backend | undefined
    prepared.signIn?.own({ scope: owned.scope, backend: Effect.sync(() => made) })
    const backend = made = await owned.make(Backend.make(name, prepared.options))
    const supervised = make({
      name,
      runtime: owned.runtime,
      fork: Runtime.runFork(owned.runtime),
      backend: () => backend,
      use: (f) => f(backend),
      status: () => Runner.runSync(backend.status),
      statusChanges: backend.status.changes,
      catalogChanges: backend.catalog.changes,
      events: backend.events,
      close: owned.close
    })
    const isExplicit = prepared.options.timeouts?.connect !== undefined
    const first = FirstConnection.wait({
      backend,
      lastError: prepared.lastError,
      timeout: { millis: policy.timeouts.connect, isExplicit },
      startsOn: prepared.options.connector.startLimit !== undefined
    })
    const { isAbsent, status } = await owned.run(
      prepared.signIn === undefined ? first : prepared.signIn.retryAfterLogin(first, () => isLoginNeeded(prepared)),
      options
    )
    const state = status?.state
    if (state === "Connected" || state === "Idle" || state === "Disabled") return supervised
    throw notConnectedError(supervised.status, prepared, isAbsent ? FirstConnection.waitHint : "")
  } catch (error) {
    await owned.close()
    throw error
  }
}
