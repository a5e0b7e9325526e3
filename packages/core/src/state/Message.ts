import { Data, Deferred, type Effect, FiberId } from "effect"
import type { CommandError, ConnectError } from "../Errors.js"
import type { Loss } from "../port/Connection.js"
import type { Runtime } from "../runtime/Runtime.js"

export type Command = "Reconnect" | "Enable" | "Disable" | "Disconnect"

export interface PendingCommand {
  readonly command: Command
  /** The first answer counts. */
  readonly answer: Deferred.Deferred<void, CommandError>
}

export const pendingCommand = (command: Command): PendingCommand => ({
  command,
  answer: Deferred.unsafeMake(FiberId.none)
})

/** Silent, or refusing what it gave before. A new session decides. (R12, V3) */
export interface DoubtedSession {
  readonly runtime: Runtime
  readonly askAgain: Effect.Effect<void>
  /** `undefined` where nothing proves a loss. */
  readonly loss: () => Loss | undefined
  /** Lost even where no other can be made beside it. */
  readonly isRefusing: boolean
}

interface Numbered {
  readonly id: number
}

/** In Connecting, and in Connected while a successor is made. */
export interface Attempt extends Numbered {
  readonly _tag: "Attempt"
  readonly generation: number
  /** A call waits for it. (R8) */
  readonly demanded: boolean
  readonly startedAt: number
  readonly joined: ReadonlyArray<PendingCommand>
  readonly doubt: DoubtedSession | undefined
}

/** Only the doubt asks for the new session. */
export const onlyLooks = ({ doubt, joined }: Attempt): boolean => doubt?.isRefusing === false && joined.length === 1

export interface Timer extends Numbered {
  readonly _tag: "Timer"
  readonly at: number
  readonly demanded: boolean
}

export interface Teardown extends Numbered {
  readonly _tag: "Teardown"
  readonly disables: ReadonlyArray<PendingCommand>
  /** The attempt that follows answers them. */
  readonly enables: ReadonlyArray<PendingCommand>
}

export type Work = Attempt | Timer | Teardown

export const answers = (work: Work | undefined, pending: PendingCommand): boolean =>
  work?._tag === "Attempt"
    ? work.joined.includes(pending)
    : work?._tag === "Teardown" && (work.disables.includes(pending) || work.enables.includes(pending))

/** May change the state. One that names a runtime or a work counts only while that is current. */
export type Move = Data.TaggedEnum<{
  Command: { readonly pending: PendingCommand }
  Demand: {}
  /** As soon as a call may have the next attempt, if one waits. */
  Hasten: {}
  /** A start that outlasts its attempt is over. (V5) */
  StartOver: {}
  Due: { readonly work: number }
  /** `doubted`: how the current session is lost, if this attempt was made to find out. */
  Established: { readonly work: number; readonly runtime: Runtime; readonly doubted: Loss | undefined }
  Failed: { readonly work: number; readonly error: ConnectError }
  TornDown: { readonly work: number }
  Lost: { readonly runtime: Runtime; readonly loss: Loss }
  Doubted: { readonly doubt: DoubtedSession; readonly pending: PendingCommand }
  Unused: { readonly runtime: Runtime }
  /** What waits is late, and what is connected is in doubt. (R11) */
  ClockJumped: {}
  Close: {}
}>

export const Move = Data.taggedEnum<Move>()

export type MoveOf<Tag extends Move["_tag"]> = Extract<Move, { readonly _tag: Tag }>

export type Message =
  | Exclude<Move, { readonly _tag: "StartOver" | "Established" | "Hasten" | "Close" }>
  | Data.TaggedEnum<{
    StartOver: { readonly runtime: Runtime }
    Established: { readonly work: number; readonly runtime: Runtime }
    ListsChanged: { readonly runtime: Runtime }
    /** A probe decides. (H4, H9) */
    Suspected: { readonly runtime: Runtime }
    /** A caller wants to hear of its call. (G25) */
    ProgressWanted: {}
    /** A call is in flight, and unwatched. (V3) */
    Used: { readonly runtime: Runtime }
    Measured: { readonly runtime: Runtime }
    Defect: { readonly source: string; readonly defect: unknown }
  }>
