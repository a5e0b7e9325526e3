/**
 * How the fate of a request holds across the hop: where the owner of a server has no answer of it, the other replica knows what became of the
 * request, and not just that there was an error.
 *
 * Such errors have the form that any program gets (`JsonRpcError`). A server could write the same; so the owner marks errors of the server that
 * look like its own, and the other replica takes the mark away.
 */
import { type Connection, RequestError } from "@mcp-lifeline/core"
import { type Answer, JsonRpcError } from "@mcp-lifeline/protocol"
import { Effect, Exit, Predicate } from "effect"
import { delegated } from "../delegated.js"

/** The member of an error's data that says that the server has written it. */
const mark = "mcp-lifeline/ofServer"

/** At the owner: an answer for another replica. */
export const escaped = (answer: Answer): Answer => {
  if (!("error" in answer) || JsonRpcError.isOurs(answer.error)) return answer
  const { error } = answer
  if (error.code !== JsonRpcError.ourCode || !Predicate.isRecord(error.data)) return answer
  return { error: { ...error, data: { ...error.data, [mark]: true } } }
}

/** At the other replica: what a failed request means. */
export const unescaped = (error: RequestError): RequestError => {
  const { code, data, message } = error
  if (error.reason !== "remote" || code !== JsonRpcError.ourCode || !Predicate.isRecord(data)) return error
  if (data[mark] !== undefined) {
    const { [mark]: _, ...rest } = data
    return new RequestError({ ...error, message, data: rest })
  }
  const { fate, tag } = data
  if (fate === "unknown") {
    return new RequestError({ fate, reason: tag === "RequestTimeout" ? "timeout" : "lost", message })
  }
  // The owner goes. With its other reasons not to send a request it stays the owner, so there is nobody else to send it to.
  return fate === "notSent" && tag === "Interrupted" ? new RequestError({ fate, reason: "lost", message }) : error
}

/** At the other replica: a connection to the owner. */
export const connection = (inner: Connection): Connection => {
  const plain = delegated(inner)
  const { send } = plain
  return {
    ...plain,
    request: (method, params, options) => Effect.mapError(plain.request(method, params, options), unescaped),
    send: send === undefined ?
      undefined :
      (method, params, options, settle) =>
        send(method, params, options, (exit) => settle(Exit.mapError(exit, unescaped)))
  }
}
