/**
 * Loaded into the suite where it plays a scenario again whose windows were too short for a busy machine: what it waits for half a
 * second to ten is waited for ten times as long.
 */
const longer = (/** @type {number} */ millis) => millis >= 500 && millis <= 10_000 ? 10 * millis : millis

const { setTimeout } = globalThis

globalThis.setTimeout = /** @type {any} */ (
  (/** @type {() => void} */ act, millis = 0) => setTimeout(act, longer(millis))
)

const { timeout } = AbortSignal

AbortSignal.timeout = (millis) => timeout.call(AbortSignal, longer(millis))
