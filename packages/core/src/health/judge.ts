/**
 * Whether a server that leaves something without an answer lives: from evidence to a verdict. Pure. (V1)
 */
import { formatMillis } from "../internal/formatMillis.js"
import type { Activity } from "../port/ProcessSight.js"

/** What is known of a server in doubt. Durations in milliseconds. */
export interface Evidence {
  /** What its processes do; `undefined` if that cannot be seen, as over HTTP. */
  readonly activity: Activity | undefined
  /** For how long they have done that. */
  readonly seenFor: number
  /** The server has answered a request while it worked on an older one. */
  readonly isConcurrent: boolean
  /** A caller waits for the call that the server may be working on. */
  readonly isAwaited: boolean
  /** For how long no caller has. */
  readonly unawaitedFor: number
  /** As many questions in a row are without an answer as `health.failureThreshold` says. (H1, H4) */
  readonly isPatienceOver: boolean
  /** The last of them was sent, and nothing came back; `false` if it could not be sent, or something came back. */
  readonly isSilent: boolean
  /** How long a server may work on what no caller waits for (`health.busyLimit`). */
  readonly busyLimit: number
}

/**
 * `alive`: it answers. `busy`: its processes work, or it waits for one of them. `unknown`: nothing proves anything yet. `wedged`: it will not answer any more; its
 * connection is replaced. `gone`: its connection has ended.
 */
export type VerdictKind = "alive" | "busy" | "unknown" | "wedged" | "gone"

/** What the evidence says, and why, in words. */
export interface Verdict {
  readonly kind: VerdictKind
  readonly reason: string
}

/** For how long processes have to show the same before that proves anything, in milliseconds. */
export const settled = 4000

const is = (kind: VerdictKind, reason: string): Verdict => ({ kind, reason })

const doings: { readonly [A in Activity]: string } = {
  stopped: "a process of it is stopped",
  still: "its processes read nothing and do nothing",
  waits: "it may wait for a process that it has started",
  reads: "it reads what it is sent, but does not answer",
  works: "its processes work",
  unclear: "its processes do little"
}

/** The verdict on a server that has answered nothing since it was put in doubt. */
export const judge = (evidence: Evidence): Verdict => {
  const { activity, isAwaited, isConcurrent, seenFor } = evidence
  const seen = activity === undefined ? "it does not answer" : `${doings[activity]} (${formatMillis(seenFor)})`
  const isProven = seenFor >= settled
  if (activity === "stopped") return is(isProven ? "wedged" : "unknown", seen)
  if (activity === "works" || activity === "waits") return busy(evidence, seen)
  if (activity === "still" && isConcurrent && isProven) {
    return is("wedged", `${seen}, though it has answered during a call before`)
  }
  if (!evidence.isPatienceOver) return is("unknown", seen)
  if (isAwaited && !isConcurrent && evidence.isSilent) {
    return is("unknown", `${seen}; a caller waits for its call, and it has never answered anything during one`)
  }
  return is("wedged", seen)
}

const busy = ({ busyLimit, isAwaited, unawaitedFor }: Evidence, seen: string): Verdict => {
  if (isAwaited) return is("busy", `${seen} on a call that its caller waits for`)
  return unawaitedFor < busyLimit
    ? is("busy", `${seen} on something that no caller waits for`)
    : is("wedged", `${seen}, and no caller has waited for ${formatMillis(unawaitedFor)} (health.busyLimit)`)
}
