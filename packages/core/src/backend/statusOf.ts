/** What `Status` shows, from the slot and what others know. */
import { unmatchedPatterns } from "../discovery/Refresh.js"
import type { Policy } from "../options/Policy.js"
import * as Tools from "../options/Tools.js"
import type { Connector } from "../port/Connector.js"
import type { ConnectorStatus } from "../port/ConnectorStatus.js"
import type { LimitStatus } from "../port/ResourceUsage.js"
import type { BackendState } from "../state/BackendState.js"
import * as Health from "../state/Health.js"
import { statusOf as keepaliveStatus } from "../state/Keepalive.js"
import * as LostSessions from "../state/LostSessions.js"
import { isStable, type Slot } from "../state/Slot.js"
import type { Status } from "../state/Status.js"
import type { Supervisor } from "../supervisor/Supervisor.js"

const sessionIdLength = 8

/** The same for all connections, or known by others. */
export interface About {
  readonly id: string
  readonly policy: Policy
  readonly transport: string
  readonly target: string
  readonly connector: ConnectorStatus | undefined
  readonly memoryLimit: LimitStatus | undefined
  readonly learned: Status["learned"]
  readonly unmatched: ReadonlyArray<Tools.Unmatched>
}

export interface Traffic extends Pick<Status, "failures" | "inFlight" | "waiting" | "queued"> {
  readonly givenUp: number
}

export const statusOf = (slot: Slot, about: About, traffic: Traffic, now: number): Status => {
  const { counts, current, extensions, generation, history, pace, snapshot, starting, state } = slot
  const { failures, inFlight, queued, waiting } = traffic
  const { policy, unmatched } = about
  const connection = current?.connection
  const uptime = current === undefined ? 0 : now - slot.installedAt
  const stable = isStable(slot, now, policy)
  const lastError = stable ? undefined : slot.lastError
  return {
    ...extensions,
    ...about.connector,
    backend: about.id,
    state: state._tag,
    generation,
    health: Health.view(state, history, counts.connections > 0),
    healthScore: Health.score(history),
    transport: about.transport,
    target: about.target,
    peer: connection?.peer,
    usage: slot.usage,
    memoryLimit: about.memoryLimit,
    sessionId: connection?.sessionId?.slice(0, sessionIdLength),
    serverInfo: connection?.serverInfo ?? snapshot?.serverInfo,
    protocolVersion: connection?.protocolVersion ?? snapshot?.protocolVersion,
    resumed: connection?.resumed === true,
    connectedAt: current && slot.installedAt,
    uptime,
    totalUptime: counts.pastUptime + uptime,
    connectionCount: counts.connections,
    reconnectCount: Math.max(0, counts.connections - 1),
    errorCount: counts.errors,
    lastError: lastError?.message,
    lastErrorAt: lastError?.at,
    lastReason: lastError?.reason,
    lastCloseError: counts.lastCloseError,
    abandonedCloses: counts.abandonedCloses,
    lostSessions: { count: pace.sessions.count, warning: LostSessions.describe(pace.sessions, now) },
    lastAttemptAt: counts.lastAttemptAt,
    startingSince: starting?.outlives === true ? starting.since : undefined,
    lastSuccessAt: counts.lastSuccessAt,
    nextAttemptAt: slot.nextAttemptAt,
    failedAttempts: stable ? 0 : pace.failures,
    learned: about.learned,
    verdict: current === undefined ? starting?.verdict : slot.verdict,
    failures,
    inFlight,
    waiting,
    queued,
    calls: { givenUp: traffic.givenUp },
    toolOptions: { unmatched, warning: unmatched.length === 0 ? undefined : Tools.describeAll(unmatched) },
    keepalive: keepaliveStatus(policy, slot.keepalive, connection),
    catalog: snapshot && {
      generation: snapshot.generation,
      revision: snapshot.revision,
      stale: snapshot.stale,
      tools: snapshot.tools.length,
      truncated: snapshot.truncated
    }
  }
}

export const statusNow = (
  state: BackendState,
  { calls, tasks }: Pick<Supervisor, "calls" | "tasks">,
  connector: Connector
): Status => {
  const { id, policy, published: { value: slot }, temperament } = state
  const { target, transport } = connector
  const about = {
    id,
    policy,
    transport,
    target,
    connector: connector.status?.(),
    memoryLimit: tasks.limit?.status,
    learned: temperament.known,
    unmatched: unmatchedPatterns(state, slot.snapshot)
  }
  const traffic = {
    failures: slot.current?.failures ?? 0,
    inFlight: slot.current?.inFlight ?? 0,
    waiting: calls.wait.unsent,
    queued: calls.wait.forTurns,
    givenUp: calls.state.givenUp
  }
  return statusOf(slot, about, traffic, state.now())
}
