import { unmatchedPatterns } from "../discovery/unmatchedPatterns.js"
import * as Health from "../health/Health.js"
import { statusOf as keepaliveStatus } from "../health/KeepaliveState.js"
import * as Tools from "../options/Tools.js"
import type { Connector } from "../port/Connector.js"
import type { BackendState } from "../state/BackendState.js"
import type { Status } from "../state/Status.js"
import * as LostSessions from "../supervisor/LostSessions.js"
import type { Supervisor } from "../supervisor/Supervisor.js"
import type { Extensions } from "./Extensions.js"

const sessionIdLength = 8

export const statusOf = (
  backend: BackendState,
  supervisor: Supervisor,
  connector: Connector,
  extensions: Extensions
): Status => {
  const { counters, id, policy } = backend
  const { keepalive, probe: { history } } = supervisor.tasks
  const { failures, sessions } = supervisor.connections.pace
  const slot = backend.published.value
  const { current, generation, nextAttemptAt, snapshot, state } = slot
  const now = backend.now()
  const connection = current?.connection
  const uptime = current === undefined ? 0 : now - current.installedAt
  const stable = current !== undefined && backend.isStable(current)
  const unmatched = unmatchedPatterns(backend, snapshot)
  const lastError = stable ? undefined : slot.lastError
  return {
    ...extensions.status(snapshot),
    ...connector.status?.(),
    backend: id,
    state: state._tag,
    generation,
    health: Health.view(state, history, counters.connections > 0),
    healthScore: Health.score(history),
    transport: connector.transport,
    target: connector.target,
    peer: connection?.peer,
    usage: current?.usage,
    memoryLimit: supervisor.tasks.limit?.status,
    sessionId: connection?.sessionId?.slice(0, sessionIdLength),
    serverInfo: connection?.serverInfo ?? snapshot?.serverInfo,
    protocolVersion: connection?.protocolVersion ?? snapshot?.protocolVersion,
    resumed: connection?.resumed === true,
    connectedAt: current?.installedAt,
    uptime,
    totalUptime: counters.pastUptime + uptime,
    connectionCount: counters.connections,
    reconnectCount: counters.reconnects,
    errorCount: counters.errors,
    lastError: lastError?.message,
    lastErrorAt: lastError?.at,
    lastReason: lastError?.reason,
    lastCloseError: counters.lastCloseError,
    abandonedCloses: counters.abandonedCloses,
    lostSessions: {
      count: sessions.count,
      warning: LostSessions.describe(sessions, now)
    },
    lastAttemptAt: counters.lastAttemptAt,
    startingSince: backend.startingSince,
    lastSuccessAt: counters.lastSuccessAt,
    nextAttemptAt,
    failedAttempts: stable ? 0 : failures,
    learned: backend.temperament.known,
    verdict: current === undefined ? backend.starting?.verdict : supervisor.tasks.probe.verdict,
    failures: current?.failures ?? 0,
    inFlight: current?.inFlight ?? 0,
    waiting: supervisor.calls.wait.unsent,
    queued: supervisor.calls.wait.forTurns,
    calls: { givenUp: counters.callsGivenUp },
    toolOptions: {
      unmatched,
      warning: unmatched.length === 0 ? undefined : Tools.describeAll(unmatched)
    },
    keepalive: keepaliveStatus(policy, keepalive.state, connection),
    catalog: snapshot && {
      generation: snapshot.generation,
      revision: snapshot.revision,
      stale: snapshot.stale,
      tools: snapshot.tools.length,
      truncated: snapshot.truncated
    }
  }
}
