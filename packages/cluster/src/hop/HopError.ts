/**
 * How the fate of a request holds across the hop: where the owner of a server has no answer of it, the other replica knows what became of the
 * request, and not just that there was an error.
 *
 * Such errors have the form that any program gets (`JsonRpcError`). A server could write the same; so the owner marks errors of the server that
 * look like its own, and the other replica takes the mark away.
 */
import { RequestError } from "@mcp-lifeline/core"
import { type Answer, JsonRpcError } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"

/** The member of an error's data that says that the server has written it. */
const mark = "mcp-lifeline/ofServer"

/** At the owner: an answer for another replica. */
export const escaped = (answer: Answer): Answer => {
  if (!("error" in answer) || JsonRpcError.isOurs(answer.error)) return answer
  const { error } = answer
  if (error.code !== JsonRpcError.ourCode || !Predicate.isRecord(error.data)) return answer
  return { error: { ...error, data: { ...error.data, [mark]: true } } }
}

/** What a failed request means at the other replica. */
export interface Meaning {
  readonly error: RequestError
  /** Whether the owner gives the server up, so that another replica has it next. */
  readonly isGoing: boolean
}

const isGoing = ({ fate, state, tag }: Readonly<Record<string, unknown>>): boolean =>
  fate === "notSent" && (tag === "Interrupted" || (tag === "BackendUnavailable" && state === "Closed"))

/** At the other replica: what a failed request means. */
export const unescaped = (error: RequestError): Meaning => {
  const { code, data, message } = error
  const stays = (error: RequestError): Meaning => ({ error, isGoing: false })
  if (error.reason !== "remote" || code !== JsonRpcError.ourCode || !Predicate.isRecord(data)) return stays(error)
  if (data[mark] !== undefined) {
    const { [mark]: _, ...rest } = data
    return stays(new RequestError({ ...error, message, data: rest }))
  }
  const { fate, tag } = data
  if (fate === "unknown") {
    return stays(new RequestError({ fate, reason: tag === "RequestTimeout" ? "timeout" : "lost", message }))
  }
  // With its other reasons not to send a request the owner stays the owner, so there is nobody else to send it to.
  return isGoing(data)
    ? { error: new RequestError({ fate: "notSent", reason: "lost", message }), isGoing: true }
    : stays(error)
}
