/**
 * The source of the token for each request, which gets another token if the server refuses one.
 */
import type { NeededSignIn } from "@mcp-lifeline/core"
import type { LoginFailure } from "@mcp-lifeline/protocol"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { Effect, Redacted } from "effect"
import type { CredentialFailure } from "./HttpFailure.js"

/** Why new credentials are needed. */
export interface Refusal {
  /** 401, or 403 if the server requires more scopes. */
  readonly status: number
  /** The `WWW-Authenticate` header. */
  readonly challenge: string | undefined
}

/** The current tokens of a login. */
export interface Tokens {
  /** Sent as `Authorization: Bearer`. */
  readonly access: Redacted.Redacted
  /** Never sent to the MCP server, and shown in no message. */
  readonly refresh: Redacted.Redacted | undefined
}

/**
 * Tokens for one server, shared by all connections of a connector. `fetch` is the connector's, with its proxies; it works also when the
 * connection for which it was given has ended, and has no time limit of its own. It reads at most 1 MiB of an
 * answer, unless it is one of your own.
 */
export interface Authorization {
  /** The tokens for the next request, or undefined to send it without a token. Run for each request. */
  readonly tokens: (fetch: FetchLike) => Effect.Effect<Tokens | undefined, CredentialFailure>
  /**
   * Called when the server refuses a request, unless `tokens` returns another token by then. Succeeds with whether to send the request once
   * more; fails with LoginFailure as long as a person has to log in.
   */
  readonly renew: (
    refusal: Refusal,
    fetch: FetchLike
  ) => Effect.Effect<boolean, CredentialFailure | LoginFailure.LoginFailure>
  /** Called when the server has taken a request that it had refused before `renew`. Default: nobody asks. Must not throw. */
  readonly accepted?: (() => void) | undefined
  /**
   * Whether the user has named this address of an authorization server: then it may be anywhere. What only the server names is not reached on
   * this machine, on its link or in a private network, unless the server is there itself. Default: the user has named none.
   */
  readonly isChosen?: ((address: URL) => boolean) | undefined
  /** The login that a person has to finish now, for the status. Default: none is known. */
  readonly needed?: (() => NeededSignIn | undefined) | undefined
  /** Whether it is getting new tokens, for the message about an attempt that takes long. */
  readonly isRunning: () => boolean
}
