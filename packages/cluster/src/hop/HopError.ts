/**
 * How the fate of a request holds across the hop: where the owner of a server has no answer of it, the other replica knows what became of the
 * request, and not just that there was an error.
 *
 * Such errors have the form that any program gets (`JsonRpcError`). A server could write the same; so the owner marks errors of the server that
 * look like its own, and the other replica takes the mark away.
 */
import { RequestError } from "@mcp-lifeline/core"
import { type Answer, JsonRpcError } from "@mcp-lifeline/protocol"
import { isList } from "@mcp-lifeline/protocol/listMethods"
import { Predicate } from "effect"

/** The member of an error's data that says that the server has written it. */
const mark = "mcp-lifeline/ofServer"

/** The member of an error's data that has what everybody may read of it. */
const publicMember = "mcp-lifeline/public"

/** What everybody reads of an error of an owner that does not say it. */
const unsaid = "The request failed"

/** Whether an error may be of the owner, and not of its server. */
const isLikeOurs = <E extends Pick<RequestError, "code" | "data">>(
  error: E
): error is E & { readonly data: Readonly<Record<string, unknown>> } =>
  Predicate.isRecord(error.data) && (error.code === JsonRpcError.ourCode || error.data[publicMember] !== undefined)

/** At the owner: an answer for another replica. */
export const escaped = (answer: Answer): Answer => {
  if (!("error" in answer)) return answer
  const { error } = answer
  const publicMessage = JsonRpcError.publicMessageOf(error)
  if (publicMessage !== undefined) {
    const data = Predicate.isRecord(error.data) ? error.data : {}
    return { error: { ...error, data: { ...data, [publicMember]: publicMessage } } }
  }
  if (!isLikeOurs(error)) return answer
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

/** At the other replica: what a failed request of this method means. */
export const unescaped = (method: string, error: RequestError): Meaning => {
  const { message } = error
  const stays = (error: RequestError): Meaning => ({ error, isGoing: false })
  if (error.reason !== "remote" || !isLikeOurs(error)) return stays(error)
  const { data } = error
  if (data[mark] !== undefined) {
    const { [mark]: _, ...rest } = data
    return stays(new RequestError({ ...error, message, data: rest }))
  }
  const { [publicMember]: said, ...rest } = data
  const { fate, tag } = rest
  if (fate === "unknown") {
    return stays(new RequestError({ fate, reason: tag === "RequestTimeout" ? "timeout" : "lost", message }))
  }
  if (isGoing(data)) return { error: new RequestError({ fate: "notSent", reason: "lost", message }), isGoing: true }
  // With its other reasons not to send a request the owner stays the owner: nobody else can be asked, and a list is read again.
  const reason = fate === "notSent" && isList(method) ? "server" : error.reason
  const publicMessage = Predicate.isString(said) ? said : unsaid
  return stays(new RequestError({ ...error, message, data: rest, reason, publicMessage }))
}
