/**
 * The durations that all replicas of a cluster have in common.
 *
 * They are safe together only if they are the same everywhere: the store keeps those of the first replica, and refuses others.
 */

/** All in milliseconds. */
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
   * replica that starts meanwhile, and can ask none of the others, waits for that long before it ends the lease of one that is silent.
   */
  readonly withoutStore: number
}

/** The terms that fit most clusters: servers of a replica that has died run elsewhere after about 8 seconds. */
export const defaults: Terms = { lease: 6000, margin: 1500, renewal: 1000, withoutStore: 600_000 }
