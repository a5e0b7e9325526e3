import { kibibytes } from "../internal/ByteSize.js"

/** At one moment. The counters are sums over the server's process group, and only grow. */
export interface ProcessSight {
  /** A signal has stopped one (SIGSTOP); a debugger has not. */
  readonly isStopped: boolean
  /** One runs, or waits for a processor or a disk. */
  readonly isRunning: boolean
  /** In seconds. */
  readonly cpuTime: number
  /** Bytes read and written; `undefined` if the system does not say. */
  readonly transferred: number | undefined
  readonly pids: ReadonlyArray<number>
  /** Age of the youngest but the first, in milliseconds; `undefined` if there is none, or the system does not say. */
  readonly youngest: number | undefined
  /** Of a start: it has a socket, a process of its own, or has said something; `undefined`: nobody knows. */
  readonly mayWait?: boolean | undefined
}

/**
 * `still`: idle, with input unread. `waits`: the same, but one was started since the last answer, or `mayWait`. `reads`: little more than
 * reading. `works`: they used the processor, or read and wrote. `unclear`: none of these.
 */
export type Activity = "stopped" | "still" | "waits" | "reads" | "works" | "unclear"

/** The share of a core that is work: idle runtimes wake now and then. */
const workingShare = 0.03
/** Seconds of processor time that count as none: one tick of the kernel's clock. */
const idleTime = 0.011
/** Milliseconds by which a system rounds the time of a start. */
const startSlack = 50
/** Bytes that are work, and not only reading what was asked. */
const workingBytes = kibibytes(64)

export interface Taken {
  /** In milliseconds. */
  readonly apart: number
  /** From the last answer to the second one, in milliseconds. */
  readonly silentFor: number
  /** A request was written before the second one, and may be waiting to be read. */
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
