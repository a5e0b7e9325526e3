/** Anybody may write a connector: what it gives is checked first. */
import { Effect, Predicate } from "effect"
import { ConnectError } from "../Errors.js"
import { messageOf } from "../internal/thrown.js"
import type { Connection } from "./Connection.js"
import { type Loss, losses } from "./Loss.js"

const isTextOrMissing = (value: unknown): boolean => value === undefined || typeof value === "string"

const fields: ReadonlyArray<readonly [string, (value: unknown) => boolean]> = [
  ...["send", "notify", "onLost", "fail"].map((name) => [name, Predicate.isFunction] as const),
  ["look", (value) => value === undefined || Effect.isEffect(value)],
  ["serverInfo", Predicate.isRecord],
  ["capabilities", Predicate.isRecord],
  ["peer", Predicate.isRecord],
  ["protocolVersion", Predicate.isString],
  ["stateful", Predicate.isBoolean],
  ["instructions", isTextOrMissing],
  ["sessionId", isTextOrMissing]
]

/** `undefined` for a connection. Throws where reading its fields does. */
export const problemOf = (connection: unknown): string | undefined => {
  if (!Predicate.isRecord(connection)) return "the connector gave no connection"
  const wrong = fields.find(([name, test]) => !test(connection[name]))
  return wrong === undefined ? undefined : `the connector gave a connection whose ${wrong[0]} is not what it has to be`
}

/** Also where the connector does not say. */
export const lossOf = (given: Loss | undefined): Loss => {
  if (!Predicate.isRecord(given) || !Predicate.isString(given.kind) || !Predicate.isString(given.message)) {
    return { kind: "closed", message: "the connection ended, and its connector did not say why" }
  }
  return Object.hasOwn(losses, given.kind) ? given : { ...given, kind: "closed" }
}

/** The next attempt may succeed. */
export const connectError = (
  backend: string,
  reason: ConnectError["reason"],
  message: string,
  cause?: unknown
): ConnectError => new ConnectError({ backend, reason, permanent: false, message, cause })

/** With the backend; what is no such error becomes one. */
export const connectErrorOf = (backend: string, given: unknown): ConnectError => {
  if (!Predicate.isTagged(given, "ConnectError")) {
    return connectError(backend, "defect", `the connector failed: ${messageOf(given)}`, given)
  }
  const error = given as ConnectError
  const { cause, message, permanent, reason, retryAfter } = error
  return error.backend === "" ? new ConnectError({ backend, reason, permanent, retryAfter, cause, message }) : error
}

/** Members of the result can be replaced. The inner connection may be of a class, so it cannot be copied. */
export const delegated = (inner: Connection): Connection => {
  const { heartbeat, suspend } = inner
  return {
    serverInfo: inner.serverInfo,
    capabilities: inner.capabilities,
    instructions: inner.instructions,
    protocolVersion: inner.protocolVersion,
    sessionId: inner.sessionId,
    peer: inner.peer,
    stateful: inner.stateful,
    resumed: inner.resumed,
    isFiltered: inner.isFiltered,
    send: (...given) => inner.send(...given),
    notify: (method, params) => inner.notify(method, params),
    look: inner.look,
    onLost: (callback) => inner.onLost(callback),
    fail: (loss) => inner.fail(loss),
    suspend: suspend === undefined ? undefined : (loss) => suspend.call(inner, loss),
    heartbeat: heartbeat === undefined ? undefined : (options) => heartbeat.call(inner, options)
  }
}
