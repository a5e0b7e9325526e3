/**
 * Which machine this is, and which processes it runs: process ids mean something on their own machine only, and containers may
 * share a state folder.
 */
import { createHash } from "node:crypto"
import { hostname } from "node:os"

/** Tells machines apart. */
export const machine = createHash("sha256").update(hostname()).digest("hex").slice(0, 8)

/** Whether this machine runs a process of that id. */
export const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== "ESRCH"
  }
}
