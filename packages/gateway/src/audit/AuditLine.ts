/**
 * One line of the audit file: a call of a tool, prompt or resource, and what became of it. Pure.
 */
/** What became of a request of the call at its server. `answered`: it was carried out. */
export type Fate = "answered" | "rejected" | "notSent" | "unknown"

/**
 * How a call ended for its caller. `refused`: by the rules of the gateway, before it was sent. `task`: the server works on it, and is asked for the
 * result later. `input-required`: the server asks for something first, with which the client calls again.
 */
export type Outcome = "ok" | "tool-error" | "error" | "cancelled" | "refused" | "task" | "input-required"

/** Who calls. */
export interface AuditClient {
  /** Who it is: the issuer and the subject of its token, or `client:` and its name in the configuration. */
  readonly subject?: string | undefined
  /** What it is called. For whoever has a token, their issuer says that, and may let them choose it. */
  readonly name?: string | undefined
  /** What the program says of itself. */
  readonly program?: string | undefined
  readonly version?: string | undefined
}

export interface AuditLine {
  readonly event: "call"
  /** When it arrived, in ISO 8601. */
  readonly time: string
  /** The id that the client has given the request; none for a call through the API. */
  readonly id?: string | number | undefined
  /** The id of its trace, if it has one. */
  readonly trace?: string | undefined
  readonly door: "mcp" | "api"
  readonly client: AuditClient
  readonly method: string
  /** The server that has it; `null` if none was found. */
  readonly server: string | null
  /** The name of the tool or prompt at its server, or the URI. */
  readonly tool: string
  /** A hash of that name or URI, where `tool` is not the whole of it. */
  readonly toolHash?: string | undefined
  /** The name that the client used, where it is another one. */
  readonly as?: string | undefined
  /** A hash of that, where `as` is not the whole of it. */
  readonly asHash?: string | undefined
  /** A hash of its arguments; none where they are nested too deeply to be read. */
  readonly hash?: string | undefined
  readonly arguments?: unknown
  /** The same of the input that the server has asked for, where the client calls again with it (2026-07-28). */
  readonly inputHash?: string | undefined
  readonly input?: unknown
  readonly outcome: Outcome
  /** The code of the JSON-RPC error. */
  readonly code?: number | undefined
  /** Why the gateway has no answer of the server, such as `RequestTimeout`. */
  readonly reason?: string | undefined
  readonly fate: Fate
  /** How often it was sent. */
  readonly attempts: number
  /** On which connection it was sent last. */
  readonly generation?: number | undefined
  /** From the arrival until it was sent last, in milliseconds; all of its time if it was not sent. */
  readonly waited: number
  /** From then on until the answer, in milliseconds. */
  readonly answered?: number | undefined
}

/** Milliseconds without the digits that adding them up makes. */
export const rounded = (millis: number): number => Math.round(millis * 100) / 100
