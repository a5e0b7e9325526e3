import { type Connection, type Loss, RequestError, Sending } from "@mcp-lifeline/core"
import { delegated, Ending } from "@mcp-lifeline/core/internal"
import { Effect } from "effect"

export interface Endable {
  readonly connection: Connection
  readonly end: (loss: Loss) => void
}

/** Refuses requests while `mayUse` is false. `suspended`: called when the connection's session is kept. */
export const endable = (inner: Connection, mayUse: () => boolean, suspended: () => void): Endable => {
  const ending = new Ending()
  const end = (loss: Loss): void => {
    if (!ending.claim(loss)) return
    inner.fail(loss)
    ending.tell()
  }
  inner.onLost((loss) => ending.lose(loss))
  const refused = () => new RequestError({ fate: "notSent", reason: "lost", message: "this replica's lease has ended" })
  const plain = delegated(inner)
  const { heartbeat, suspend } = plain
  return {
    end,
    connection: {
      ...plain,
      suspend: suspend === undefined ? undefined : (loss) => {
        suspended()
        return suspend(loss)
      },
      notify: (method, params) =>
        Effect.suspend(() => mayUse() ? plain.notify(method, params) : Effect.fail(refused())),
      send: (method, params, options, settle) => {
        if (!mayUse()) return Sending.refuse(settle, refused())
        return plain.send(method, params, options, settle)
      },
      heartbeat: heartbeat === undefined
        ? undefined
        : (options) => Effect.suspend(() => mayUse() ? heartbeat(options) : Effect.fail(refused())),
      onLost: ending.onLost
    }
  }
}
