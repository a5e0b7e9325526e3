/** How soon forgotten sessions are replaced. Pure. */
import { formatMillis } from "../internal/Time.js"

/** At once, after a quiet time. */
const burst = 10

/** One more after each of these, in milliseconds. */
const refill = 1000

/** So many within `memory` milliseconds are too many. */
const many = 5
const memory = 600_000

interface LostSession {
  readonly at: number
  readonly age: number
}

/** No failures, since the server lives: a bucket of `burst` places bounds their pace. (R7) */
export interface LostSessions {
  readonly count: number
  /** Without a pause of `memory` milliseconds. */
  readonly inARow: number
  readonly recent: ReadonlyArray<LostSession>
  readonly isWarned: boolean
  readonly isReplacing: boolean
  readonly fullAt: number
}

export const none: LostSessions = {
  count: 0,
  inARow: 0,
  recent: [],
  isWarned: false,
  isReplacing: false,
  fullAt: Number.NEGATIVE_INFINITY
}

/** A warning is due where `isWarned` was not set before. */
export const add = (known: LostSessions, now: number, age: number): LostSessions => {
  const quiet = now - (known.recent.at(-1)?.at ?? Number.NEGATIVE_INFINITY) > memory
  const recent = [...known.recent, { at: now, age }].slice(-many)
  return {
    ...known,
    count: known.count + 1,
    inARow: quiet ? 1 : known.inARow + 1,
    recent,
    isWarned: (known.isWarned && !quiet) || isForgetful(recent, now)
  }
}

/** Replacing a lost session takes a place in the bucket, which a command may empty and no more. */
export const attempted = (known: LostSessions, now: number): LostSessions =>
  known.isReplacing
    ? {
      ...known,
      isReplacing: false,
      fullAt: Math.min(Math.max(now, known.fullAt) + refill, now + burst * refill) // guard: session-pace
    }
    : known

export const next = ({ fullAt }: LostSessions, now: number): number => Math.max(now, fullAt - (burst - 1) * refill)

export const describe = ({ inARow, recent }: LostSessions, now: number): string | undefined => {
  if (!isForgetful(recent, now)) return undefined
  const ages = recent.map(({ age }) => age)
  const [youngest, oldest] = [formatMillis(Math.min(...ages)), formatMillis(Math.max(...ages))]
  const old = youngest === oldest ? youngest : `${youngest} to ${oldest}`
  return `the server keeps forgetting its sessions: ${inARow} were lost, the last ${many} of them ${old} old. ` +
    "Usual causes: several replicas without sticky sessions, sessions kept in the memory of a function or of a server that " +
    "restarts, an idle limit that is shorter than the keepalive interval"
}

const isForgetful = (recent: ReadonlyArray<LostSession>, now: number): boolean =>
  recent.length === many && now - recent[0]!.at <= memory
