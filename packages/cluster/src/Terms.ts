/** Safe only if the same everywhere: the store keeps those of the first replica, and refuses others. */
import { TimeSpan } from "@mcp-lifeline/core/options"

/** All in milliseconds. `termsOf` makes them. */
export interface Terms {
  /** After this silence, as another replica sees it, that one may end the lease. Default 6,000. */
  readonly lease: number
  /** How long before the end of its lease a replica has stopped everything: for killing, and for clocks of different speeds. Default 1,500. */
  readonly margin: number
  /** Between two renewals. Default 1,000. */
  readonly renewal: number
  /**
   * How long a replica keeps its lease without the database, if all others promise not to end it. Default 600,000. A replica that starts
   * meanwhile, and can ask none of them, waits for that long, and a lease, before it ends that of a silent one. Shorter than a lease, it
   * changes only this wait.
   */
  readonly withoutStore: number
}

/** In milliseconds. The other terms follow. */
export interface TermsOptions {
  /** Default 6,000. */
  readonly lease?: number | undefined
  /** Default 600,000. */
  readonly withoutStore?: number | undefined
}

/**
 * In milliseconds. A shorter lease would leave less than half a second for killing; a longer one would outlast clients of a dead replica,
 * which wait a minute. Without the store, clocks would differ by more than the margin over a day; 0 ends a lease as that of a lone replica.
 */
export const termsBounds = { lease: [2000, 60_000], withoutStore: [0, 3_600_000] } as const

/** Replicas see once a second what has changed: members, logins, disabled servers. */
const longestRenewal = 1000

const bounded = (name: keyof typeof termsBounds, millis: number): number => {
  const [least, most] = termsBounds[name]
  if (millis >= least && millis <= most) return Math.round(millis)
  throw new RangeError(`${name} of the terms of a cluster must be ${TimeSpan.range(least, most)}`)
}

/**
 * The margin is a quarter of the lease. It is renewed every second, or every sixth of a lease below 6 seconds, so that a few
 * renewals may fail. Throws a RangeError beyond `termsBounds`.
 */
export const termsOf = ({ lease = 6000, withoutStore = 600_000 }: TermsOptions = {}): Terms => {
  const length = bounded("lease", lease)
  return {
    lease: length,
    margin: Math.round(length / 4),
    renewal: Math.min(longestRenewal, Math.round(length / 6)),
    withoutStore: bounded("withoutStore", withoutStore)
  }
}

/** Servers of a dead replica run elsewhere after about 8 seconds. */
export const defaults: Terms = termsOf()

/** For answers that a lease depends on. */
export const longestAnswer = ({ lease }: Terms): number => lease / 6

/** After this silence a lease has surely ended, if another replica can end it. */
export const longestSilence = ({ lease }: Terms): number => lease + 4000
