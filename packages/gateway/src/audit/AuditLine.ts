/** What became of a call at its server. `answered`: it was carried out. */
export type Fate = "answered" | "rejected" | "notSent" | "unknown"

/**
 * `refused`: by the gateway, before it was sent. `task`: the server is asked for the result later. `input-required`: the client calls again with
 * what the server asks for.
 */
export type Outcome = "ok" | "tool-error" | "error" | "cancelled" | "refused" | "task" | "input-required"

export interface AuditClient {
  /** The issuer and the subject of its token, or `client:` and its name in the configuration. */
  readonly subject?: string | undefined
  /** A token's issuer says it, and may let them choose it. */
  readonly name?: string | undefined
  /** What the program says of itself. */
  readonly program?: string | undefined
  readonly version?: string | undefined
}

export interface AuditLine {
  readonly event: "call"
  /** Of its arrival, in ISO 8601. */
  readonly time: string
  /** As the client gave it; none for a call through the API. */
  readonly id?: string | number | undefined
  readonly trace?: string | undefined
  readonly door: "mcp" | "api"
  readonly client: AuditClient
  readonly method: string
  /** `null` if none was found. */
  readonly server: string | null
  /** The name of the tool or prompt at its server, or the URI. */
  readonly tool: string
  /** Where `tool` is not the whole of it. */
  readonly toolHash?: string | undefined
  /** As the client called it, where that is another name. */
  readonly as?: string | undefined
  /** Where `as` is not the whole of it. */
  readonly asHash?: string | undefined
  /** Of its arguments; none where they are nested too deeply to be read. */
  readonly hash?: string | undefined
  readonly arguments?: unknown
  /** Of the input that the server asked for (2026-07-28). */
  readonly inputHash?: string | undefined
  readonly input?: unknown
  readonly outcome: Outcome
  /** Of the JSON-RPC error. */
  readonly code?: number | undefined
  /** Why the gateway has no answer of the server, such as `RequestTimeout`. */
  readonly reason?: string | undefined
  readonly fate: Fate
  readonly attempts: number
  /** The connection of the last attempt. */
  readonly generation?: number | undefined
  /** Until it was sent last, in milliseconds; all of its time if it was not sent. */
  readonly waited: number
  /** From then on until the answer, in milliseconds. */
  readonly answered?: number | undefined
}

export const rounded = (millis: number): number => Math.round(millis * 100) / 100
