/**
 * What a sign-in is told of its server, its client and its person.
 */
import type { Duration } from "effect"
import type { Browser } from "./Browser.js"
import type * as Client from "./Client.js"
import type * as Grant from "./Grant.js"
import type { Person } from "./LoginPage.js"
import type { RedirectOptions } from "./places.js"
import type { PublicRedirects } from "./PublicRedirects.js"

export interface Options {
  /** The address of the MCP server. Query and credentials in it are not looked at. */
  readonly url: string | URL
  /** Tells several logins at one server apart. Default `default`. */
  readonly account?: string | undefined
  /** What the authorization server knows us by. Default: we register ourselves. */
  readonly client?: Client.Configured | undefined
  /** The rights to ask for, separated by spaces. Default: what the server says that it needs. */
  readonly scope?: string | undefined
  /** Default: that of the login before, otherwise `browser`. `credentials` needs no person, but `client` with an id and a secret or a key. */
  readonly method?: Grant.Method | undefined
  /**
   * Who is to log in, if there are several. Then a login begins at a page that says who that is and is good for one browser, and its address is
   * only in the state, and in nothing that others could read.
   */
  readonly person?: Person | undefined
  /** Where the browser comes back to. Default: `localhost`, at a port that is always the same for a server, or another if that is taken. */
  readonly redirect?: RedirectOptions | undefined
  /**
   * Where the browser comes back to in place of `localhost`. For logins of a `person`: who knows the address of another could finish it from anywhere.
   */
  readonly publicRedirects?: PublicRedirects | undefined
  /** Opens the address of a login. Default: it is only shown, in the state and in errors. */
  readonly browser?: Browser | undefined
  /** How long a request that needs a login waits for it before it fails with the address. Default 2 s. */
  readonly loginWait?: Duration.DurationInput | undefined
  /** What messages call `client.issuer`, if the program has a flag for it. */
  readonly issuerOption?: string | undefined
  /**
   * Whether it begins a login by itself when the server refuses a request. Default true. Otherwise it uses only what a login has left that
   * somebody has asked for: the credentials of the configuration are others.
   */
  readonly isAutomatic?: boolean | undefined
}
