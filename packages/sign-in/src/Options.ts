import type { Duration } from "effect"
import type { Browser } from "./Browser.js"
import type * as Client from "./Client.js"
import type * as Grant from "./Grant.js"
import type { Person } from "./LoginPage.js"
import type { RedirectOptions } from "./places.js"
import type { PublicRedirects } from "./PublicRedirects.js"

export interface Options {
  /** Of the MCP server. Query and credentials in it are ignored. */
  readonly url: string | URL
  /** Tells several logins at one server apart. Default `default`. */
  readonly account?: string | undefined
  /** Default: we register ourselves. */
  readonly client?: Client.Configured | undefined
  /** Separated by spaces. Default: what the server says that it needs. */
  readonly scope?: string | undefined
  /** Default: that of the login before, otherwise `browser`. `credentials` needs no person, but `client` with an id and a secret or a key. */
  readonly method?: Grant.Method | undefined
  /**
   * Who is to log in, if there are several. A login then begins at a page that names the person and is good for one browser; its address is only in
   * the state.
   */
  readonly person?: Person | undefined
  /** Default: `localhost`, at a port that is always the same for a server, or another if that is taken. */
  readonly redirect?: RedirectOptions | undefined
  /** In place of `localhost`, for logins of a `person`: who knows the address of another could finish it from anywhere. */
  readonly publicRedirects?: PublicRedirects | undefined
  /** Opens the address of a login. Default: it is only in the state and in errors. */
  readonly browser?: Browser | undefined
  /** How long a request waits for a login before it fails with the address. Default 2 s. */
  readonly loginWait?: Duration.DurationInput | undefined
  /** What messages call `client.issuer`. Default: that. */
  readonly issuerOption?: string | undefined
  /**
   * Whether it begins a login when the server refuses a request. Default true. Otherwise it uses only what a login has left that somebody has asked
   * for.
   */
  readonly isAutomatic?: boolean | undefined
}
