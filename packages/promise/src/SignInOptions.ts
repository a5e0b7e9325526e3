import type { Duration } from "./Duration.js"

/** A client that is registered at an authorization server, or that describes itself. */
export interface SignInClient {
  readonly id?: string | undefined
  /** The authorization server at which it is registered, and the only one asked. Needed with a secret or a key. */
  readonly issuer?: string | undefined
  readonly secret?: string | undefined
  /** A private key instead of the secret: PEM (PKCS #8) or a JWK as JSON, itself or in a file. `algorithm`: for example `ES256`. */
  readonly key?:
    | { readonly key: string; readonly algorithm: string }
    | { readonly file: string; readonly algorithm: string }
    | undefined
  /** The address of a client id metadata document: https, with a path. */
  readonly document?: string | undefined
}

/** A login that a person has to make. */
export interface Login {
  /** The server that asks for it. */
  readonly server: string
  /** Where the person goes. */
  readonly address: string
  /** In milliseconds since the epoch. */
  readonly until: number
}

/** Signs in to servers over HTTP. Tokens are stored, renewed, and shared with other programs of this user and with `mcp-lifeline`. */
export interface SignInOptions {
  /** Distinguishes several logins at one server. Default `default`. */
  readonly account?: string | undefined
  /** Default: Lifeline registers a client. */
  readonly client?: SignInClient | undefined
  /** Separated by spaces. Default: those that the server names. */
  readonly scope?: string | undefined
  /**
   * `browser`: on this machine. `credentials`: without a person; needs a `client` with an id and a secret or a key. Default: as at the
   * last login, otherwise `browser`.
   */
  readonly method?: "browser" | "credentials" | undefined
  /** Where the browser returns. Default: `http://localhost`, a port derived from the server's address, and `/callback`. */
  readonly redirect?: {
    /** `localhost`, `127.0.0.1` or `[::1]`. */
    readonly host?: string | undefined
    readonly port?: number | undefined
    readonly path?: string | undefined
  } | undefined
  /** Open the user's browser, but never under CI. Default true. */
  readonly browser?: boolean | undefined
  /** Called with each login that a person has to make. Must not throw. */
  readonly onLogin?: ((login: Login) => void) | undefined
  /** How long `connect` waits for the login before it rejects with UnauthorizedError. Default 10 minutes. */
  readonly wait?: Duration | undefined
  /** For tokens. Default: that of `mcp-lifeline` (`MCP_LIFELINE_STATE`). */
  readonly folder?: string | undefined
}
