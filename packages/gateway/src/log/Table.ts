import type { Status } from "@mcp-lifeline/core"
import * as Grid from "../text/Grid.js"
import { bytes, clean, percent, span, until } from "../text/Text.js"
import { type ShownState, shownState } from "./shownState.js"

export interface Options {
  /** In milliseconds since the epoch. */
  readonly now: number
  /** In columns. */
  readonly width: number
  readonly colour: boolean
}

const colours: Readonly<Record<ShownState, number>> = {
  Connected: 32,
  Idle: 36,
  Connecting: 33,
  Reconnecting: 33,
  Dormant: 35,
  PermanentlyFailed: 31,
  SignInNeeded: 31,
  Disconnected: 31,
  Disabling: 90,
  Disabled: 90,
  Closed: 90
}

const stateColumn = 1
const peerColumn = 3

const headOf = (hasUsage: boolean): ReadonlyArray<string> => [
  ...["server", "state", "gen", "pid or URL", "tools"],
  ...(hasUsage ? ["memory", "cpu"] : []),
  ...["up / next", "last error"]
]

export const peer = ({ peer, target, transport }: Pick<Status, "peer" | "target" | "transport">): string =>
  peer?.pid === undefined ? peer?.url ?? (transport === "stdio" ? "" : target) : `pid ${peer.pid}`

/** With its age if the backend is connected: the error is from before that, or from a call. */
const lastError = ({ lastError, lastErrorAt, signIn, state }: Status, now: number): string =>
  signIn !== undefined
    ? signIn.message
    : state === "Disabled" || state === "Disabling"
    ? ""
    : lastError === undefined || lastErrorAt === undefined || state !== "Connected"
    ? lastError ?? ""
    : `${span(now - lastErrorAt)} ago: ${lastError}`

const stateOf = ({ signIn, state }: Status): ShownState => shownState(state, signIn !== undefined)

/** Empty where it is not measured. */
const usageOf = ({ usage }: Status): ReadonlyArray<string> =>
  usage === undefined ? ["", ""] : [bytes(usage.memory), usage.cpu === undefined ? "" : percent(usage.cpu)]

const cells = (status: Status, now: number, hasUsage: boolean): ReadonlyArray<string> =>
  [
    status.backend,
    stateOf(status),
    status.generation === 0 ? "" : String(status.generation),
    peer(status),
    status.catalog ? `${status.catalog.tools}${status.catalog.stale ? " (stale)" : ""}` : "",
    ...(hasUsage ? usageOf(status) : []),
    status.state === "Connected" && status.connectedAt !== undefined
      ? `up ${span(now - status.connectedAt)}`
      : status.nextAttemptAt === undefined
      ? ""
      : `in ${until(status.nextAttemptAt - now)}`,
    lastError(status, now)
  ].map(clean)

export const paintState = (text: string, state: ShownState): string => `\u001B[${colours[state]}m${text}\u001B[39m`

/** If the column of errors does not fit, the errors follow below the table. */
export const render = (statuses: ReadonlyArray<Status>, { colour, now, width }: Options): string => {
  const hasUsage = statuses.some(({ usage }) => usage !== undefined)
  const head = headOf(hasUsage)
  return Grid.render({
    head,
    rows: statuses.map((status) => cells(status, now, hasUsage)),
    // In this order, with their minimum width.
    shrinking: [[head.length - 1, 24], [peerColumn, 12], [0, 8]],
    paint: (text, row, column) => {
      const status = statuses[row]
      return colour && status && column === stateColumn ? paintState(text, stateOf(status)) : text
    }
  }, width)
}
