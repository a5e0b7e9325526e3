/**
 * The answers with which servers say that they have forgotten a session. The specification requires 404; this table has what servers
 * actually answer, one row for each kind of answer, with its source. Pure.
 */
import type { Fate } from "@mcp-lifeline/core"

/** An unsuccessful answer to a request in a session. */
export interface Refusal {
  /** The HTTP status; undefined for a JSON-RPC error with a successful HTTP status, and for transports without HTTP. */
  readonly status: number | undefined
  /** The code of the JSON-RPC error, if there is one. */
  readonly code: number | undefined
  /** The message of the JSON-RPC error, or the body; may be empty. */
  readonly message: string
  /** What was asked for, where that is known. What a server offers, a tool for one, may speak of a session of its own: a browser's. */
  readonly method?: string | undefined
}

/**
 * What a refusal says about the session: the session is `lost`; it may be lost, and Lifeline has to check (`doubtful`); or nothing.
 * `fate`: the fate of the request if the session is lost.
 */
export type Verdict =
  | { readonly _tag: "Lost" }
  | { readonly _tag: "Doubtful"; readonly fate: Extract<Fate, "rejected" | "answered"> }
  | { readonly _tag: "Alive" }

interface Dialect {
  /** HTTP statuses; undefined for a JSON-RPC error with a successful status. */
  readonly statuses: ReadonlyArray<number>
  /** Whether the row applies to a JSON-RPC code. Default: to any code, and to answers without one. */
  readonly code?: (code: number) => boolean
  readonly says?: RegExp
  /** To what the server offers, the row applies only where the words are those of MCP. */
  readonly isOwn?: true
  /** Default: a row that wants words about a forgotten session wants none about one in use. */
  readonly mayBeInUse?: boolean
  readonly verdict: Verdict
}

const lost: Verdict = { _tag: "Lost" }
/** The refusal says nothing about the session. */
export const alive: Verdict = { _tag: "Alive" }
/** A server refuses with these before it carries anything out. */
const doubtful: Verdict = { _tag: "Doubtful", fate: "rejected" }
/** The server may have carried out the request, and it may have failed. */
const doubtfulResult: Verdict = { _tag: "Doubtful", fate: "answered" }

/** Words of a name, of an error's for example, stand apart: `SESSION_NOT_FOUND`, `UnknownSession`, `Mcp-Session-Id`. */
const spaced = (message: string): string => message.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[_-]/g, " ")

/** Texts about a session that does not exist, or is not valid. */
const forgotten = new RegExp(
  [
    /\bsession( ?id)?s?\b.{0,60}\b(not (be )?found|not exist|doesn.?t exist|not known|no longer|gone|expired|timed out|invalid|unknown|unrecogni[sz]ed|terminated|clos(ed|ing)|deleted|stale|missing|mismatch|not (a )?valid|not recogni[sz]ed)/i,
    /\b(no|not|invalid|unknown|unrecogni[sz]ed|expired|missing|inactive|stale)( or \w+)?( a| the)?( valid| active| existing| such)?( mcp)? session/i,
    /\b(could ?n[o']t|can ?n[o']t|unable to) find (the |a )?(mcp )?session/i,
    /\bno active transport/i,
    /\bsession user mismatch/i,
    /\b(server|session|client|transport)( is| has| was)?( not| n't)( yet)?( been)? initiali[sz]ed/i,
    /\bexpect(ed|s)? (an )?initiali[sz]e request/i,
    /\bbefore (the )?initiali[sz]ation/i
  ].map(({ source }) => source).join("|"),
  "i"
)

/** Words about MCP itself, and not about what a server offers. */
const ofProtocol = /\bmcp session\b|\binitiali[sz]/i

/** Words about a session that lives: mcp-go refuses a second stream with 400 "session already exists". */
const inUse = /\b(already|(?<!not )(?<!n.t )exists?|busy|locked|in use|limits?|too many|maximum|quota)\b/i

/** Whether a text speaks of a session that is in use. */
export const isInUse = (message: string): boolean => inUse.test(spaced(message))

const invalidRequest = -32600
const methodNotFound = -32601
const invalidParams = -32602
const resourceNotFound = -32002
const elicitationRequired = -32042

const isServerError = (code: number): boolean => code <= -32000 && code >= -32099
const isReserved = (code: number): boolean => code <= -32000 && code >= -32768

/** The first row that matches decides. The comment above a row says which servers answer this, and in which words. */
const dialects: ReadonlyArray<Dialect> = [
  // The specification. TypeScript and C# SDK: -32001 Session not found. Python SDK: -32600 Session not found; Session has been
  // terminated. Java SDK: -32603 Session not found: <id>. PHP SDK: -32600 Session not found or has expired. rmcp, Go SDK:
  // Session not found. mcp-go: Session terminated; Invalid session ID.
  { statuses: [404], mayBeInUse: false, verdict: lost },
  // Servers that typescript-sdk#1402 was written for.
  { statuses: [410], mayBeInUse: false, verdict: lost },
  // server-everything, supergateway, examples of the TypeScript SDK, Python SDK before python-sdk#1004: No valid session ID
  // provided. mcp-go before mcp-go#689, and its SSE server (-32602): Invalid session ID. affine-mcp-server#301: No valid session ID
  // or not an initialize request. C# SDK, SSE: Session ID not found.
  // 400 -32000 Server not initialized: one transport of the TypeScript SDK for the life of a process, after its restart.
  // 400 No active transport: mcp-proxy, to GET. 401 Unauthorized: Session not found: rmcp before rust-sdk#689.
  // 401 -32000 Unauthorized: No valid session ID provided: mcp-proxy with `authenticate` (mcp-proxy#108).
  // 403 session user mismatch: Go SDK. 403 -32001 Mcp-Session-Id principal mismatch: breeze#3744.
  // 422 Unexpected message, expect initialize request: rmcp. 500 with the 400 of the server behind it: fastmcp#121.
  // 503 for an unknown session: neotoma#1923.
  { statuses: [400, 401, 403, 409, 422, 500, 503], says: forgotten, verdict: lost },
  // The TypeScript SDK's error, by servers that answer it with 200.
  { statuses: [], code: (code) => code === -32001, says: forgotten, verdict: lost },
  // -32002 Server not initialized: anubis-mcp#89. -32600 missing or invalid Mcp-Session-Id: agent-wiki#158.
  {
    statuses: [],
    code: (code) => code === invalidRequest || isServerError(code),
    says: forgotten,
    isOwn: true,
    verdict: lost
  },
  // -32603 Invalid session ID: servers that throw in a handler. 0: rust-sdk#2022. 404 and a text: relays. -32000 Browser session expired: a
  // tool.
  { statuses: [], says: forgotten, verdict: doubtful },
  // What no row knows, by HTTP; and 400 with an empty body.
  {
    statuses: [400, 401, 402, 403, 404, 409, 410, 412, 418, 419, 421, 422, 423, 424, 428, 440, 498, 499],
    verdict: doubtful
  },
  // What is said of a request, and not of its session, unless the words say so.
  { statuses: [405, 406, 408, 411, 413, 414, 415, 416, 417, 426, 431, 451], says: forgotten, verdict: doubtful },
  // -32602 Invalid request parameters: Python SDK before python-sdk#2710, where a session is not initialised.
  { statuses: [], code: (code) => code === invalidRequest || code === invalidParams, verdict: doubtful },
  // What no row knows, by JSON-RPC.
  {
    statuses: [],
    code: (code) =>
      isReserved(code) && code !== methodNotFound && code !== resourceNotFound && code !== elicitationRequired,
    verdict: doubtfulResult
  }
]

/** Methods that a server answers with what it offers. */
const offered: ReadonlySet<string | undefined> = new Set([
  "tools/call",
  "prompts/get",
  "resources/read",
  "completion/complete",
  "tasks/result"
])

const fits = (
  { code: ofRow, isOwn, mayBeInUse, says, statuses }: Dialect,
  { code, message, method, status }: Refusal
): boolean =>
  (status === undefined ? statuses.length === 0 : statuses.includes(status)) &&
  (isOwn === undefined || !offered.has(method) || ofProtocol.test(message)) &&
  (ofRow === undefined || (code !== undefined && ofRow(code))) &&
  (says === undefined || says.test(message)) &&
  ((mayBeInUse ?? says === undefined) || !inUse.test(message))

/** What the refusal of a request with a session id says about the session. */
export const verdict = (refusal: Refusal): Verdict => {
  const heard = { ...refusal, message: spaced(refusal.message) }
  return dialects.find((dialect) => fits(dialect, heard))?.verdict ?? alive
}
