import type { Connection } from "./Connection.js"

/** Its members can be replaced. The inner connection may be of a class, so it cannot be copied. */
export const delegated = (inner: Connection): Connection => {
  const { heartbeat, suspend } = inner
  return {
    serverInfo: inner.serverInfo,
    capabilities: inner.capabilities,
    instructions: inner.instructions,
    protocolVersion: inner.protocolVersion,
    sessionId: inner.sessionId,
    peer: inner.peer,
    stateful: inner.stateful,
    resumed: inner.resumed,
    isFiltered: inner.isFiltered,
    send: (...given) => inner.send(...given),
    notify: (method, params) => inner.notify(method, params),
    look: inner.look,
    onLost: (callback) => inner.onLost(callback),
    fail: (loss) => inner.fail(loss),
    suspend: suspend === undefined ? undefined : (loss) => suspend.call(inner, loss),
    heartbeat: heartbeat === undefined ? undefined : (options) => heartbeat.call(inner, options)
  }
}
