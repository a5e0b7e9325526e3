/** One line for people: what happened, why, and what to do. The server's address stands before it. */
import { PlainText } from "@mcp-lifeline/core/text"
import { LoginFailure } from "@mcp-lifeline/protocol"
import type { HttpFailure, NetworkFailure, RedirectFailure, StatusFailure } from "./HttpFailure.js"
import { namesLostSession, oneLine } from "./HttpFailure.js"

/** First match wins. */
const tlsTexts: ReadonlyArray<readonly [RegExp, string]> = [
  [/CERT_HAS_EXPIRED/, "the server's certificate has expired: renew it (or the clock of this machine is wrong)"],
  [/ALTNAME_INVALID|HOSTNAME_MISMATCH/, "the server's certificate is for another name: check the host of the URL"],
  [
    /SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY/,
    "no authority that Node.js trusts vouches for the server's certificate: name a file with its authority in NODE_EXTRA_CA_CERTS"
  ],
  [
    /EPROTO|WRONG_VERSION|PACKET_LENGTH|ERR_SSL_/,
    "the port answers, but not with a TLS version that Node.js speaks: check the port, and whether the URL should begin with http:"
  ],
  [/UND_ERR_PRX_TLS/, "the TLS connection to the proxy failed: check its certificate and the scheme of its address"]
]

const tooLargeText = (code: string): string =>
  code.includes("HEADER")
    ? "the headers of the answer are larger than Node.js accepts (16 KiB; node --max-http-header-size raises that)"
    : "the answer is larger than the dispatcher accepts (maxResponseSize)"

const unreachableText = (code: string): string => {
  switch (code) {
    case "ENOTFOUND":
      return "the host name does not exist (DNS): check the URL"
    case "EAI_AGAIN":
    case "EAI_FAIL":
      return "the host name could not be looked up (DNS): check the network"
    default:
      return "the host cannot be reached: check the address and the network"
  }
}

const exhaustedText = (code: string): string => {
  switch (code) {
    case "EMFILE":
    case "ENFILE":
      return "too many files and sockets are open on this side: raise the limit of open files (ulimit -n)"
    case "EADDRNOTAVAIL":
      return "this machine has no address from which it can be reached (IPv6 may be off), or no free port"
    default:
      return "this machine has no socket left for it: close what holds many"
  }
}

const networkText = ({ cause, code, kind, proxy, proxyStatus, sent }: NetworkFailure): string => {
  const way = proxy === undefined ? undefined : `the proxy ${proxy.address} (${proxy.variable} of the environment)`
  if (proxyStatus !== undefined) {
    const what = proxyStatus === 407
      ? "it wants credentials: put them into its address, as in http://user:password@host:port"
      : "see its log, or name the host in NO_PROXY"
    return `${way ?? "the proxy"} does not connect to the server: HTTP ${proxyStatus}: ${what}`
  }
  switch (kind) {
    case "refused":
      return way === undefined
        ? `connection refused: is the server running, and on this port? (${code})`
        : `${way} refuses connections: is it running? NO_PROXY names hosts that need none (${code})`
    case "unreachable":
      return way === undefined
        ? `${unreachableText(code)} (${code})`
        : `${way} cannot be reached: check its address. NO_PROXY names hosts that need none (${code})`
    case "exhausted":
      return `${exhaustedText(code)} (${code})`
    case "tls": {
      const text = tlsTexts.find(([codes]) => codes.test(code))?.[1] ??
        "the TLS connection failed: check the server's certificate, and whether the URL should begin with https:"
      return `${text} (${code})`
    }
    case "timeout":
      return `no connection in time${
        way === undefined ? "" : ` by way of ${way}`
      }: check the address and the network (${code})`
    case "slow":
      return `the server took longer to answer than the dispatcher waits (${code})`
    case "reset":
      return code === "UND_ERR_DESTROYED" || code === "UND_ERR_CLOSED"
        ? "the connection was closed on this side, before the request was sent"
        : `the connection was closed before an answer came: see the log of the server, or of the proxy in front of it (${code})`
    case "tooLarge":
      return `${tooLargeText(code)} (${code})`
    case "protocol":
      return `the port answers, but not with HTTP: check the port (${code})`
    case "fault":
      return `the HTTP client failed, ${
        sent ? "and it is not known whether the request was sent" : "and nothing was sent"
      }: ${oneLine(String(cause))}`
  }
}

const sentAs = ({ sent = [] }: StatusFailure): string =>
  sent.length === 0 ? "" : ` (sent: ${sent.slice(0, 8).join(", ")})`

const statusRemedy = (failure: StatusFailure): string => {
  if (namesLostSession(failure)) return ": the server does not know the session any more"
  switch (failure.status) {
    case 401:
      return failure.authorized
        ? `: the server refuses the credentials${sentAs(failure)}: check the headers, the token or the login`
        : ": the server wants credentials, and none were sent: give headers or an authProvider"
    case 403:
      return failure.authorized
        ? `: the server does not allow this with these credentials${sentAs(failure)}`
        : ": the server does not allow this; no credentials were sent"
    case 404:
    case 410:
      return failure.session ? "" : ": nothing is served at this address: check the URL"
    case 405:
      return failure.session ? "" : ": this is not the address of an MCP endpoint: check the URL"
    case 407:
      return ": a proxy wants credentials: put them into its address, as in http://user:password@host:port"
    case 429:
      return ": the server limits how often it may be asked"
    case 502:
    case 503:
    case 504:
      return ": the server is not ready, or the proxy in front of it cannot reach it"
    default:
      return failure.status >= 500 ? ": the server failed: see its log" : ": the server refuses the request"
  }
}

/** Whether an address may be public. A proxy that forgets who asked names its own. */
const isPublic = (to: string): boolean => /^https:\/\/[^/:]+(?:\/|$)/.test(to)

const redirectText = ({ instead, status, to, why }: RedirectFailure): string => {
  switch (why) {
    case "origin":
      return `HTTP ${status}: redirected to ${to}, another origin, to which no credentials are sent: ${
        isPublic(to) ? "configure that address if it is the right one" : "ask who runs the server for its address"
      }`
    case "plain":
      return `HTTP ${status}: redirected to ${to}, another origin without encryption, to which no credentials are sent: ask who runs the server for its https address`
    case "proxy":
      return `HTTP ${status}: redirected to ${to}, another origin of the same host, to which no credentials are sent: a server behind a proxy that does not know its public address answers so. ${
        instead === undefined
          ? "Let the proxy send X-Forwarded-Proto and X-Forwarded-Host"
          : `Configure ${instead}, with the slash as the server wants it, or let the proxy send X-Forwarded-Proto`
      }`
    case "method":
      return `HTTP ${status}: redirected to ${to} with a status that turns POST into GET, as web pages do: is this the address of an MCP endpoint, or is it behind a login page?`
    case "circle":
      return `HTTP ${status}: redirected again and again (last to ${to}): correct this at the server`
    case "credentials":
      return `HTTP ${status}: redirected to ${to} with credentials in the address, which Lifeline does not take from a server`
    case "invalid":
      return `HTTP ${status}: redirected to an address that is not valid: correct this at the server`
  }
}

export const describe = (failure: HttpFailure): string => PlainText.line(PlainText.cut(textOf(failure), 4000))

/** For an answer that no MCP server gives, from an address where one has answered before. */
export const describeGone = (failure: StatusFailure): string =>
  PlainText.line(
    `${
      statusText(failure)
    }: no MCP server gave this answer, though one has answered here before: it is being replaced, or what is in front of it does not know it${
      waitText(failure)
    }`
  )

const statusText = ({ detail, status }: StatusFailure): string => `HTTP ${status}${detail === "" ? "" : ` (${detail})`}`

const waitText = ({ retryAfter }: StatusFailure): string =>
  retryAfter === undefined ? "" : `; it asks to wait ${Math.ceil(retryAfter / 1000)} s`

const textOf = (failure: HttpFailure): string => {
  switch (failure._tag) {
    case "NetworkFailure":
      return networkText(failure)
    case "StatusFailure":
      return `${statusText(failure)}${statusRemedy(failure)}${waitText(failure)}`
    case "RedirectFailure":
      return redirectText(failure)
    case "LoginFailure":
      return LoginFailure.describe(failure)
    case "AnswerFailure":
    case "CutFailure":
    case "CredentialFailure":
      return failure.detail
  }
}
