import { kibibytes } from "../internal/Bytes.js"

/** What the processes of a server show at one moment. The counters are sums over its process group, and only grow. */
export interface ProcessSight {
  /** A signal has stopped one of them (SIGSTOP); a debugger has not. */
  readonly isStopped: boolean
  /** One of them runs, or waits for a processor or a disk. */
  readonly isRunning: boolean
  /** Processor time, in seconds. */
  readonly cpuTime: number
  /** Bytes that they have read and written; `undefined` if the system does not say. */
  readonly transferred: number | undefined
  readonly pids: ReadonlyArray<number>
  /** The age of the youngest but the first, in milliseconds; `undefined` if there is none, or the system does not say. */
  readonly youngest: number | undefined
  /** Of a start: it has a socket, a process of its own, or has said something; `undefined`: nobody knows. */
  readonly mayWait?: boolean | undefined
}

/**
 * `stopped`: by a signal. `still`: idle, with what was written to them unread. `waits`: the same, but the server has started one of them
 * since its last answer, or `mayWait`. `reads`: little more than reading. `works`: they used the processor, or read and wrote. `unclear`: none
 * of these.
 */
export type Activity = "stopped" | "still" | "waits" | "reads" | "works" | "unclear"

/** The share of a core from which on a process works: a runtime with nothing to do wakes now and then. */
const workingShare = 0.03
/** The processor time that counts as none: one tick of the clock of the kernel, in seconds. */
const idleTime = 0.011
/** How much a system rounds the time of a start, in milliseconds. */
const startSlack = 50
/** Bytes from which on reading and writing is work, and not only reading what was asked. */
const workingBytes = kibibytes(64)

export interface Taken {
  /** How far they are apart, in milliseconds. */
  readonly apart: number
  /** How long before the second one the server has answered last, in milliseconds. */
  readonly silentFor: number
  /** A request was written to the server before the first one, or between them, and it may be waiting to be read. */
  readonly isAsked: boolean
}

export const activity = (before: ProcessSight, after: ProcessSight, { apart, isAsked, silentFor }: Taken): Activity => {
  const cpuTime = after.cpuTime - before.cpuTime
  const transferred = before.transferred === undefined || after.transferred === undefined
    ? undefined
    : after.transferred - before.transferred
  const isIdle = cpuTime <= idleTime && !transferred
  if (after.isStopped && before.isStopped && isIdle) return "stopped"
  if (after.isRunning && before.isRunning) return "works"
  if (cpuTime * 1000 >= apart * workingShare || (transferred ?? 0) >= workingBytes) return "works"
  if (transferred !== undefined && transferred > 0) return isAsked ? "reads" : "unclear"
  const known = new Set(before.pids)
  const isSame = known.size === after.pids.length && after.pids.every((pid) => known.has(pid))
  if (!isIdle || !isSame || after.isRunning) return "unclear"
  if (after.mayWait ?? (after.youngest !== undefined && after.youngest < silentFor + startSlack)) return "waits"
  return isAsked && transferred !== undefined ? "still" : "unclear"
}
