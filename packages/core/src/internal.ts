/** For the other packages of Lifeline only: it may change with each minor version. */
import { Clock, Effect } from "effect"
import type { Backend } from "./backend/Backend.js"
import type { BackendHandle } from "./backend/BackendHandle.js"
import type { StartedCall } from "./calls/Calls.js"
import * as Waiting from "./calls/Waiting.js"
import type { CallError } from "./Errors.js"
import type { Fleet } from "./Fleet.js"
import type { Routed } from "./fleet/names.js"
import type { Route, Router } from "./fleet/Router.js"
import type { Visible } from "./fleet/Visible.js"
import type { CallOptions } from "./options/CallOptions.js"
import * as ToolRules from "./options/ToolRules.js"
import type { Chosen } from "./options/Tools.js"
import type { Method, Params, Result } from "./port/Method.js"
import type { Status } from "./state/Status.js"

export { pollInterval } from "./calls/ToolHints.js"
export { largestList, longestKey, longestUri } from "./catalog/Bounds.js"
export { canonical } from "./catalog/canonical.js"
export * as EntrySize from "./catalog/EntrySize.js"
export { byKind, keys, kinds } from "./catalog/Kind.js"
export * as Nesting from "./catalog/Nesting.js"
export * as Template from "./catalog/Template.js"
export * as Discovery from "./discovery/Discovery.js"
export * as Freshness from "./discovery/Freshness.js"
export * as Listing from "./discovery/Listing.js"
export * as Addresses from "./fleet/Addresses.js"
export { listsSame } from "./fleet/FleetCatalog.js"
export * as NameReports from "./fleet/NameReports.js"
export { maySay, otherName } from "./fleet/names.js"
export * as Prefix from "./fleet/Prefix.js"
export * as Unknown from "./fleet/Unknown.js"
export { namesOf, perVisible } from "./fleet/Visible.js"
export { Bytes, kibibytes, mebibytes } from "./internal/Bytes.js"
export * as ExactJson from "./internal/ExactJson.js"
export { firstOf } from "./internal/firstOf.js"
export { Hub } from "./internal/Hub.js"
export { argumentsForm, blockText, failureText, resultText } from "./internal/resultText.js"
export * as SafeLog from "./internal/SafeLog.js"
export { Signal } from "./internal/Signal.js"
export * as Lifecycle from "./lifecycle/Lifecycle.js"
export * as PlainText from "./observe/PlainText.js"
export * as Reason from "./observe/Reason.js"
export * as Said from "./observe/Said.js"
export * as ByteSize from "./options/ByteSize.js"
export * as Check from "./options/Check.js"
export { nearest } from "./options/nearest.js"
export * as Problem from "./options/Problem.js"
export * as SecretCommand from "./options/SecretCommand.js"
export * as TimeSpan from "./options/TimeSpan.js"
export * as ToolPattern from "./options/ToolPattern.js"
export * as Tools from "./options/Tools.js"
export * as Budget from "./port/Budget.js"
export { problemOf } from "./port/checkConnector.js"
export { delegated } from "./port/delegated.js"
export { Ending } from "./port/Loss.js"
export { withDeadline } from "./port/withDeadline.js"
export { threshold as healthyScore } from "./state/Health.js"

/**
 * `Backend.request` without a fiber. Calls `next` once, perhaps before this returns, with the exit, or with what is left to do in a fiber.
 * Whoever interrupts that also calls `cancel`, and again when it has ended: it returns what becomes of the request.
 */
export const start = <M extends Method>(
  backend: Backend,
  method: M,
  params: Params<M>,
  options: CallOptions | undefined,
  next: (rest: Effect.Effect<Result<M>, CallError>) => void
): StartedCall => (backend as BackendHandle).start(method, params, options, next)

/** Waits up to so many milliseconds as a call does: the next attempt comes as soon. */
export const awaitConnection = (backend: Backend, wait: number): Effect.Effect<void, CallError> =>
  Effect.flatMap(Clock.currentTimeMillis, (begunAt) => {
    const end = begunAt + wait
    return Waiting.until((backend as BackendHandle).calls, { begunAt, deadline: end, end, isChosen: true })
  })

/** Without an Effect. */
export const stateOf = (backend: Backend): Status["state"] => (backend as BackendHandle).state

/** The server has left something without an answer, and answered nothing since. */
export const isInDoubt = (backend: Backend): boolean => (backend as BackendHandle).isInDoubt

/** What the options say of a tool, by its name at the server. */
export const toolOptions = (backend: Backend, name: string): Chosen | undefined =>
  ToolRules.tool((backend as BackendHandle).calls.tools, name)

/** Whether its options offer a tool, by its name at the server, which may not have it. */
export const offersTool = (backend: Backend, name: string): boolean => (backend as BackendHandle).offersTool(name)

/** Its callers may call tools that require a task like any other (`calls.tasks`). */
export const runsTasks = (backend: Backend): boolean => (backend as BackendHandle).runsTasks

/** `Fleet.route` without an Effect; `undefined` if nothing is known to offer this. */
export const find = (fleet: Fleet, kind: Routed, name: string): Route | undefined =>
  (fleet as Fleet & Pick<Router, "find">).find(kind, name)

/** For callers that may use only this of it. */
export const viewOf = (fleet: Fleet, visible: Visible): Router =>
  (fleet as Fleet & { readonly viewOf: (visible: Visible) => Router }).viewOf(visible)

export const prefixOf = (fleet: Fleet, backend: string): string =>
  (fleet as Fleet & Pick<Router, "prefixOf">).prefixOf(backend)
