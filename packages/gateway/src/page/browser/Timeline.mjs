/**
 * The history of a server over a window of time. Pure.
 */
import { conditionOf } from "./words.mjs"

/** @typedef {import("./types.d.ts").Server["history"][number]} StateChange */
/** @typedef {import("./words.mjs").Condition} Condition */

const minute = 60_000
const hour = 60 * minute

/** @typedef {{ readonly length: number, readonly name: string }} Window */

/** The windows that are shown, by how long the gateway has been running. */
const windows = [
  ...[5, 10, 20, 40].map((count) => ({ length: count * minute, name: `Last ${count} min` })),
  { length: hour, name: "Last hour" },
  ...[2, 4, 8, 16, 24].map((count) => ({ length: count * hour, name: `Last ${count} h` }))
]

/** The smallest window that holds the time since then; all servers share it. @param {number} since @param {number} now */
export const windowFor = (since, now) => {
  const found = windows.find(({ length }) => now - since <= length) ?? windows.at(-1)
  if (found === undefined) throw new Error("There is no window")
  return found
}

/** From what may be overlooked to what may not. @type {ReadonlyArray<Condition>} */
const severity = ["off", "up", "busy", "waiting", "down"]

/** @param {Condition | undefined} one @param {Condition} other */
const worse = (one, other) => one === undefined || severity.indexOf(other) > severity.indexOf(one) ? other : one

/** How many bars a window has. */
export const bars = 40

/**
 * The worst condition during each part of the window; undefined where nothing is known. Parts begin at multiples of their length,
 * so that they do not change while time goes on.
 *
 * @param {ReadonlyArray<StateChange>} history
 * @param {number} length
 * @param {number} now
 * @returns {ReadonlyArray<Condition | undefined>}
 */
export const conditions = (history, length, now) => {
  const width = length / bars
  const start = (Math.floor(now / width) - bars + 1) * width
  /** @type {Array<Condition | undefined>} */
  const found = Array.from({ length: bars })
  history.forEach(({ at, state }, index) => {
    const until = Math.min(now, history[index + 1]?.at ?? now)
    const last = Math.min(bars - 1, Math.floor((until - start) / width))
    for (let bar = Math.max(0, Math.floor((at - start) / width)); bar <= last; bar++) {
      found[bar] = worse(found[bar], conditionOf(state))
    }
  })
  return found
}

/**
 * Whether a connection was lost: somebody who reconnects a server, switches it off, or lets it rest has not lost it.
 *
 * @param {StateChange | undefined} before
 * @param {StateChange} change
 */
const isLoss = (before, { lost, state }) =>
  before?.state === "Connected" && conditionOf(state) !== "off" && (lost === true || state !== "Connecting")

/**
 * How much of the window a server was connected, of the time that is known, and how often it was lost.
 *
 * @param {ReadonlyArray<StateChange>} history
 * @param {number} length
 * @param {number} now
 */
export const summary = (history, length, now) => {
  let [connected, known, losses] = [0, 0, 0]
  history.forEach((change, index) => {
    const { at, state } = change
    const from = Math.max(at, now - length)
    const until = Math.min(now, history[index + 1]?.at ?? now)
    if (until < from) return
    known += until - from
    if (state === "Connected") connected += until - from
    else if (at >= now - length && isLoss(history[index - 1], change)) losses++
  })
  return { share: known === 0 ? undefined : connected / known, losses }
}
