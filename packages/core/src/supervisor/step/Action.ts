/** What the supervisor does after a step, in order. */
import { Data, type Exit } from "effect"
import type { CommandError } from "../../Errors.js"
import type * as Lifecycle from "../../lifecycle/Lifecycle.js"
import type { Policy } from "../../options/Policy.js"
import type { Loss } from "../../port/Loss.js"
import type { Runtime } from "../../runtime/Runtime.js"
import type { DoubtedSession, Move, PendingCommand, Work } from "../../state/Message.js"
import type { EventBody, Slot } from "../../state/Slot.js"

export type Action = Data.TaggedEnum<{
  Tell: { readonly event: EventBody }
  Warn: { readonly text: string }
  Refused: { readonly event: Lifecycle.Event }
  Answer: { readonly pending: PendingCommand; readonly exit: Exit.Exit<void, CommandError> }
  /** A command that does not apply now. */
  Refuse: { readonly pending: PendingCommand }
  Begin: { readonly work: Work }
  /** The work that was under way; a request. */
  Interrupt: {}
  Attach: { readonly runtime: Runtime }
  /** It goes on with the suspended session. */
  Resume: { readonly runtime: Runtime }
  Suspend: { readonly runtime: Runtime; readonly loss: Loss }
  EndSuspended: {}
  Retire: { readonly runtime: Runtime; readonly loss: Loss | undefined }
  FailDraining: { readonly loss: Loss }
  EndStart: { readonly loss: Loss }
  Probe: { readonly runtime: Runtime }
  DoubtLater: { readonly doubt: DoubtedSession; readonly pending: PendingCommand; readonly wait: number }
  FirstOutcome: {}
  /** What only the state after this step decides. */
  Decide: { readonly move: Move }
}>

export const Action = Data.taggedEnum<Action>()

export type Step = readonly [Slot, ReadonlyArray<Action>]

/** What a step knows besides. */
export interface At {
  readonly id: string
  readonly now: number
  readonly draw: number
  readonly policy: Policy
  /** A new connection may be made beside the old one. */
  readonly overlap: boolean
  /** Milliseconds that calls wait for a connection, the shortest. */
  readonly wait: number
  readonly isAwaited: boolean
}
