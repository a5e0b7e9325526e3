/** What connectors report. */
import type { Kind } from "../catalog/Kind.js"
import type { Connection } from "./Connection.js"
import type { ResourceUsage } from "./ResourceUsage.js"

/** A notification from the server, unchanged. Its parameters are not checked. */
export interface ServerNotification {
  readonly method: string
  readonly params?: { readonly [key: string]: unknown } | undefined
}

/** For which kinds of list a connection gets change notifications. */
export interface Hearing {
  /** It gets them for these kinds from now on, but may have missed changes, so the core reads these lists once. */
  readonly announced: ReadonlyArray<Kind>
  /** It does not get them for these kinds, although the server says that the lists change, so the core polls these lists. */
  readonly unannounced: ReadonlyArray<Kind>
}

/** What happens to an attempt, or to its connection. */
export type Report =
  /** Any notification of the server except progress, in the order of arrival. */
  | { readonly _tag: "Notification"; readonly notification: ServerNotification }
  /**
   * The connection starts or stops getting change notifications; each report names all kinds of list that this concerns. Without one, the
   * core assumes that it gets all that the server declares.
   */
  | { readonly _tag: "Hearing"; readonly hearing: Hearing }
  /** The server may be dead, although no request has failed: a stream from it has become silent, or cannot be opened. The core then probes it. */
  | { readonly _tag: "Doubt" }
  /**
   * What the attempt does until the next such report. `describe`: called when it takes too long, so that the error says what the server has
   * done meanwhile: one line without secrets, or `undefined`. `isSigningIn`: whether it waits for a sign-in, which callers are told. `look`:
   * as `Connection.look`. `hangs`: called before it is ended because it shows no sign of life. None may throw.
   */
  | {
    readonly _tag: "Attempt"
    readonly describe: () => string | undefined
    readonly isSigningIn?: (() => boolean) | undefined
    readonly look?: (() => Connection["look"]) | undefined
    readonly hangs?: (() => void) | undefined
  }
  /** What the server's processes use on this machine: one report for each measurement. Default: nothing is measured. */
  | { readonly _tag: "Usage"; readonly usage: ResourceUsage }
