/**
 * Renders the backends of a fleet as a table for a terminal. Pure.
 */
import type { Status } from "@mcp-lifeline/core"
import * as Grid from "../Grid.js"
import { clean, span, until } from "../Text.js"

/** How to draw the table. */
export interface Options {
  /** The current time, in milliseconds since the epoch. */
  readonly now: number
  /** The width of the terminal, in columns. */
  readonly width: number
  readonly colour: boolean
}

const colours: Readonly<Record<Status["state"], number>> = {
  Connected: 32,
  Idle: 36,
  Connecting: 33,
  Reconnecting: 33,
  Dormant: 35,
  PermanentlyFailed: 31,
  Disconnected: 31,
  Disabling: 90,
  Disabled: 90,
  Closed: 90
}

const head = ["backend", "state", "gen", "pid or URL", "tools", "up / next", "last error"] as const
const stateColumn = 1
const peerColumn = 3
const errorColumn = 6

/** The process id or the URL of a backend now. */
export const peer = ({ peer, target, transport }: Pick<Status, "peer" | "target" | "transport">): string =>
  peer?.pid !== undefined ? `pid ${peer.pid}` : peer?.url ?? (transport === "stdio" ? "" : target)

/** The last error; with its age if the backend is connected, because the error is from before that, or from a call. */
const lastError = ({ lastError, lastErrorAt, state }: Status, now: number): string =>
  lastError === undefined || lastErrorAt === undefined || state !== "Connected"
    ? lastError ?? ""
    : `${span(now - lastErrorAt)} ago: ${lastError}`

const cells = (status: Status, now: number): ReadonlyArray<string> =>
  [
    status.backend,
    status.state,
    status.generation === 0 ? "" : String(status.generation),
    peer(status),
    status.catalog ? `${status.catalog.tools}${status.catalog.stale ? " (stale)" : ""}` : "",
    status.state === "Connected" && status.connectedAt !== undefined
      ? `up ${span(now - status.connectedAt)}`
      : status.nextAttemptAt === undefined
      ? ""
      : `in ${until(status.nextAttemptAt - now)}`,
    lastError(status, now)
  ].map(clean)

/** The columns that may shrink, in this order, with their minimum width. */
const shrinking = [[errorColumn, 24], [peerColumn, 12], [0, 8]] as const

/** Colours a text by state. */
export const paintState = (text: string, state: Status["state"]): string => `\u001B[${colours[state]}m${text}\u001B[39m`

/** A table that fits into the width. If the column of errors does not fit, the errors follow below the table. */
export const render = (statuses: ReadonlyArray<Status>, { colour, now, width }: Options): string =>
  Grid.render({
    head,
    rows: statuses.map((status) => cells(status, now)),
    shrinking,
    paint: (text, row, column) => {
      const state = statuses[row]?.state
      return colour && state && column === stateColumn ? paintState(text, state) : text
    }
  }, width)
