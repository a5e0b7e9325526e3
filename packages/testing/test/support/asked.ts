/** Connections whose requests a test makes of effects. */
import { type Connection, Sending } from "@mcp-lifeline/core"
import { Effect } from "effect"

/** A connection, each of whose requests is what the test makes of it. */
export const asked = <C extends Connection, E, R>(
  connect: Effect.Effect<C, E, R>,
  request: (connection: C) => Sending.Request
): Effect.Effect<C, E, R> =>
  Effect.zipWith(connect, Effect.runtime<never>(), (connection, runtime) => ({
    ...connection,
    send: Sending.by(runtime, request(connection))
  }))
