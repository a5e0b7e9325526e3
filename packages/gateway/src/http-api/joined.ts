import type { ReplicaName } from "../replica/Gateways.js"
import type { GatewayStatus, Replica, Server } from "./GatewayStatus.js"
import { urgency } from "./Runtime.js"

export interface Part {
  readonly replica: ReplicaName
  /** From when on it is reached, or not, in milliseconds since 1970. */
  readonly since: number
  /** Why it is not reached; `undefined` if it is. */
  readonly problem: string | undefined
  /** What it said last; `undefined` if it never did. */
  readonly status: GatewayStatus | undefined
}

interface Saying {
  readonly part: Part
  readonly server: Server
}

const sayings = (parts: ReadonlyArray<Part>, name: string): ReadonlyArray<Saying> =>
  parts.flatMap((part) => {
    const server = part.status?.servers.find((one) => one.name === name)
    return server === undefined ? [] : [{ part, server }]
  })

const isReached = ({ part }: Saying): boolean => part.problem === undefined

/**
 * If two replicas say that they have the server, one does not know yet that it has lost it. One that is reached knows best.
 */
export const ownerOf = (parts: ReadonlyArray<Part>, name: string): Part | undefined => {
  const all = sayings(parts, name).filter(({ server }) => server.owner !== undefined)
  const reached = all.filter(isReached)
  return (reached.length > 0 ? reached : all).reduce<Saying | undefined>(
    (last, one) => (last?.server.owner?.since ?? 0) > (one.server.owner?.since ?? 0) ? last : one,
    undefined
  )?.part
}

/** The first one, if all are the same. */
const mostUrgent = (all: ReadonlyArray<Saying>): Saying | undefined =>
  all.reduce<Saying | undefined>(
    (first, one) => first !== undefined && urgency(first.server.state) <= urgency(one.server.state) ? first : one,
    undefined
  )

/** Not connected, and should be. */
export const needsHelp: ReadonlySet<Server["state"]> = new Set([
  "PermanentlyFailed",
  "SignInNeeded",
  "Dormant",
  "Reconnecting"
])

const errorOf = ({ lastError }: Server): string => lastError === undefined ? "" : `: ${lastError.message}`

const besidesOwner = (all: ReadonlyArray<Saying>, owning: Saying): ReadonlyArray<string> =>
  all.filter((one) => one !== owning && isReached(one) && needsHelp.has(one.server.state)).map(({ part, server }) =>
    `the replica ${part.replica.id} cannot use it there: it is ${server.state}${errorOf(server)}`
  )

const differing = (reached: ReadonlyArray<Saying>): ReadonlyArray<string> => {
  const byState = new Map<string, Array<string>>()
  for (const { part, server: { state } } of reached) byState.set(state, [...byState.get(state) ?? [], part.replica.id])
  if (byState.size < 2) return []
  return [
    Array.from(
      byState,
      ([state, ids]) => `${state} on ${ids.length === 1 ? "the replica" : "the replicas"} ${ids.join(", ")}`
    )
      .join("; ")
  ]
}

const missing = (parts: ReadonlyArray<Part>, name: string): ReadonlyArray<string> =>
  parts.filter(({ problem, status }) =>
    problem === undefined && status !== undefined && !status.servers.some((server) => server.name === name)
  ).map(({ replica }) => `the replica ${replica.id} does not have it: its file is another one`)

const older = (reached: ReadonlyArray<Saying>): ReadonlyArray<string> =>
  reached.flatMap(({ part, server: { newerOn } }) =>
    newerOn === undefined
      ? []
      : [`the replica ${part.replica.id} has an older configuration of it; that of the replica at ${newerOn} counts`]
  )

const total = (all: ReadonlyArray<Saying>, of: (server: Server) => number): number =>
  all.reduce((sum, { server }) => sum + of(server), 0)

const runtimes = (all: ReadonlyArray<Saying>): NonNullable<Server["runtimesByState"]> => {
  const counts: Partial<Record<Server["state"], number>> = {}
  for (const { server } of all) {
    for (const [state, count] of Object.entries(server.runtimesByState ?? {})) {
      counts[state as Server["state"]] = (counts[state as Server["state"]] ?? 0) + count
    }
  }
  return counts
}

const usages = (all: ReadonlyArray<Saying>): Pick<Server, "usage"> => {
  const measured = all.flatMap(({ server: { usage } }) => usage ?? [])
  if (measured.length === 0) return {}
  const shares = measured.flatMap(({ cpuPercent }) => cpuPercent ?? [])
  return {
    usage: {
      memoryBytes: measured.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
      cpuPercent: shares.length === 0 ? null : shares.reduce((sum, one) => sum + one, 0)
    }
  }
}

const serverOf = (parts: ReadonlyArray<Part>, name: string): ReadonlyArray<Server> => {
  const all = sayings(parts, name)
  const owner = ownerOf(parts, name)
  const owning = all.find(({ part }) => part === owner)
  const reached = all.filter(isReached)
  const shown = owning !== undefined && isReached(owning) ? owning : mostUrgent(reached)
  if (shown === undefined) return []
  const { newerOn: _1, owner: _2, ...server } = shown.server
  return [{
    ...server,
    ...(owning?.server.owner === undefined ? {} : { owner: owning.server.owner }),
    ...(server.runtimesByState === undefined ? {} : { runtimesByState: runtimes(reached), ...usages(reached) }),
    calls: {
      total: total(all, ({ calls }) => calls.total),
      failed: total(all, ({ calls }) => calls.failed),
      givenUp: total(all, ({ calls }) => calls.givenUp),
      inFlight: total(reached, ({ calls }) => calls.inFlight),
      p50Millis: server.calls.p50Millis
    },
    warnings: [
      ...server.warnings,
      ...(shown === owning ? besidesOwner(all, owning) : differing(reached)),
      ...older(reached),
      ...missing(parts, name)
    ]
  }]
}

const replicaOf = (here: Part, part: Part): Replica => {
  const { problem, replica: { address, id }, since, status } = part
  return {
    id,
    address,
    isHere: part === here,
    state: problem === undefined ? "reached" : "not reached",
    since,
    ...(problem === undefined ? {} : { problem }),
    ...(status === undefined ? {} : {
      startedAt: status.gateway.startedAt,
      version: status.gateway.version,
      clients: status.gateway.clients,
      servers: status.servers.filter(({ owner }) => owner !== undefined).map(({ name }) => name)
    })
  }
}

/** Servers that only others have come last. */
export const joined = (
  here: Part & { readonly status: GatewayStatus },
  others: ReadonlyArray<Part>
): GatewayStatus => {
  const parts = [here, ...others]
  const names = new Set(parts.flatMap(({ status }) => status?.servers.map(({ name }) => name) ?? []))
  return {
    gateway: here.status.gateway,
    replicas: parts.map((part) => replicaOf(here, part)),
    servers: [...names].flatMap((name) => serverOf(parts, name))
  }
}
