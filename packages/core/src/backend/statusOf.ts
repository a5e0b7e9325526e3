/** What `Status` shows, from the slot and what others know. */
import { Struct } from "effect"
import { unmatchedPatterns } from "../discovery/Refresh.js"
import type { Policy } from "../options/Policy.js"
import * as Tools from "../options/Tools.js"
import type { Connector } from "../port/Connector.js"
import type { ConnectorStatus } from "../port/ConnectorStatus.js"
import type { BackendState } from "../state/BackendState.js"
import * as Health from "../state/Health.js"
import { statusOf as keepaliveStatus } from "../state/Keepalive.js"
import * as LostSessions from "../state/LostSessions.js"
import { isStable, type Slot } from "../state/Slot.js"
import type { Status } from "../state/Status.js"
import type { Supervisor } from "../supervisor/Supervisor.js"

const sessionIdLength = 8

type Beside =
  & ConnectorStatus
  & Pick<Status, "backend" | "transport" | "target" | "memoryLimit" | "learned" | "toolOptions">
  & Pick<Status, "failures" | "inFlight" | "waiting" | "queued" | "calls">

export const statusOf = (slot: Slot, policy: Policy, beside: Beside, now: number): Status => {
  const { counts, current, extensions, generation, history, pace, snapshot, starting, state } = slot
  const connection = current?.connection
  const uptime = current === undefined ? 0 : now - slot.installedAt
  const stable = isStable(slot, now, policy)
  const lastError = stable ? undefined : slot.lastError
  return {
    ...extensions,
    ...beside,
    state: state._tag,
    generation,
    health: Health.view(state, history, counts.connections > 0),
    healthScore: Health.score(history),
    peer: connection?.peer,
    usage: slot.usage,
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
    verdict: current === undefined ? starting?.verdict : slot.verdict,
    wouldHaveEnded: policy.health.enforce ? undefined : counts.wouldHaveEnded,
    keepalive: keepaliveStatus(policy, slot.keepalive, connection),
    catalog: snapshot && {
      ...Struct.pick(snapshot, "generation", "revision", "stale", "truncated"),
      tools: snapshot.tools.length
    }
  }
}

export const statusNow = (
  state: BackendState,
  { calls, tasks }: Pick<Supervisor, "calls" | "tasks">,
  connector: Connector
): Status => {
  const { id, policy, published: { value: slot }, temperament } = state
  const unmatched = unmatchedPatterns(state, slot.snapshot)
  const beside: Beside = {
    ...connector.status?.(),
    backend: id,
    transport: connector.transport,
    target: connector.target,
    memoryLimit: tasks.limit?.status,
    learned: temperament.known,
    toolOptions: { unmatched, warning: unmatched.length === 0 ? undefined : Tools.describeAll(unmatched) },
    failures: slot.current?.traffic.failures.count ?? 0,
    inFlight: slot.current?.traffic.inFlight ?? 0,
    waiting: calls.wait.unsent,
    queued: calls.wait.forTurns,
    calls: { givenUp: calls.state.givenUp }
  }
  return statusOf(slot, policy, beside, state.now())
}
