/** What a backend can have under way. */
import type { Loss } from "../port/Connection.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { PendingCommand } from "./Command.js"

/** In Connecting, and in Connected while a successor is made. */
export interface Attempt {
  readonly _tag: "Attempt"
  /** A call waits for it: it does not count as a quick one. (R8) */
  readonly demanded: boolean
  readonly startedAt: number
  readonly joined: Array<PendingCommand>
  /** Its session is lost where the attempt succeeds. (R12) */
  readonly doubt?: { readonly runtime: Runtime; readonly loss: Loss } | undefined
}

/** In Reconnecting and Dormant. */
export interface Timer {
  readonly _tag: "Timer"
  readonly demanded: boolean
}

/** In Disabling. */
export interface Teardown {
  readonly _tag: "Teardown"
  readonly disables: Array<PendingCommand>
  /** The attempt that follows answers them. */
  readonly enables: Array<PendingCommand>
}

export type Work = Attempt | Timer | Teardown
