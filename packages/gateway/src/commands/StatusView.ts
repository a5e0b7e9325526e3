/**
 * Renders the status of a gateway for a terminal. Pure.
 */
import type { Replica, Runtime, ServerDetails, StatusUpdate } from "../api/GatewayStatus.js"
import * as Grid from "../Grid.js"
import { paintState } from "../serve/Table.js"
import { clean, span, until } from "../Text.js"

/** A server as the status or its updates have it. */
type Server = StatusUpdate["servers"][number]

/** How to draw it. */
export interface Options {
  /** The current time, in milliseconds since 1970. */
  readonly now: number
  readonly width: number
  readonly colour: boolean
}

const head = ["server", "state", "for", "gen", "tools", "calls", "failed", "p50"]
const stateColumn = 1

/** `PermanentlyFailed` as `permanently failed`. */
const inWords = (state: string): string => state.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase()

/** `per client: 3 connected, 1 reconnecting`. */
export const perClient = (runtimesByState: NonNullable<Server["runtimesByState"]>): string => {
  const counts = Object.entries(runtimesByState).map(([state, count]) => `${count} ${inWords(state)}`)
  return `per client: ${counts.length === 0 ? "no client has one" : counts.join(", ")}`
}

/** The process id or address of a server, or how many runtimes it has. */
const whereOf = ({ pid, runtimesByState, target }: Server): string =>
  runtimesByState === undefined ? pid === undefined ? target : `pid ${pid}` : perClient(runtimesByState)

/** `8 (1 in flight, 7 given up)`. */
const callsOf = ({ givenUp, inFlight, total }: Server["calls"]): string => {
  const parts = [
    ...(inFlight === 0 ? [] : [`${inFlight} in flight`]),
    ...(givenUp === 0 ? [] : [`${givenUp} given up`])
  ]
  return parts.length === 0 ? String(total) : `${total} (${parts.join(", ")})`
}

/** `3f9a01bc 2 min`: the replica that has it, and for how long. */
const ownerOf = (owner: Server["owner"], now: number): string =>
  owner === undefined ? "" : `${owner.replica} ${span(now - owner.since)}`

const cells = (server: Server, now: number, hasOwner: boolean): ReadonlyArray<string> => {
  const { calls, counts, generation = 0, nextAttemptAt, owner, sessions, since, stale, state } = server
  return [
    server.name,
    state,
    nextAttemptAt === undefined ? span(now - since) : `next in ${until(nextAttemptAt - now)}`,
    generation === 0 ? "" : String(generation),
    sessions === "shared" ? `${counts.tools}${stale ? " (stale)" : ""}` : "",
    callsOf(calls),
    String(calls.failed),
    calls.p50Millis === null ? "" : `${calls.p50Millis} ms`,
    ...(hasOwner ? [ownerOf(owner, now)] : []),
    whereOf(server)
  ].map(clean)
}

/** What the user needs to know about a server in addition to the table. */
const notes = ({ lastError, login, name, state, warnings }: Server): ReadonlyArray<string> => {
  const isUp = state === "Connected" || state === "Idle"
  return [
    ...(lastError === undefined || isUp ? [] : [`${name}: ${lastError.message}`, `  ${lastError.remedy}`]),
    ...(login?.url === undefined ? [] : [`  ${login.url}`]),
    ...(warnings.length === 0 ? [] : [
      `${name}: ${warnings[0]}${warnings.length === 1 ? "" : ` (and ${warnings.length - 1} more; see status --json)`}`
    ])
  ].map((line) => line.startsWith("  ") ? `  ${clean(line)}` : clean(line))
}

const gatewayLine = ({ clients, config, pid, startedAt, url, version }: StatusUpdate["gateway"], now: number) =>
  [
    `mcp-lifeline ${version} at ${url}`,
    `pid ${pid}`,
    `up ${span(now - startedAt)}`,
    `${clients} ${clients === 1 ? "client" : "clients"}`,
    config === undefined ? "the demo" : clean(config)
  ].join(", ")

/** A table of servers or runtimes, with the state in the second column. */
const table = <A extends { readonly state: Server["state"] }>(
  rows: ReadonlyArray<A>,
  { cells, head, shrinking }: Pick<Grid.Grid, "head" | "shrinking"> & {
    readonly cells: (row: A) => ReadonlyArray<string>
  },
  { colour, width }: Options
): string =>
  Grid.render({
    head,
    rows: rows.map(cells),
    shrinking,
    paint: (text, row, column) => {
      const state = rows[row]?.state
      return colour && state !== undefined && column === stateColumn ? paintState(text, state) : text
    }
  }, width)

const countsLength = ({ runtimesByState }: Server): number =>
  runtimesByState === undefined ? 0 : perClient(runtimesByState).length

/** `hasOwner`: whether there is a column for the replica that has a server. */
const serverTable = (
  servers: ReadonlyArray<Server>,
  hasOwner: boolean,
  options: Options
): ReadonlyArray<string> => {
  const columns = [...head, ...(hasOwner ? ["owner"] : []), "target"]
  return [
    table(servers, {
      head: columns,
      // Never cuts the counts of runtimes: if they do not fit, they follow below the table.
      shrinking: [[columns.length - 1, Math.max(16, ...servers.map(countsLength))], [0, 8]],
      cells: (server) => cells(server, options.now, hasOwner)
    }, options),
    ...servers.flatMap(notes)
  ]
}

/** The replicas of a cluster. */
const replicaTable = (replicas: ReadonlyArray<Replica>, { now, width }: Options): string =>
  Grid.render({
    head: ["replica", "state", "for", "up", "clients", "servers", "address"],
    rows: replicas.map(({ address, clients, id, isHere, servers, since, startedAt, state }) =>
      [
        isHere ? `${id} (asked)` : id,
        state,
        span(now - since),
        startedAt === undefined ? "" : span(now - startedAt),
        clients === undefined ? "" : String(clients),
        servers === undefined ? "" : String(servers.length),
        address
      ].map(clean)
    ),
    shrinking: []
  }, width)

/** Why replicas are not reached. */
const unreached = (replicas: ReadonlyArray<Replica>): ReadonlyArray<string> =>
  replicas.flatMap(({ address, id, problem }) =>
    problem === undefined ? [] : [clean(`The replica ${id} at ${address} is not reached: ${problem}`)]
  )

const runtimeTable = (runtimes: ReadonlyArray<Runtime>, options: Options): string => {
  const hasReplica = runtimes.some(({ replica }) => replica !== undefined)
  return table(runtimes, {
    head: ["runtime", "state", "for", "gen", ...(hasReplica ? ["replica"] : [])],
    shrinking: [],
    cells: ({ generation, number, replica = "", since, state }) => [
      String(number),
      state,
      span(options.now - since),
      String(generation),
      ...(hasReplica ? [clean(replica)] : [])
    ]
  }, options)
}

/** The gateway, the other replicas, its servers, and their problems. */
export const render = ({ gateway, replicas, servers }: StatusUpdate, options: Options): string =>
  [
    gatewayLine(gateway, options.now),
    ...(gateway.configProblem === undefined ? [] : [`The last save is not in force: ${clean(gateway.configProblem)}`]),
    ...(replicas === undefined ? [] : [replicaTable(replicas, options), ...unreached(replicas)]),
    ...serverTable(servers, replicas !== undefined, options)
  ].join("\n")

/** One server, and its runtimes if each client has its own. */
export const renderServer = (server: ServerDetails, options: Options): string => {
  const { runtimes = [] } = server
  return [
    ...serverTable([server], server.owner !== undefined, options),
    ...(runtimes.length === 0 ? [] : [runtimeTable(runtimes, options)])
  ].join(
    "\n"
  )
}
