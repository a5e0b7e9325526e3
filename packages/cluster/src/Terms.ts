/**
 * The durations that all replicas of a cluster have in common.
 *
 * They are safe together only if they are the same everywhere: the store keeps those of the first replica, and refuses others.
 */
import { TimeSpan } from "@mcp-lifeline/core/internal"

/** All in milliseconds. `termsOf` makes them. */
export interface Terms {
  /** How long a replica must not have renewed its lease, as another one sees it, before that one may end it. Default 6,000. */
  readonly lease: number
  /**
   * How long before the end of its lease a replica has ended everything that it runs. It covers the time that killing takes, and clocks that
   * run at different speeds. Default 1,500.
   */
  readonly margin: number
  /** The time between two renewals. Default 1,000. */
  readonly renewal: number
  /**
   * How long a replica keeps its lease without the database at most, if all other replicas promise not to end it. Default 600,000. A
   * replica that starts meanwhile, and can ask none of the others, waits for that long, and for a lease, before it ends the lease of one that is
   * silent. A time shorter than a lease changes only how long that one waits.
   */
  readonly withoutStore: number
}

/** What is decided about the terms; the others follow. */
export interface TermsOptions {
  /** Default 6,000. */
  readonly lease?: number | undefined
  /** Default 600,000. */
  readonly withoutStore?: number | undefined
}

/**
 * From how many milliseconds to how many each of them may be.
 *
 * - **A shorter lease** would leave less than half a second for killing, and a third of a second for each answer of the database.
 * - **A longer one** would outlast the clients of a replica that has died: theirs wait for an answer for a minute, and so does the gateway.
 * - **Without the store**, replicas count for so long without hearing of each other: over a day, clocks would differ by more than the margin. It may be
 *   no time at all: a lease then ends as that of a replica that is alone.
 */
export const termsBounds = { lease: [2000, 60_000], withoutStore: [0, 3_600_000] } as const

/** However long the lease is, the replicas see once a second what has changed: who has joined or left, logins, disabled servers. */
const longestRenewal = 1000

const bounded = (name: keyof typeof termsBounds, millis: number): number => {
  const [least, most] = termsBounds[name]
  if (millis >= least && millis <= most) return Math.round(millis)
  throw new RangeError(`${name} of the terms of a cluster must be ${TimeSpan.range(least, most)}`)
}

/**
 * The terms with a lease of this length, and with this time without the store. The margin is a quarter of the lease. It is renewed every second; a
 * lease shorter than 6 seconds every sixth of it, so that a few renewals may fail before it ends. Throws a RangeError if one is out of `termsBounds`.
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

/** The terms that fit most clusters: servers of a replica that has died run elsewhere after about 8 seconds. */
export const defaults: Terms = termsOf()

/** How long a replica waits for an answer that its lease depends on, of the store or of another replica, before it tries something else. */
export const longestAnswer = ({ lease }: Terms): number => lease / 6

/** After how long without a sign of a replica its lease has surely ended, if it has gone and another one is there to end it. */
export const longestSilence = ({ lease }: Terms): number => lease + 4000
