/** The messages of a supervisor. */
import type { ConnectError } from "../Errors.js"
import type { Loss } from "../port/Connection.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { PendingCommand } from "./Command.js"
import type { Attempt, Teardown, Timer } from "./Work.js"

/** What names a runtime, an attempt, a timer or a teardown counts only while that is the current one. */
export type Message =
  | { readonly _tag: "Command"; readonly pending: PendingCommand }
  | { readonly _tag: "Demand" }
  | { readonly _tag: "Due"; readonly timer: Timer }
  | { readonly _tag: "Established"; readonly attempt: Attempt; readonly runtime: Runtime }
  | { readonly _tag: "Failed"; readonly attempt: Attempt; readonly error: ConnectError }
  | { readonly _tag: "TornDown"; readonly teardown: Teardown }
  | { readonly _tag: "Lost"; readonly runtime: Runtime; readonly loss: Loss }
  /** Its session seems lost: a new one decides. (R12) */
  | { readonly _tag: "Doubted"; readonly runtime: Runtime; readonly loss: Loss; readonly pending: PendingCommand }
  /** No call has used it for `idleRelease`. */
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
