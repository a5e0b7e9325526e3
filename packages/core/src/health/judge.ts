/** Whether a silent server is replaced: from evidence to a verdict. Pure. */
import { formatMillis } from "../internal/Time.js"
import type { Activity } from "../port/ProcessSight.js"
import type { OpenVerdict } from "../state/Status.js"

/** Durations in milliseconds. */
export interface Evidence {
  /** `undefined` if it cannot be seen. */
  readonly activity: Activity | undefined
  readonly seenFor: number
  readonly isConcurrent: boolean
  readonly isAwaited: boolean
  readonly unawaitedFor: number
  /** `keepalive.failureThreshold` questions in a row have no answer. (H1, H4) */
  readonly isPatienceOver: boolean
  readonly isSilent: boolean
  /** A new session was answered, made because of this silence. */
  readonly isAnsweredBeside: boolean
  /** It answers, and refuses its lists as often in a row. */
  readonly isRefusing: boolean
  readonly busyLimit: number
}

export interface Verdict extends Omit<OpenVerdict, "since"> {
  /** Nothing but silence speaks against it. */
  readonly onSilence?: boolean
}

/** Milliseconds of the same activity that prove something. */
export const settled = 4000
/** The same of a start. */
export const lifeless = 30_000

const is = (kind: Verdict["kind"], reason: string): Verdict => ({ kind, reason })

const doings: { readonly [A in Activity]: string } = {
  stopped: "a process of it is stopped",
  still: "its processes read nothing and do nothing",
  waits: "it may wait for a process that it has started, or for a person",
  reads: "it reads what it is sent, but does not answer",
  works: "its processes work",
  unclear: "its processes do little"
}

const inWords = ({ activity, seenFor }: Pick<Evidence, "activity" | "seenFor">): string =>
  activity === undefined ? "it does not answer" : `${doings[activity]} (${formatMillis(seenFor)})`

export const judge = (evidence: Evidence): Verdict => {
  const { activity, isAwaited, isConcurrent, seenFor } = evidence
  const seen = inWords(evidence)
  const isProven = seenFor >= settled
  if (evidence.isRefusing) return is("wedged", "it answers, but refuses its lists")
  if (activity === "stopped") return is(isProven ? "wedged" : "unknown", seen)
  if (activity === "works" || activity === "waits") return busy(evidence, seen)
  if (activity === "still" && isConcurrent && isProven) {
    return is("wedged", `${seen}, though it has answered during a call before`)
  }
  if (evidence.isAnsweredBeside && isConcurrent) {
    return is("wedged", "a new session is answered, and this one is not, though it has answered during a call before")
  }
  if (!evidence.isPatienceOver) return is("unknown", seen)
  if (isAwaited && !isConcurrent && evidence.isSilent) {
    return is("unknown", `${seen}; a caller waits for its call, and it has never answered anything during one`)
  }
  return { ...is("wedged", seen), onSilence: activity !== "still" }
}

const busy = ({ busyLimit, isAwaited, unawaitedFor }: Evidence, seen: string): Verdict => {
  if (isAwaited) return is("busy", `${seen} on a call that its caller waits for`)
  return unawaitedFor < busyLimit
    ? is("busy", `${seen} on something that no caller waits for`)
    : is("wedged", `${seen}, and no caller has waited for ${formatMillis(unawaitedFor)} (health.busyLimit)`)
}

/** On a start. `slowest`: of the server. (V5) */
export const judgeStart = (
  { activity, seenFor, slowest = 0 }: Pick<Evidence, "activity" | "seenFor"> & { readonly slowest?: number | undefined }
): Verdict => {
  const enough = activity === "stopped" ? settled : activity === "still" ? Math.max(lifeless, 3 * slowest) : Infinity
  const kind = seenFor >= enough ? "wedged" : activity === "works" ? "busy" : "unknown"
  return is(kind, inWords({ activity, seenFor }))
}
