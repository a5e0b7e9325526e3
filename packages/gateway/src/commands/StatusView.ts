/**
 * Renders the status of a gateway for a terminal. Pure.
 */
import type { Runtime, ServerDetails, StatusUpdate } from "../api/GatewayStatus.js"
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

const head = ["server", "state", "for", "gen", "tools", "calls", "failed", "p50", "target"] as const
const [stateColumn, targetColumn] = [1, 8]

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

const cells = (server: Server, now: number): ReadonlyArray<string> => {
  const { calls, counts, generation = 0, nextAttemptAt, sessions, since, stale, state } = server
  return [
    server.name,
    state,
    nextAttemptAt === undefined ? span(now - since) : `next in ${until(nextAttemptAt - now)}`,
    generation === 0 ? "" : String(generation),
    sessions === "shared" ? `${counts.tools}${stale ? " (stale)" : ""}` : "",
    callsOf(calls),
    String(calls.failed),
    calls.p50Millis === null ? "" : `${calls.p50Millis} ms`,
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

const serverTable = (servers: ReadonlyArray<Server>, options: Options): ReadonlyArray<string> => [
  table(servers, {
    head,
    // Never cuts the counts of runtimes: if they do not fit, they follow below the table.
    shrinking: [[targetColumn, Math.max(16, ...servers.map(countsLength))], [0, 8]],
    cells: (server) => cells(server, options.now)
  }, options),
  ...servers.flatMap(notes)
]

const runtimeTable = (runtimes: ReadonlyArray<Runtime>, options: Options): string =>
  table(runtimes, {
    head: ["runtime", "state", "for", "gen"],
    shrinking: [],
    cells: ({ generation, number, since, state }) => [
      String(number),
      state,
      span(options.now - since),
      String(generation)
    ]
  }, options)

/** The gateway, its servers, and their problems. */
export const render = ({ gateway, servers }: StatusUpdate, options: Options): string =>
  [
    gatewayLine(gateway, options.now),
    ...(gateway.configProblem === undefined ? [] : [`The last save is not in force: ${clean(gateway.configProblem)}`]),
    ...serverTable(servers, options)
  ].join("\n")

/** One server, and its runtimes if each client has its own. */
export const renderServer = (server: ServerDetails, options: Options): string => {
  const { runtimes = [] } = server
  return [...serverTable([server], options), ...(runtimes.length === 0 ? [] : [runtimeTable(runtimes, options)])].join(
    "\n"
  )
}
