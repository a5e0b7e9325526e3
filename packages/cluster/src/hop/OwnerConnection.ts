/** Lost once the owner says that it gives the server up; what it has accepted before is still answered. */
import type { ConnectError, Connection, ConnectOptions, Connector, Loss, RequestError } from "@mcp-lifeline/core"
import { delegated, Ending } from "@mcp-lifeline/core/internal"
import { Effect, Exit, type Scope } from "effect"
import * as HopError from "./HopError.js"

export const going = "notifications/mcp-lifeline/going"

/** So calls in flight are not cut off. */
const gone: Loss = {
  kind: "session",
  isMove: true,
  message: "the replica that runs the server gives it to others"
}

export const connect = (
  connector: Connector,
  options: ConnectOptions
): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
  Effect.suspend(() => {
    const ending = new Ending()
    const understood = (method: string) => (error: RequestError): RequestError => {
      const meant = HopError.unescaped(method, error)
      if (meant.isGoing) ending.lose(gone)
      return meant.error
    }
    const connected = connector.connect({
      ...options,
      report: (report) => {
        if (report._tag === "Notification" && report.notification.method === going) ending.lose(gone)
        else options.report(report)
      }
    })
    return Effect.map(connected, (inner): Connection => {
      const plain = delegated(inner)
      inner.onLost((loss) => ending.lose(loss))
      return {
        ...plain,
        // The owner has the same options.
        isFiltered: true,
        send: (method, params, options, settle) =>
          plain.send(method, params, options, (exit) => settle(Exit.mapError(exit, understood(method)))),
        onLost: ending.onLost
      }
    })
  })
