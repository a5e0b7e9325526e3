/**
 * How often the stream of changes is opened, and how long one is waited for: pure. All times are in milliseconds.
 */

/** A stream that lived this long was a good one: what follows is not its fault. */
export const stableAfter = 10_000
const minDelay = 1000
const maxDelay = 30_000
/** However long a server asks us to wait. */
export const maxAsked = 600_000
/** So many streams in a row that did not live long: nobody counts on them, and one is tried now and then. */
export const maxShort = 5
export const rest = 300_000
/** A stream has to be acknowledged in this time. */
export const acknowledgeTimeout = 30_000
/** Subscriptions that are wanted within this time of each other are asked for together. */
export const gather = 20
/** A stream is not opened again more often for new subscriptions. */
export const growthPace = 1000
/** A server that shows by comments that it lives, and then is silent for three times as long as between any two of them, may be dead. */
export const missedBeats = 3
export const minSilence = 30_000

/** The wait before a stream is opened after a failure: doubles with each that did not live long. `draw` in [0, 1). */
export const delay = (short: number, draw: number): number =>
  Math.min(minDelay * 2 ** Math.min(short, 20), maxDelay) * (0.5 + draw / 2)

/** The least time from one opening to the next where the server has ended the first one properly. */
export const floor = (short: number): number => Math.min(minDelay * 2 ** Math.max(0, short - 1), maxDelay)
