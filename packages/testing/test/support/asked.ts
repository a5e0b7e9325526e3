import { type Connection, type Connector, Sending } from "@mcp-lifeline/core"
import { Effect } from "effect"

export const sending = (
  connector: Connector,
  send: (connection: Connection) => Connection["send"]
): Connector => ({
  ...connector,
  connect: (options) =>
    Effect.map(connector.connect(options), (connection) => ({ ...connection, send: send(connection) }))
})

export const asked = <C extends Connection, E, R>(
  connect: Effect.Effect<C, E, R>,
  request: (connection: C) => Sending.Request
): Effect.Effect<C, E, R> =>
  Effect.zipWith(connect, Effect.runtime<never>(), (connection, runtime) => ({
    ...connection,
    send: Sending.by(runtime, request(connection))
  }))
