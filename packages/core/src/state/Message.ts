/**
 * The messages of a supervisor: from users, from what it has under way, and from what works for its runtimes.
 */
import type { ConnectError } from "../Errors.js"
import type { Loss } from "../port/Connection.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { PendingCommand } from "./Command.js"
import type { Attempt, Teardown, Timer } from "./Work.js"

/** One message. What names a runtime, an attempt, a timer or a teardown counts only while that is the current one. */
export type Message =
  | { readonly _tag: "Command"; readonly pending: PendingCommand }
  /** A call waits for a connection. */
  | { readonly _tag: "Demand" }
  | { readonly _tag: "Due"; readonly timer: Timer }
  | { readonly _tag: "Established"; readonly attempt: Attempt; readonly installed: LiveConnection }
  | { readonly _tag: "Failed"; readonly attempt: Attempt; readonly error: ConnectError }
  | { readonly _tag: "TornDown"; readonly teardown: Teardown }
  | { readonly _tag: "Lost"; readonly runtime: Runtime; readonly loss: Loss }
  /** A session seems to be lost: a new one decides. (R12) */
  | { readonly _tag: "Doubted"; readonly runtime: Runtime; readonly loss: Loss; readonly pending: PendingCommand }
  /** No call has used it for `idleRelease`. */
  | { readonly _tag: "Unused"; readonly runtime: Runtime }
  /** Lists are to be read, or polled from now on. */
  | { readonly _tag: "ListsChanged"; readonly runtime: Runtime }
  /** The connection says that the server may be dead: a probe decides. */
  | { readonly _tag: "Suspected"; readonly runtime: Runtime }
  /** A caller has given up a call that had waited in silence: a probe decides. (H9) */
  | { readonly _tag: "GivenUp"; readonly runtime: Runtime }
  /** A caller wants to hear of its call, and nobody sees to that. (G25) */
  | { readonly _tag: "ProgressWanted" }
  /** A call is in flight, and its calls are not watched yet. (V3) */
  | { readonly _tag: "Used"; readonly runtime: Runtime }
  /** Its processes were measured. */
  | { readonly _tag: "Measured"; readonly runtime: Runtime }
  /** The machine was suspended: whatever waits is late, and whatever is connected is in doubt. (R11) */
  | { readonly _tag: "ClockJumped" }
  /** Something that others gave us has thrown. */
  | { readonly _tag: "Defect"; readonly source: string; readonly defect: unknown }
