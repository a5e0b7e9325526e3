import type { Replica, Runtime, ServerDetails, StatusUpdate } from "../http-api/GatewayStatus.js"
import { paintState } from "../log/Table.js"
import * as Grid from "../text/Grid.js"
import { bytes, clean, harmless, percent, span, until } from "../text/Text.js"

type Server = StatusUpdate["servers"][number]

export interface Options {
  /** In milliseconds since 1970. */
  readonly now: number
  readonly width: number
  readonly colour: boolean
}

const head = ["server", "state", "for", "health", "gen", "tools", "calls", "failed", "p50"]
const stateColumn = 1

/** `PermanentlyFailed` as `permanently failed`. */
const inWords = (state: string): string => state.replaceAll(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase()

/** `per client: 3 connected, 1 reconnecting`. */
export const perClient = (runtimesByState: NonNullable<Server["runtimesByState"]>): string => {
  const counts = Object.entries(runtimesByState).map(([state, count]) => `${count} ${inWords(state)}`)
  return `per client: ${counts.length === 0 ? "no client has one" : counts.join(", ")}`
}

const whereOf = ({ pid, runtimesByState, target = "" }: Server): string => {
  if (runtimesByState !== undefined) return perClient(runtimesByState)
  return pid === undefined ? target : `pid ${pid}`
}

/** `8 (1 in flight, 7 given up)`. */
const callsOf = ({ givenUp, inFlight, total }: Server["calls"]): string => {
  const parts = [
    ...(inFlight === 0 ? [] : [`${inFlight} in flight`]),
    ...(givenUp === 0 ? [] : [`${givenUp} given up`])
  ]
  return parts.length === 0 ? String(total) : `${total} (${parts.join(", ")})`
}

/** `152 MB` and `3%`, or nothing where that is not measured. */
const usageOf = ({ usage }: Pick<Server, "usage">): ReadonlyArray<string> =>
  usage === undefined
    ? ["", ""]
    : [bytes(usage.memoryBytes), usage.cpuPercent === null ? "" : percent(usage.cpuPercent)]

const usageHead = ["memory", "cpu"]

/** `3f9a01bc 2 min`: the replica that has it, and for how long. */
const ownerOf = (owner: Server["owner"], now: number): string =>
  owner === undefined ? "" : `${owner.replica} ${span(now - owner.since)}`

const healthOf = (score: number): string => score.toFixed(2)

/** `keepalive is off: the server keeps no session`. Of one that has switched itself off there is a warning. */
const keepaliveLines = ({ keepalive, name }: Server): ReadonlyArray<string> =>
  keepalive === undefined || keepalive.state === "disabled"
    ? []
    : [
      clean(`${name}: keepalive is ${keepalive.state}${keepalive.reason === undefined ? "" : `: ${keepalive.reason}`}`)
    ]

const learnedLines = ({ learned = [], name }: Server): ReadonlyArray<string> =>
  learned.length === 0 ? [] : [clean(`${name}: ${learned.join(", ")}`)]

const cells = (server: Server, now: number, hasUsage: boolean, hasOwner: boolean): ReadonlyArray<string> => {
  const { calls, counts, generation = 0, healthScore, nextAttemptAt, owner, sessions, since, stale, state } = server
  return [
    server.name,
    state,
    nextAttemptAt === undefined || state === "SignInNeeded"
      ? span(now - since)
      : `next in ${until(nextAttemptAt - now)}`,
    healthScore === undefined || state !== "Connected" ? "" : healthOf(healthScore),
    generation === 0 ? "" : String(generation),
    sessions === "shared" ? `${counts.tools}${stale ? " (stale)" : ""}` : "",
    callsOf(calls),
    String(calls.failed),
    calls.p50Millis === null ? "" : `${calls.p50Millis} ms`,
    ...(hasUsage ? usageOf(server) : []),
    ...(hasOwner ? [ownerOf(owner, now)] : []),
    whereOf(server)
  ].map(clean)
}

const notes = ({ lastError, login, name, state, warnings }: Server): ReadonlyArray<string> => {
  // A login that is needed says all of it. What failed before a server was disabled is over.
  const isOver = ["Connected", "Idle", "SignInNeeded", "Disabling", "Disabled"].includes(state)
  const hasError = lastError !== undefined && !isOver
  return [
    ...(hasError ? [`${name}: ${lastError.message}`, `  ${lastError.remedy}`] : []),
    ...(login === undefined || hasError ? [] : [`${name}: ${login.message}`]),
    ...(login?.url === undefined ? [] : [`  ${login.url}`]),
    ...(warnings.length === 0 ? [] : [
      `${name}: ${warnings[0]}${warnings.length === 1 ? "" : ` (and ${warnings.length - 1} more; see status --json)`}`
    ])
  ].map((line) => line.startsWith("  ") ? `  ${clean(line)}` : clean(line))
}

const gatewayLine = ({ clients, config, pid, startedAt, url, version }: StatusUpdate["gateway"], now: number) => {
  // Callers that are no admins get neither the process nor the file, if there is one.
  const isWithoutFile = config === undefined && pid !== undefined
  return [
    `mcp-lifeline ${version} at ${url}`,
    ...(pid === undefined ? [] : [`pid ${pid}`]),
    `up ${span(now - startedAt)}`,
    `${clients} ${clients === 1 ? "client" : "clients"}`,
    ...(config !== undefined ? [clean(config)] : isWithoutFile ? ["without a file"] : [])
  ].join(", ")
}

const auditLines = ({ audit }: StatusUpdate["gateway"]): ReadonlyArray<string> => {
  if (audit === undefined) return []
  const { file, lost, problem } = audit
  return [
    ...(problem === undefined ? [] : [`Audit: ${clean(problem)}`]),
    ...(lost === 0 ? [] : [`Audit: ${lost} ${lost === 1 ? "call has" : "calls have"} no line in ${clean(file)}`])
  ]
}

/** With the state in the second column. */
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

const serverTable = (
  servers: ReadonlyArray<Server>,
  hasOwner: boolean,
  options: Options
): ReadonlyArray<string> => {
  const hasUsage = servers.some(({ usage }) => usage !== undefined)
  const columns = [...head, ...(hasUsage ? usageHead : []), ...(hasOwner ? ["owner"] : []), "target"]
  return [
    table(servers, {
      head: columns,
      // Never cuts the counts of runtimes: if they do not fit, they follow below the table.
      shrinking: [[columns.length - 1, Math.max(16, ...servers.map(countsLength))], [0, 8]],
      cells: (server) => cells(server, options.now, hasUsage, hasOwner)
    }, options),
    ...servers.flatMap(notes)
  ]
}

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

const unreached = (replicas: ReadonlyArray<Replica>): ReadonlyArray<string> =>
  replicas.flatMap(({ address, id, problem }) =>
    problem === undefined ? [] : [clean(`The replica ${id} at ${address} is not reached: ${problem}`)]
  )

const runtimeTable = (runtimes: ReadonlyArray<Runtime>, options: Options): string => {
  const hasUsage = runtimes.some(({ usage }) => usage !== undefined)
  return table(runtimes, {
    head: [
      "runtime",
      "state",
      "for",
      "health",
      "gen",
      "keepalive",
      ...(hasUsage ? usageHead : [])
    ],
    shrinking: [],
    cells: ({ generation, healthScore, keepalive, number, since, state, usage }) => [
      String(number),
      state,
      span(options.now - since),
      healthScore === undefined ? "" : healthOf(healthScore),
      String(generation),
      keepalive?.state ?? "",
      ...(hasUsage ? usageOf({ usage }) : [])
    ]
  }, options)
}

const pinWords = {
  changed: "has changed",
  added: "is new",
  removed: "is gone",
  unknown: "may have changed"
} as const

const pinLines = ({ pins }: ServerDetails): ReadonlyArray<string> =>
  (pins?.changes ?? []).flatMap(({ difference, kind, tool, withheld }) => [
    `the tool ${clean(tool)} ${pinWords[kind]}${withheld ? ", and is withheld" : ""}`,
    ...difference.map((line) => `  ${harmless(line)}`)
  ])

export const render = ({ gateway, replicas, servers }: StatusUpdate, options: Options): string =>
  [
    gatewayLine(gateway, options.now),
    ...(gateway.authProblem === undefined ? [] : [`Access tokens: ${clean(gateway.authProblem)}`]),
    ...(gateway.tokenProblem === undefined ? [] : [`Tokens of clients: ${clean(gateway.tokenProblem)}`]),
    ...auditLines(gateway),
    ...(gateway.configProblem === undefined
      ? []
      : [`The last save, or a part of it, is not in force: ${clean(gateway.configProblem)}`]),
    ...(replicas === undefined ? [] : [replicaTable(replicas, options), ...unreached(replicas)]),
    ...serverTable(servers, replicas !== undefined, options)
  ].join("\n")

export const renderServer = (server: ServerDetails, options: Options): string => {
  const { runtimes = [] } = server
  return [
    ...serverTable([server], server.owner !== undefined, options),
    ...keepaliveLines(server),
    ...learnedLines(server),
    ...pinLines(server),
    ...(runtimes.length === 0 ? [] : [runtimeTable(runtimes, options)])
  ].join("\n")
}
