/** What processes do, from look to look. Pure. */
import { type Activity, activity, type ProcessSight, type Taken } from "../port/ProcessSight.js"

/** Milliseconds between sights: the kernel's clock has ticks of 10 ms. */
const shortest = 200
/** Milliseconds between sights: the machine may have been suspended. */
const longest = 15_000

export interface Sights {
  readonly last: ProcessSight | undefined
  readonly at: number
  readonly activity: Activity | undefined
  readonly since: number
  readonly workedAt: number
}

const nothing = { last: undefined, activity: undefined, workedAt: Number.NEGATIVE_INFINITY }

export const begin = (now: number): Sights => ({ ...nothing, at: now, since: now })

type Known = Omit<Taken, "apart">

export const add = (sights: Sights, sight: ProcessSight | undefined, now: number, taken: Known): Sights => {
  const { at, last } = sights
  const apart = now - at
  if (sight !== undefined && last !== undefined && apart < shortest) return sights
  const isComparable = sight !== undefined && last !== undefined && apart <= longest
  const found = isComparable ? activity(last, sight, { ...taken, apart }) : undefined
  return {
    last: sight,
    at: now,
    activity: found,
    since: found === sights.activity ? sights.since : isComparable ? at : now,
    workedAt: found === "works" || found === "waits" ? now : sights.workedAt
  }
}
