/**
 * What a backend can have under way: an attempt, the wait for one, or a teardown.
 */
import type { Loss } from "../port/Connection.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { PendingCommand } from "./Command.js"

/** An attempt to connect: in Connecting, and in Connected while a successor is made. */
export interface Attempt {
  readonly _tag: "Attempt"
  /** A call waits for it, so it does not count as a quick one. (R8) */
  readonly demanded: boolean
  readonly startedAt: number
  /** The commands that it answers. */
  readonly joined: Array<PendingCommand>
  /** The runtime whose session is lost where the attempt succeeds. (R12) */
  readonly doubt?: { readonly runtime: Runtime; readonly loss: Loss } | undefined
}

/** The wait for the next attempt: in Reconnecting and Dormant. */
export interface Timer {
  readonly _tag: "Timer"
  readonly demanded: boolean
}

/** The end of everything that a disable ends: in Disabling. */
export interface Teardown {
  readonly _tag: "Teardown"
  readonly disables: Array<PendingCommand>
  /** Enable commands that wait for its end; the attempt that follows answers them. */
  readonly enables: Array<PendingCommand>
}

/** What can be under way. */
export type Work = Attempt | Timer | Teardown
