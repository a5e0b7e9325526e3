import { Deferred, Effect, type Exit, FiberId } from "effect"
import type { CommandError, ConnectError } from "../Errors.js"
import type { Loss } from "../port/Connection.js"
import type { Runtime } from "../runtime/Runtime.js"

export type Command = "Reconnect" | "Enable" | "Disable" | "Disconnect"

export class PendingCommand {
  readonly command: Command
  readonly #answer = Deferred.unsafeMake<void, CommandError>(FiberId.none)

  constructor(command: Command) {
    this.command = command
  }

  /** In the same synchronous step. The first counts. */
  answer(exit: Exit.Exit<void, CommandError>): void {
    Deferred.unsafeDone(this.#answer, exit)
  }

  /** Interrupting the wait cancels nothing. */
  get answered(): Effect.Effect<void, CommandError> {
    return Deferred.await(this.#answer)
  }
}

/** Silent, or refusing what it gave before. A new session decides. (R12, V3) */
export interface DoubtedSession {
  readonly runtime: Runtime
  /** Once more, when the new one is ready. */
  readonly askAgain: Effect.Effect<void>
  /** `undefined` where nothing proves a loss. */
  readonly loss: () => Loss | undefined
  /** Lost even where no other can be made beside it. */
  readonly isRefusing: boolean
}

/** In Connecting, and in Connected while a successor is made. */
export interface Attempt {
  readonly _tag: "Attempt"
  /** A call waits for it: it is not a quick one. (R8) */
  readonly demanded: boolean
  readonly startedAt: number
  readonly joined: Array<PendingCommand>
  doubt?: DoubtedSession | undefined
}

/** Only the doubt asks for the new session. */
export const onlyLooks = ({ doubt, joined }: Attempt): boolean => doubt?.isRefusing === false && joined.length === 1

/** In Reconnecting and Dormant. */
export interface Timer {
  readonly _tag: "Timer"
  readonly demanded: boolean
}

export interface Teardown {
  readonly _tag: "Teardown"
  readonly disables: Array<PendingCommand>
  /** The attempt that follows answers them. */
  readonly enables: Array<PendingCommand>
}

export type Work = Attempt | Timer | Teardown

/** What names a runtime, an attempt, a timer or a teardown counts only while that is current. */
export type Message =
  | { readonly _tag: "Command"; readonly pending: PendingCommand }
  | { readonly _tag: "Demand" }
  /** A start that outlasts its attempt is over. (V5) */
  | { readonly _tag: "StartOver"; readonly runtime: Runtime }
  | { readonly _tag: "Due"; readonly timer: Timer }
  | { readonly _tag: "Established"; readonly attempt: Attempt; readonly runtime: Runtime }
  | { readonly _tag: "Failed"; readonly attempt: Attempt; readonly error: ConnectError }
  | { readonly _tag: "TornDown"; readonly teardown: Teardown }
  | { readonly _tag: "Lost"; readonly runtime: Runtime; readonly loss: Loss }
  | { readonly _tag: "Doubted"; readonly doubt: DoubtedSession; readonly pending: PendingCommand }
  | { readonly _tag: "Unused"; readonly runtime: Runtime }
  /** To be read, or polled from now on. */
  | { readonly _tag: "ListsChanged"; readonly runtime: Runtime }
  /** A probe decides. (H4, H9) */
  | { readonly _tag: "Suspected"; readonly runtime: Runtime }
  /** A caller wants to hear of its call. (G25) */
  | { readonly _tag: "ProgressWanted" }
  /** A call is in flight, and unwatched. (V3) */
  | { readonly _tag: "Used"; readonly runtime: Runtime }
  | { readonly _tag: "Measured"; readonly runtime: Runtime }
  /** What waits is late, and what is connected is in doubt. (R11) */
  | { readonly _tag: "ClockJumped" }
  | { readonly _tag: "Defect"; readonly source: string; readonly defect: unknown }
