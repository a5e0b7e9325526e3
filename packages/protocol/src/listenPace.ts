/** Times are in milliseconds. */

/** A stream that lived this long was a good one. */
export const stableAfter = 10_000
const minDelay = 1000
const maxDelay = 30_000
/** However long a server asks us to wait. */
export const maxAsked = 600_000
/** After so many short streams in a row, one is tried now and then. */
export const maxShort = 5
export const rest = 300_000
export const acknowledgeTimeout = 30_000
/** Subscriptions wanted within this time are asked for together. */
export const gather = 20
/** Between two openings for new subscriptions. */
export const growthPace = 1000
/** After three times the longest pause between two comments a server may be dead. */
export const missedBeats = 3
export const minSilence = 30_000

/** After a failure: doubles with each short stream. `draw` in [0, 1). */
export const delay = (short: number, draw: number): number =>
  Math.min(minDelay * 2 ** Math.min(short, 20), maxDelay) * (0.5 + draw / 2)

/** From one opening to the next, if the server has ended the first one properly. */
export const floor = (short: number): number => Math.min(minDelay * 2 ** Math.max(0, short - 1), maxDelay)
