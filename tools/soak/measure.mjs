/** What this process holds: heap, descriptors, sockets, timers, listeners. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
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

/** How /proc/net/tcp names the states that sockets stay in. @type {Readonly<Record<string, string>>} */
const socketStates = {
  "01": "",
  "02": " connecting",
  "04": " closing",
  "05": " closing",
  "08": " that the other end has closed"
}

const listening = "0A"

/**
 * Who is at the other end of the TCP sockets of this process: `from` a port on which it listens itself, `to` another one. Empty where there is no
 * /proc.
 *
 * @returns {Held}
 */
export const sockets = () => {
  try {
    const own = new Set(
      readdirSync("/proc/self/fd").flatMap((descriptor) => {
        try {
          return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1] ?? []
        } catch {
          // It was closed meanwhile.
          return []
        }
      })
    )
    const rows = ["tcp", "tcp6"].flatMap((name) => readFileSync(`/proc/self/net/${name}`, "utf8").split("\n").slice(1))
      .flatMap((line) => {
        const [, local = "", remote = "", state = "", , , , , , inode = ""] = line.trim().split(/\s+/)
        const port = (/** @type {string} */ address) => Number.parseInt(address.slice(address.indexOf(":") + 1), 16)
        return own.has(inode) ? [{ local: port(local), remote: port(remote), state }] : []
      })
    const ports = new Set(rows.filter(({ state }) => state === listening).map(({ local }) => local))
    /** @type {Held} */
    const counts = {}
    for (const { local, remote, state } of rows) {
      if (state === listening) continue
      const end = `${ports.has(local) ? `from ${local}` : `to ${remote}`}${socketStates[state] ?? ` in state ${state}`}`
      counts[end] = (counts[end] ?? 0) + 1
    }
    return counts
  } catch {
    return {}
  }
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
