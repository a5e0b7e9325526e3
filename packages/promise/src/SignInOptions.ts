/**
 * How a user of the facade signs in to servers over HTTP.
 */
import type { Duration } from "./Duration.js"

/** A client that you have registered at an authorization server beforehand, or that describes itself. */
export interface SignInClient {
  /** Its id. */
  readonly id?: string | undefined
  /** The authorization server at which it is registered, and the only one that is asked. Needed with a secret or a key. */
  readonly issuer?: string | undefined
  /** Its secret. */
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
  /** How long that is possible, in milliseconds since the epoch. */
  readonly until: number
}

/** How to sign in to servers over HTTP. The tokens are stored, renewed, and shared with other programs of this user and with `mcp-lifeline`. */
export interface SignInOptions {
  /** Tells several logins at one server apart. Default `default`. */
  readonly account?: string | undefined
  /** What the authorization server knows this program by. Default: Lifeline registers a client. */
  readonly client?: SignInClient | undefined
  /** The scopes to ask for, separated by spaces. Default: those that the server names. */
  readonly scope?: string | undefined
  /**
   * `browser`: in a browser on this machine. `credentials`: without a person; needs `client` with an id and a secret or a key. Default: as
   * at the last login, otherwise `browser`.
   */
  readonly method?: "browser" | "credentials" | undefined
  /** Where the browser returns to. Default: `http://localhost` at a port that is derived from the server's address, and `/callback`. */
  readonly redirect?: {
    /** `localhost`, `127.0.0.1` or `[::1]`. */
    readonly host?: string | undefined
    readonly port?: number | undefined
    readonly path?: string | undefined
  } | undefined
  /** Whether to open the user's browser. Never under CI. Default true. */
  readonly browser?: boolean | undefined
  /** Called with each login that a person has to make, to show it. Must not throw. */
  readonly onLogin?: ((login: Login) => void) | undefined
  /** How long `connect` waits until somebody has logged in, before it is rejected with UnauthorizedError. Default 10 minutes. */
  readonly wait?: Duration | undefined
  /** The folder in which tokens are stored. Default: that of `mcp-lifeline`, which `MCP_LIFELINE_STATE` can name. */
  readonly folder?: string | undefined
}
