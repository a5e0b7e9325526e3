/**
 * The status of a gateway for a terminal. Pure.
 */
import type { GatewayStatus, Server } from "../api/GatewayStatus.js"
import * as Grid from "../Grid.js"
import { paintState, span, until } from "../serve/Table.js"
import { clean } from "../Text.js"

/** How it is drawn. */
export interface Options {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly width: number
  readonly colour: boolean
}

const head = ["server", "state", "for", "gen", "tools", "calls", "failed", "p50", "target"] as const
const [stateColumn, targetColumn] = [1, 8]

const cells = (server: Server, now: number): ReadonlyArray<string> => {
  const { calls, counts, generation, nextAttemptAt, since, stale, state } = server
  return [
    server.name,
    state,
    nextAttemptAt === undefined ? span(now - since) : `next in ${until(nextAttemptAt - now)}`,
    generation === 0 ? "" : String(generation),
    `${counts.tools}${stale ? " (stale)" : ""}`,
    calls.inFlight === 0 ? String(calls.total) : `${calls.total} (${calls.inFlight} in flight)`,
    String(calls.failed),
    calls.p50Millis === null ? "" : `${calls.p50Millis} ms`,
    server.pid === undefined ? server.target : `pid ${server.pid}`
  ].map(clean)
}

/** What a person has to know of a server beside the table. */
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

const gatewayLine = ({ clients, config, pid, startedAt, url, version }: GatewayStatus["gateway"], now: number) =>
  [
    `mcp-lifeline ${version} at ${url}`,
    `pid ${pid}`,
    `up ${span(now - startedAt)}`,
    `${clients} ${clients === 1 ? "client" : "clients"}`,
    config === undefined ? "the demo" : clean(config)
  ].join(", ")

/** The gateway, its servers, and what is wrong with them. */
export const render = ({ gateway, servers }: GatewayStatus, { colour, now, width }: Options): string =>
  [
    gatewayLine(gateway, now),
    Grid.render({
      head,
      rows: servers.map((server) => cells(server, now)),
      shrinking: [[targetColumn, 16], [0, 8]],
      paint: (text, row, column) => {
        const state = servers[row]?.state
        return colour && state !== undefined && column === stateColumn ? paintState(text, state) : text
      }
    }, width),
    ...servers.flatMap(notes)
  ].join("\n")
