import type { ConnectReason, Fate, Loss, RequestReason } from "@mcp-lifeline/core"
import { ConnectError, RequestError } from "@mcp-lifeline/core"
import { PlainText } from "@mcp-lifeline/core/text"
import * as Era from "./Era.js"
import * as JsonRpc from "./JsonRpc.js"
import * as LostSession from "./LostSession.js"
import * as Messages from "./Messages.js"
import * as OneClient from "./OneClient.js"

/** Of a text that others wrote, in characters. */
const shown = { from: 2000, most: 500 }

/** One line, not too long. */
export const describe = (error: unknown): string =>
  PlainText.line((error instanceof Error ? error.message : String(error)).slice(0, shown.from)).slice(0, shown.most)

/** Must not fail, whatever the reason is. */
export const textOf = (reason: unknown): string => {
  try {
    return reason === undefined ? "the caller cancelled the request" : String(reason)
  } catch {
    return "cancelled"
  }
}

export const refused = (loss: Loss): RequestError =>
  new RequestError({
    fate: "notSent",
    reason: "lost",
    message: loss.message,
    retryAfter: loss.retryAfter,
    cause: loss.cause
  })

export const misused = (cause: Error): RequestError =>
  new RequestError({ fate: "notSent", reason: "fault", message: describe(cause), cause })

/** Of a server's error that is passed on whole, in characters. */
const longestMessage = 16_384

/** In the server's own words. `hasSession`: the transport has a session id. */
export const remote = (
  code: number,
  said: string,
  data: unknown,
  hasSession: boolean,
  method?: string
): RequestError => {
  const message = PlainText.cut(said, longestMessage)
  const isDoubtful = hasSession &&
    LostSession.verdict({ status: undefined, code, isResponse: true, method }) !== "alive"
  return new RequestError({
    fate: "answered",
    reason: "remote",
    message,
    code,
    data,
    ...(isDoubtful ? { ifSessionLost: "answered" } : {})
  })
}

export const unsupportedMethod = (method: string): RequestError =>
  new RequestError({
    fate: "answered",
    reason: "remote",
    code: JsonRpc.methodNotFound,
    message: `the server has no ${method}`
  })

export const timedOut = (method: string, fate: Extract<Fate, "notSent" | "unknown"> = "unknown"): RequestError =>
  new RequestError({
    fate,
    reason: "timeout",
    message: fate === "notSent" ? `${method} could not be sent in time` : `no answer to ${method} in time`
  })

export const cutOff = ({ cause, message, retryAfter }: Loss): RequestError =>
  new RequestError({ fate: "unknown", reason: "lost", message, retryAfter, cause })

export const noResponse = (): RequestError =>
  new RequestError({ fate: "answered", reason: "protocol", message: "the server's answer is not a JSON-RPC response" })

export const unreadable = ({ text, why }: Messages.Unread): RequestError =>
  new RequestError({
    fate: "answered",
    reason: "protocol",
    message: why === undefined
      ? `the server's answer cannot be read as JSON-RPC: ${Messages.quoted(text)}`
      : `the server's answer ${why}, and is not read: ask for less`
  })

export const misfit = (method: string, cause: unknown): RequestError =>
  new RequestError({
    fate: "answered",
    reason: "protocol",
    message: `the answer to ${method} does not fit the protocol: ${describe(cause)}`,
    cause
  })

export const tooManyRounds = (method: string, rounds: number): RequestError =>
  new RequestError({
    fate: "answered",
    reason: "protocol",
    message: `the server asked for input for ${method} again, although it had already got some ${rounds} times`
  })

/** What nobody can classify is a fault of this fate, and is not sent again. */
export const toRequestError = (error: unknown, fate: Fate): RequestError => {
  if (error instanceof RequestError) return error
  return error instanceof ConnectError
    ? new RequestError({
      fate: "unknown",
      reason: "network",
      message: error.message,
      retryAfter: error.retryAfter,
      cause: error
    })
    : new RequestError({ fate, reason: "fault", message: describe(error), cause: error })
}

const connectReasons: { readonly [R in RequestReason]: ConnectReason } = {
  lost: "closed",
  session: "session",
  timeout: "timeout",
  remote: "protocol",
  protocol: "protocol",
  rateLimited: "rateLimited",
  unauthorized: "unauthorized",
  network: "unreachable",
  server: "server",
  fault: "defect"
}

const incompatible = (message: string, cause?: unknown): ConnectError =>
  new ConnectError({ backend: "", reason: "incompatible", permanent: true, message, cause })

export const unsupported = (versions: string, cause?: unknown): ConnectError =>
  incompatible(`the server speaks only protocol version ${describe(versions)}, which this client does not`, cause)

export const toConnectError = (error: unknown): ConnectError => {
  if (error instanceof ConnectError) return error
  const failure = toRequestError(error, "unknown")
  if (failure.cause instanceof ConnectError) return failure.cause
  if (failure.reason === "remote") {
    const versions = Era.namedIn(failure.data)
    if (versions !== undefined && Era.common(failure.data) === undefined) {
      return unsupported(versions.join(", "), failure)
    }
    if (failure.code === JsonRpc.methodNotFound) {
      return incompatible(
        "the server does not know initialize: it speaks only a later, stateless protocol, or is no MCP server",
        failure
      )
    }
  }
  const said = failure.reason === "remote"
    ? `the server refused initialize: ${describe(failure.message)} (code ${failure.code})`
    : PlainText.line(PlainText.cut(failure.message, 4000))
  const advice = failure.reason === "remote" ? OneClient.adviceOn(failure.message) : undefined
  return new ConnectError({
    backend: "",
    reason: connectReasons[failure.reason],
    permanent: false,
    message: advice === undefined ? said : `${said}: ${advice}`,
    retryAfter: failure.retryAfter,
    cause: failure.cause ?? failure
  })
}
