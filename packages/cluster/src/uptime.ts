/**
 * The clock of leases: never jumps, counts while the machine sleeps, and is the same in all processes of a machine.
 *
 * On Linux it is `/proc/uptime` (CLOCK_BOOTTIME), in steps of 10 ms. `os.uptime()` of Node 20 opens that file anew each time (12 µs instead
 * of 2 µs), and without a free file descriptor it returns whole seconds of a clock that a container may not share. On macOS it jumps with
 * the time of day; there `process.hrtime` counts while the machine sleeps, which on Linux it does not.
 *
 * `watchdog.mjs` has the same lines, since it imports no file; `Watchdog.make` compares both.
 */
import { openSync, readSync } from "node:fs"

const text = Buffer.alloc(64)
let file: number | undefined

/** In milliseconds. Throws on Linux if `/proc/uptime` cannot be read. */
export const now = (): number => {
  if (process.platform !== "linux") return Number(process.hrtime.bigint()) / 1e6
  file ??= openSync("/proc/uptime", "r")
  const length = readSync(file, text, 0, text.length, 0)
  return Math.round(Number.parseFloat(text.toString("latin1", 0, length)) * 1000)
}
