/**
 * Carries the fate of a request across the hop. A server could forge such errors, which any program gets in this form (`JsonRpcError`): so
 * the owner marks its server's errors that look like its own, and the other replica removes the mark.
 */
import { RequestError } from "@mcp-lifeline/core"
import { type Answer, JsonRpcError } from "@mcp-lifeline/protocol"
import { isList } from "@mcp-lifeline/protocol/listMethods"
import { Predicate } from "effect"

/** The server has written the error. */
const mark = "mcp-lifeline/ofServer"

/** What everybody may read of an error. */
const publicMember = "mcp-lifeline/public"

const unsaid = "The request failed"

/** An error may be the owner's, and not its server's. */
const isLikeOurs = <E extends Pick<RequestError, "code" | "data">>(
  error: E
): error is E & { readonly data: Readonly<Record<string, unknown>> } =>
  Predicate.isRecord(error.data) && (error.code === JsonRpcError.ourCode || error.data[publicMember] !== undefined)

export const escaped = (answer: Answer): Answer => {
  if (!("error" in answer)) return answer
  const { error } = answer
  const publicMessage = JsonRpcError.publicMessageOf(error)
  if (publicMessage !== undefined) {
    const data = Predicate.isRecord(error.data) ? error.data : {}
    const message = JsonRpcError.plainMessageOf(error)
    return { error: { ...error, message, data: { ...data, [publicMember]: publicMessage } } }
  }
  if (!isLikeOurs(error)) return answer
  return { error: { ...error, data: { ...error.data, [mark]: true } } }
}

export interface Meaning {
  readonly error: RequestError
  /** Whether the owner gives the server up. */
  readonly isGoing: boolean
}

const isGoing = ({ fate, state, tag }: Readonly<Record<string, unknown>>): boolean =>
  fate === "notSent" && (tag === "Interrupted" || (tag === "BackendUnavailable" && state === "Closed"))

/** At the other replica. */
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
  // Nobody else can be asked, and a list is read again.
  const reason = fate === "notSent" && isList(method) ? "server" : error.reason
  const publicMessage = Predicate.isString(said) ? said : unsaid
  return stays(new RequestError({ ...error, message, data: rest, reason, publicMessage }))
}
