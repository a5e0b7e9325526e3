import type { Effect } from "effect"

export interface WantedServer {
  readonly name: string
  readonly isHere: () => boolean
  /** In flight, or waiting for a connection, on this replica. */
  readonly calls: Effect.Effect<number>
  /** Once the calls in flight are answered, if it is here and another replica takes it. */
  readonly handOver: Effect.Effect<void>
  /**
   * Before the backend closes, so that no call fails: lets calls end, for 5 seconds at most, and hands the server over for good. Later
   * calls wait for the other replica, until the backend closes.
   */
  readonly stop: Effect.Effect<void>
}
