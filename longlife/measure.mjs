/** What this process holds: heap, descriptors, sockets, timers, listeners. */
import { readdirSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
/** @type {() => void} */
const gc = runInNewContext("gc")

/** What has to be equal before and after. @typedef {Record<string, number>} Held */

/** @returns {Held} */
const held = () => {
  /** @type {Record<string, number>} */
  const counts = {}
  for (const kind of process.getActiveResourcesInfo()) {
    // Work that is under way for an instant.
    if (kind !== "Immediate" && kind !== "TickObject") counts[kind] = (counts[kind] ?? 0) + 1
  }
  counts["listeners"] = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  try {
    counts["descriptors"] = readdirSync("/proc/self/fd").length
  } catch {
    // Only Linux tells.
  }
  return Object.fromEntries(Object.entries(counts).toSorted())
}

/** How often it is looked at, and for how long at most, in milliseconds. */
const [tick, longest] = [100, 30_000]

/**
 * What is held once it has not changed for so many milliseconds, in which this process has run: the looks are counted, and not the time
 * in which a busy machine let it stand still.
 *
 * @param {number} calm
 */
export const resources = async (calm) => {
  let last = held()
  for (let looks = 0, alike = 0; alike < calm / tick && looks < longest / tick; looks++) {
    await sleep(tick)
    const now = held()
    alike = JSON.stringify(now) === JSON.stringify(last) ? alike + 1 : 0
    last = now
  }
  return last
}

/**
 * The least that is held of each kind within so many milliseconds: of a process that is never quite still, because heartbeats go out.
 *
 * @param {number} millis
 */
export const least = async (millis) => {
  const found = held()
  for (let looks = 0; looks < millis / tick; looks++) {
    await sleep(tick)
    const now = held()
    for (const kind of Object.keys(found)) found[kind] = Math.min(found[kind] ?? 0, now[kind] ?? 0)
  }
  return found
}

/** Bytes of the heap that are in use after collections. */
export const heap = async () => {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 6; round++) {
    await sleep(20)
    gc()
    least = Math.min(least, process.memoryUsage().heapUsed)
  }
  return least
}
