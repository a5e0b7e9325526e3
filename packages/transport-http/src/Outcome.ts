import type { ConnectReason, Fate, RequestReason } from "@mcp-lifeline/core"
import { ConnectError, RequestError } from "@mcp-lifeline/core"
import { OneClient } from "@mcp-lifeline/protocol"
import { describe, describeGone } from "./FailureText.js"
import type { HttpFailure, NetworkFailure, StatusFailure } from "./HttpFailure.js"
import { isGone, sessionVerdict } from "./HttpFailure.js"

/** Whether an HTTP error is the server's JSON-RPC answer. */
export const isAnswer = (failure: HttpFailure): failure is StatusFailure & { error: { code: number; data: unknown } } =>
  failure._tag === "StatusFailure" && failure.error !== undefined && requestOutcome(failure)[0] === "answered" &&
  (failure.status !== 404 || (failure.session && failure.isResponse === true))

const networkReasons: { readonly [K in NetworkFailure["kind"]]: ConnectReason } = {
  refused: "refused",
  unreachable: "unreachable",
  exhausted: "unreachable",
  tls: "tls",
  timeout: "timeout",
  slow: "timeout",
  reset: "closed",
  tooLarge: "protocol",
  protocol: "protocol",
  fault: "defect"
}

const connectReason = (failure: HttpFailure): ConnectReason => {
  switch (failure._tag) {
    case "NetworkFailure":
      return networkReasons[failure.kind]
    case "RedirectFailure":
      return "redirect"
    case "AnswerFailure":
      return "protocol"
    case "CutFailure":
      return "closed"
    case "CredentialFailure":
    case "LoginFailure":
      return "unauthorized"
    case "StatusFailure":
      if (failure.status === 401 || failure.status === 407) return "unauthorized"
      if (failure.status === 403) return "forbidden"
      if (failure.status === 404 || failure.status === 410) return "notFound"
      if (failure.status === 429) return "rateLimited"
      if (failure.status >= 500 || failure.status === 408 || failure.status === 425) return "server"
      return "protocol"
  }
}

/** Permanent only if static credentials are refused. */
export const toConnectError = (failure: HttpFailure, target: string): ConnectError => {
  const reason = connectReason(failure)
  const refused = failure._tag === "StatusFailure" && (failure.status === 401 || failure.status === 403)
  const said = `${target}: ${describe(failure)}`
  const advice = failure._tag === "StatusFailure" ? OneClient.adviceOn(said) : undefined
  return new ConnectError({
    backend: "",
    reason,
    permanent: refused && !failure.renewable,
    message: advice === undefined ? said : `${said}; ${advice}`,
    ...(failure._tag === "StatusFailure" && failure.retryAfter !== undefined ? { retryAfter: failure.retryAfter } : {}),
    cause: failure
  })
}

const requestOutcome = (failure: HttpFailure): readonly [Fate, RequestReason] => {
  switch (failure._tag) {
    case "NetworkFailure":
      // Asked again, the answer would be as large.
      if (failure.kind === "tooLarge") return ["answered", "protocol"]
      if (failure.kind === "fault") return [failure.sent ? "unknown" : "notSent", "fault"]
      return [failure.sent ? "unknown" : "notSent", "network"]
    // A retry would redirect again; and a 303 may be the answer to an executed request.
    case "RedirectFailure":
    case "AnswerFailure":
      return ["answered", "protocol"]
    case "CutFailure":
      return ["unknown", "network"]
    case "CredentialFailure":
      return ["notSent", "unauthorized"]
    case "LoginFailure":
      return ["rejected", "unauthorized"]
    case "StatusFailure": {
      const { status } = failure
      if (status === 401 || status === 403 || status === 407) return ["rejected", "unauthorized"]
      if (status === 429) return ["rejected", "rateLimited"]
      if (status === 503 && failure.retryAfter !== undefined) return ["rejected", "server"]
      if (isGone(failure)) return ["rejected", "network"]
      if (status >= 500 || status === 408) return ["unknown", "server"]
      return ["answered", failure.error === undefined ? "protocol" : "remote"]
    }
  }
}

/** `outcome`: if more is known than the failure says. */
export const toRequestError = (
  failure: HttpFailure,
  target: string,
  outcome: readonly [Fate, RequestReason] = requestOutcome(failure)
): RequestError => {
  if (isGone(failure)) return errorOf(failure, target, outcome, "rejected")
  const verdict = failure._tag === "StatusFailure" ? sessionVerdict(failure) : "alive"
  return errorOf(failure, target, outcome, verdict === "rejected" || verdict === "answered" ? verdict : undefined)
}

/** With 400 and 404: only a server of the protocol without sessions sends these. */
const statelessCodes = new Set([-32601, -32602, -32603, -32020, -32021])

/**
 * If a server of another era could refuse so, too, the refusal is marked as that of a session that may be lost: the server may
 * have been replaced.
 */
export const toStatelessError = (failure: HttpFailure, target: string): RequestError => {
  const [fate, reason] = requestOutcome(failure)
  const isDoubtful = isGone(failure) ||
    (failure._tag === "StatusFailure" && fate === "answered" && !statelessCodes.has(failure.error?.code ?? 0))
  return errorOf(failure, target, [fate, reason], isDoubtful ? "rejected" : undefined)
}

const errorOf = (
  failure: HttpFailure,
  target: string,
  [fate, reason]: readonly [Fate, RequestReason],
  ifSessionLost: "rejected" | "answered" | undefined
): RequestError => {
  const status = failure._tag === "StatusFailure" ? failure : undefined
  const text = status !== undefined && isGone(status) ? describeGone(status) : describe(failure)
  return new RequestError({
    fate,
    reason,
    message: reason === "remote" && status !== undefined ? status.detail : `${target}: ${text}`,
    ...(reason === "remote" && status?.error !== undefined ? status.error : {}),
    ...(status?.retryAfter === undefined ? {} : { retryAfter: status.retryAfter }),
    ...(ifSessionLost === undefined ? {} : { ifSessionLost }),
    cause: failure
  })
}
