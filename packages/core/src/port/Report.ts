import type { Kind } from "../catalog/Kind.js"
import type { Connection } from "./Connection.js"
import type { ResourceUsage } from "./ResourceUsage.js"

/** Unchanged; the parameters are not checked. */
export interface ServerNotification {
  readonly method: string
  readonly params?: { readonly [key: string]: unknown } | undefined
}

/** Which lists' changes are announced. */
export interface Hearing {
  /** From now on; changes may have been missed, so the core reads these lists once. */
  readonly announced: ReadonlyArray<Kind>
  /** Not announced, although the server says that they change: the core polls these lists. */
  readonly unannounced: ReadonlyArray<Kind>
}

export type Report =
  /** Any but progress, in the order of arrival. */
  | { readonly _tag: "Notification"; readonly notification: ServerNotification }
  /** Names all kinds of list that this concerns. Without one, all that the server declares is announced. */
  | { readonly _tag: "Hearing"; readonly hearing: Hearing }
  /** No request has failed, but a stream has become silent, or cannot be opened. The core probes the server. */
  | { readonly _tag: "Doubt" }
  /**
   * What it does until the next such report. `describe`: for the error when it takes too long, what the server has done: one line without
   * secrets, or `undefined`. `isSigningIn`: it waits for a sign-in, which callers are told. `look`: as `Connection.look`. `hangs`: called before
   * it is ended without a sign of life. None may throw.
   */
  | {
    readonly _tag: "Attempt"
    readonly describe: () => string | undefined
    readonly isSigningIn?: (() => boolean) | undefined
    readonly look?: (() => Connection["look"]) | undefined
    readonly hangs?: (() => void) | undefined
  }
  /** One report for each measurement of the server's processes. Default: none. */
  | { readonly _tag: "Usage"; readonly usage: ResourceUsage }
