/**
 * What keeps single entries of a server's lists from callers while the program runs, beside the options `hide` and `only`.
 */
import type { Kind } from "../catalog/Kind.js"

/** Asked about each entry that passes the options. None of its functions may block. If one throws, the entry is withheld. */
export interface Withholder {
  /**
   * Whether callers do not get an entry: a tool or prompt by its name, a resource by its URI, a template by its text. `entry`: as the server
   * lists it, each time a list is read; without it, a request names the entry. An entry that is withheld is as if the server did not have it.
   */
  readonly withholds: (kind: Kind, key: string, entry: object | undefined) => boolean
  /**
   * Calls back when it has changed for entries of some kinds. The backend then offers its last lists anew, and announces to callers those that
   * differ. Returns what ends this. Default: it does not change.
   */
  readonly changes?: ((changed: (kinds: ReadonlyArray<Kind>) => void) => () => void) | undefined
}
