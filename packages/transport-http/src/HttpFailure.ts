/** FailureText puts these failures into words; Outcome says what they mean for a connection or a request. */
import { PlainText } from "@mcp-lifeline/core/text"
import type { LoginFailure } from "@mcp-lifeline/protocol"
import { LostSession } from "@mcp-lifeline/protocol"
import { Data } from "effect"
import type { Proxy } from "./Proxy.js"

export type HttpFailure =
  | NetworkFailure
  | StatusFailure
  | RedirectFailure
  | AnswerFailure
  | CutFailure
  | CredentialFailure
  | LoginFailure.LoginFailure

/** No answer came. `sent` is false only if the request certainly never left. */
export class NetworkFailure extends Data.TaggedError("NetworkFailure")<{
  readonly kind:
    | "refused"
    | "unreachable"
    | "exhausted"
    | "tls"
    | "timeout"
    | "slow"
    | "reset"
    | "tooLarge"
    | "protocol"
    | "fault"
  readonly sent: boolean
  readonly code: string
  readonly proxy: Proxy | undefined
  /** The proxy's answer to CONNECT. */
  readonly proxyStatus: number | undefined
  readonly cause: unknown
}> {}

export class StatusFailure extends Data.TaggedError("StatusFailure")<{
  readonly status: number
  /** The body in one line, secrets masked; may be empty. */
  readonly detail: string
  /** Of the body. */
  readonly error: { readonly code: number; readonly data: unknown } | undefined
  /** Milliseconds. */
  readonly retryAfter: number | undefined
  /** Whether credentials can change by themselves, so that the refusal may pass. */
  readonly renewable: boolean
  /** Whether the answer has WWW-Authenticate. */
  readonly challenged?: boolean | undefined
  /** Whether it carried headers of the user. */
  readonly authorized: boolean
  /** The names of these headers. Default: unknown. */
  readonly sent?: ReadonlyArray<string> | undefined
  /** Whether the request was in a session. */
  readonly session: boolean
  /** Whether the body is a JSON-RPC response with the request's id. Default false. */
  readonly isResponse?: boolean | undefined
}> {}

export class RedirectFailure extends Data.TaggedError("RedirectFailure")<{
  readonly status: number
  /** Without query and credentials; empty if invalid. */
  readonly to: string
  readonly why: "origin" | "plain" | "proxy" | "method" | "circle" | "credentials" | "invalid"
  /** The target's path at the original origin, if only a trailing slash differs. */
  readonly instead?: string | undefined
}> {}

export class AnswerFailure extends Data.TaggedError("AnswerFailure")<{ readonly detail: string }> {}

/** The stream ended without the response. */
export class CutFailure extends Data.TaggedError("CutFailure")<{
  readonly detail: string
  readonly cause?: unknown
}> {}

/** The credentials could not be obtained; nothing was sent. */
export class CredentialFailure extends Data.TaggedError("CredentialFailure")<{
  readonly detail: string
  readonly cause: unknown
}> {}

export const oneLine = (text: string): string => {
  const line = PlainText.line(text.slice(0, 1000))
  return line.length > 200 ? `${line.slice(0, 199)}…` : line
}

const property = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined

/** Searches causes, and the errors of an aggregate. */
const coded = (error: unknown, depth = 0): unknown => {
  if (typeof property(error, "code") === "string") return error
  if (depth > 3) return undefined
  const errors = property(error, "errors")
  if (Array.isArray(errors)) {
    for (const one of errors) {
      const found = coded(one, depth + 1)
      if (found !== undefined) return found
    }
  }
  const cause = property(error, "cause")
  return cause === undefined ? undefined : coded(cause, depth + 1)
}

const tlsCode =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH|UND_ERR_PRX_TLS$|EPROTO$)/
const tooLargeCode = new Set(["UND_ERR_HEADERS_OVERFLOW", "HPE_HEADER_OVERFLOW", "UND_ERR_RES_EXCEEDED_MAX_SIZE"])
const unreachableCode = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "EHOSTDOWN"
])
/** No socket, or no address and port, on this machine. */
const exhaustedCode = new Set(["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS"])

/** `unsent`: no socket got the request. Not trusted for a fault: a faulty client may not report what it does. */
export const fromNetwork = (cause: unknown, proxy?: Proxy, unsent = false): NetworkFailure => {
  const error = coded(cause)
  const code = error === undefined ? "unknown" : String(property(error, "code"))
  const message = String(property(cause, "message") ?? "")
  const syscall = property(error, "syscall")
  const connecting = syscall === "connect" || syscall === "getaddrinfo"
  const proxyStatus = /^Proxy response \((\d+)\)/.exec(message)?.[1]
  const make = (kind: NetworkFailure["kind"], sent: boolean) =>
    new NetworkFailure({
      kind,
      sent: sent && !(unsent && kind !== "fault"),
      code,
      cause,
      proxy,
      proxyStatus: proxyStatus && Number(proxyStatus) || undefined
    })
  if (code === "ECONNREFUSED") return make("refused", false)
  if (tlsCode.test(code) || message.includes("before secure TLS connection")) return make("tls", false)
  if (code === "UND_ERR_CONNECT_TIMEOUT" || (code === "ETIMEDOUT" && connecting)) return make("timeout", false)
  if (proxyStatus !== undefined) return make("unreachable", false)
  if (unreachableCode.has(code)) return make("unreachable", !connecting)
  if (exhaustedCode.has(code) && connecting) return make("exhausted", false)
  if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT") return make("slow", true)
  if (code === "ETIMEDOUT") return make("reset", true)
  if (tooLargeCode.has(code)) return make("tooLarge", true)
  if (property(cause, "name") === "HTTPParserError" && code !== "HPE_CLOSED_CONNECTION") return make("protocol", true)
  if (code === "UND_ERR_DESTROYED" || code === "UND_ERR_CLOSED") return make("reset", false)
  if (code === "UND_ERR_INVALID_ARG") return make("fault", false)
  // Network errors have a code; without one it is a fault, such as of the caller's dispatcher.
  return make(error === undefined ? "fault" : "reset", !connecting)
}

/** In milliseconds, from seconds or an HTTP date. Undefined if missing or invalid. */
export const retryAfter = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined
  const text = header.trim()
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000)
  if (/^[\d.+-]+$/.test(text)) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/**
 * From who does not know the address, or has not reached the server: a router, file server or proxy. Not 502 and 504: the server may have had
 * the request.
 */
const gone = new Set([404, 405, 410, 421, 425, 521, 523, 525, 526, 530])

/** Whether no MCP server gave the answer, so that the request was not carried out. */
export const isGone = (failure: HttpFailure): boolean =>
  failure._tag === "StatusFailure" && failure.error === undefined && failure.isResponse !== true &&
  gone.has(failure.status) && !namesLostSession(failure)

export const sessionVerdict = ({ error, isResponse = false, session, status }: StatusFailure): LostSession.Verdict =>
  session ? LostSession.verdict({ status, code: error?.code, isResponse }) : "alive"

export const namesLostSession = (failure: HttpFailure): boolean =>
  failure._tag === "StatusFailure" && sessionVerdict(failure) === "lost"
