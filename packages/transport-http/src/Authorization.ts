import type { NeededSignIn } from "@mcp-lifeline/core"
import type { LoginFailure } from "@mcp-lifeline/protocol"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { Effect, Redacted } from "effect"
import type { CredentialFailure } from "./HttpFailure.js"

export interface Refusal {
  /** 401, or 403 if the server requires more scopes. */
  readonly status: number
  /** `WWW-Authenticate`. */
  readonly challenge: string | undefined
}

export interface Tokens {
  /** Sent as `Authorization: Bearer`. */
  readonly access: Redacted.Redacted
  /** Never sent to the MCP server, and shown in no message. */
  readonly refresh: Redacted.Redacted | undefined
}

/**
 * Tokens for one server, shared by all connections of a connector. `fetch` is the connector's, with its proxies: it outlives the connection,
 * has no time limit, and reads at most 1 MiB of an answer unless you gave it yourself.
 */
export interface Authorization {
  /** Run for each request. Undefined to send it without a token. */
  readonly tokens: (fetch: FetchLike) => Effect.Effect<Tokens | undefined, CredentialFailure>
  /**
   * Called when the server refuses a request, unless `tokens` has another token by then. Succeeds with whether to send the request again;
   * fails with LoginFailure while a person has to log in.
   */
  readonly renew: (
    refusal: Refusal,
    fetch: FetchLike
  ) => Effect.Effect<boolean, CredentialFailure | LoginFailure.LoginFailure>
  /** Called when the server accepts a request after `renew`. Default: none. Must not throw. */
  readonly accepted?: (() => void) | undefined
  /**
   * Whether the user has named this address of an authorization server, which may then be anywhere. Other addresses on this machine, its link
   * or a private network are not reached unless the server is there itself. Default: none is named.
   */
  readonly isChosen?: ((address: URL) => boolean) | undefined
  /** The login that a person has to finish, for the status. Default: none. */
  readonly needed?: (() => NeededSignIn | undefined) | undefined
  /** Whether it is getting new tokens, for the message about a slow attempt. */
  readonly isRunning: () => boolean
}
