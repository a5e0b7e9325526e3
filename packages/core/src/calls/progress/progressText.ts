/** What a caller hears of a call that takes long, in a few words. Pure. */
import type { Slot } from "../../state/BackendState.js"

export interface About {
  readonly id: string
  /** A process of ours, which starts with the connection. */
  readonly isProcess: boolean
  /** Under way, or the one that follows, since there was a stable connection. */
  readonly attempt: number
  readonly isSigningIn: boolean
}

export const withoutConnection = (
  { generation, state }: Pick<Slot, "generation" | "state">,
  { attempt, id, isProcess, isSigningIn }: About
): string => {
  if (isSigningIn) return `${id} waits for its sign-in`
  if (state._tag === "Reconnecting" || state._tag === "Dormant") return `${id} is down; attempt ${attempt} follows`
  const [first, later] = isProcess ? ["starting", "restarting"] : ["connecting", "reconnecting"]
  return `${id} is ${generation === 0 ? first : later}${attempt > 1 ? ` (attempt ${attempt})` : ""}`
}

/** `45 s`, `2 min 15 s`, `1 h 5 min`. */
export const spoken = (millis: number): string => {
  const seconds = Math.floor(millis / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
