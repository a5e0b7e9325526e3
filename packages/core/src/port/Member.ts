/** One of several connections of one server, with a supervisor of its own (`Supervision.supervise`). The connector sends the requests. */
import type { Effect } from "effect"
import type { ConnectError, RequestError } from "../Errors.js"
import type { Connection } from "./Connection.js"
import type { Loss } from "./Loss.js"
import type { Method, Params } from "./Method.js"
import type { ProcessStatus } from "./Peer.js"

/** A connection of a member: the same object for as long as it is the same connection. */
export interface LiveMember {
  readonly connection: Connection
  /** As the connection's own, and counted for the member. */
  readonly send: Connection["send"]
  /** Asks now whether it lives, which counts as a probe; returns why it failed. */
  readonly probe: Effect.Effect<RequestError | undefined>
  readonly fail: (loss: Loss) => void
}

export interface Member {
  /** `undefined` if requests cannot be sent there. */
  readonly live: LiveMember | undefined
  /** Its connection has ended, and its supervisor does not know yet. */
  readonly isEnding: boolean
  /** Why it is not connected, if it is not. */
  readonly loss: Loss
  readonly inFlight: number
  /** It has left a request without an answer, and has answered nothing since. */
  readonly isSilent: boolean
  /** Ends when it is not silent any more, or not connected. */
  readonly heard: Effect.Effect<void>
  /** Asks for the same again on each later connection: `logging/setLevel`. */
  readonly remember: <M extends Method>(method: M, params: Params<M>) => void
  readonly status: ProcessStatus
}

/** What happens to a member, beside that its status changes. */
export type MemberEvent =
  | { readonly _tag: "AttemptFailed"; readonly error: ConnectError }
  | { readonly _tag: "Installed"; readonly generation: number }
  | { readonly _tag: "RuntimeLost"; readonly loss: Loss }
  | { readonly _tag: "MemoryHigh"; readonly message: string }

export interface MemberOptions {
  /** From 1. */
  readonly number: number
  /** Must not throw. */
  readonly onEvent: (event: MemberEvent, member: Member) => void
  /** Called when its status has changed. Must not throw. */
  readonly onChanged: (member: Member) => void
}
