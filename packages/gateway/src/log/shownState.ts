import type { Status } from "@mcp-lifeline/core"

export type ShownState = Status["state"] | "SignInNeeded"

/** In which a login may be what the server waits for. */
const waiting: ReadonlySet<Status["state"]> = new Set([
  "Idle",
  "Connecting",
  "Reconnecting",
  "Dormant",
  "PermanentlyFailed"
])

/** `isSignInNeeded`: there is an address at which a person has to sign in. */
export const shownState = (state: Status["state"], isSignInNeeded: boolean): ShownState =>
  isSignInNeeded && waiting.has(state) ? "SignInNeeded" : state

/** Since when a server waits, whatever its attempts do meanwhile. `changes`: oldest first. */
export const waitingSince = (
  changes: ReadonlyArray<{ readonly at: number; readonly state: Status["state"] }>,
  since: number
): number => {
  const before = changes.findLastIndex(({ state }) => !waiting.has(state))
  return changes[before + 1]?.at ?? since
}
