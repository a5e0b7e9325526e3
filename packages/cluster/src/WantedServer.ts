/**
 * A server that a replica wants. It runs once in the cluster: on this replica, or on another one.
 */
import type { Effect } from "effect"

export interface WantedServer {
  readonly name: string
  /** Whether this replica has it. */
  readonly isHere: () => boolean
  /** How many calls are in flight, or wait for a connection, on this replica. */
  readonly calls: Effect.Effect<number>
  /** Gives it to another replica once the calls in flight are answered, if this one has it and another one takes it. */
  readonly handOver: Effect.Effect<void>
  /**
   * To be done before the backend closes, so that no call fails: lets calls end, for 5 seconds at most, and gives the server to another
   * replica if this one has it. This one never takes it again. Calls that come later wait for the other replica, until the backend closes.
   */
  readonly stop: Effect.Effect<void>
}
