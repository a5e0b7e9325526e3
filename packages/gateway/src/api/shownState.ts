/**
 * The state of a server as people see it: that of its backend, or that it waits for a person. Pure.
 */
import type { Status } from "@mcp-lifeline/core"

/** The states of a backend, and one of a server that a person has to sign in to. */
export type ShownState = Status["state"] | "SignInNeeded"

/** The states in which a server is not connected, although it may be, so that a login is what it waits for. */
const waiting: ReadonlySet<Status["state"]> = new Set([
  "Idle",
  "Connecting",
  "Reconnecting",
  "Dormant",
  "PermanentlyFailed"
])

/** The state to show. `isSignInNeeded`: whether there is an address at which a person has to sign in. */
export const shownState = (state: Status["state"], isSignInNeeded: boolean): ShownState =>
  isSignInNeeded && waiting.has(state) ? "SignInNeeded" : state

/** From when on a server waits, whatever its attempts do meanwhile. `changes`: the last changes of its state, oldest first. */
export const waitingSince = (
  changes: ReadonlyArray<{ readonly at: number; readonly state: Status["state"] }>,
  since: number
): number => {
  const before = changes.findLastIndex(({ state }) => !waiting.has(state))
  return changes[before + 1]?.at ?? since
}
