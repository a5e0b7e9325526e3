/**
 * Who gives the token that goes with each request, and gets another one where the server refuses it.
 */
import type { LoginFailure } from "@mcp-lifeline/protocol"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { Effect, Redacted } from "effect"
import type { CredentialFailure } from "./HttpFailure.js"

/** Why new credentials are wanted. */
export interface Refusal {
  /** 401, or 403 where more rights are wanted. */
  readonly status: number
  /** The `WWW-Authenticate` header. */
  readonly challenge: string | undefined
}

/** What is known of a login at the moment. */
export interface Tokens {
  /** Sent as `Authorization: Bearer`. */
  readonly access: Redacted.Redacted
  /** Never sent to the server; no message shows it. */
  readonly refresh: Redacted.Redacted | undefined
}

/**
 * Tokens for one server, shared by all connections of a connector. `fetch` is the connector's, with its proxies; it works also when the
 * connection for which it was given has ended, and has no time limit of its own.
 */
export interface Authorization {
  /** The tokens for the next request, or undefined where there are none: then the request goes without. Asked for each request. */
  readonly tokens: (fetch: FetchLike) => Effect.Effect<Tokens | undefined, CredentialFailure>
  /**
   * Called when the server refuses a request, unless `tokens` gives another token by then. Succeeds with whether it is worth sending
   * the request once more; fails with LoginFailure as long as a person has to finish a login.
   */
  readonly renew: (
    refusal: Refusal,
    fetch: FetchLike
  ) => Effect.Effect<boolean, CredentialFailure | LoginFailure.LoginFailure>
  /** Whether new tokens are being got: what an attempt that takes long is waiting for. */
  readonly isRunning: () => boolean
}
