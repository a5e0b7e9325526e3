/**
 * What process groups use: their memory and processor time, for any number of groups in one pass over the processes of the machine.
 */
import { mebibytes } from "@mcp-lifeline/core/internal"
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import * as ProcStat from "./ProcStat.js"

export interface GroupUsage {
  /** In bytes. */
  memory: number
  /** Of these processes and of their children that have ended, in seconds. */
  cpuTime: number
}

/** Measures groups, by the ids of their leaders. A group without processes, or that cannot be measured, is missing in the result. */
export interface Meter {
  readonly measure: (groups: ReadonlySet<number>) => Promise<ReadonlyMap<number, GroupUsage>>
}

const add = (found: Map<number, GroupUsage>, group: number, memory: number, cpuTime: number): void => {
  const usage = found.get(group)
  if (usage === undefined) found.set(group, { memory, cpuTime })
  else {
    usage.memory += memory
    usage.cpuTime += cpuTime
  }
}

// --- Linux

const kilobytes = (text: string, name: string): number | undefined => {
  const [, amount] = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text) ?? []
  return amount === undefined ? undefined : Number(amount) * 1024
}

/**
 * The part of a process: pages that it shares with others count in equal parts for each (PSS), so that the sum over a group counts every
 * page once. What is swapped out counts too. The kernel refuses this for processes that have gained rights: all their pages count (RSS).
 */
export const memoryIn = (text: string): number | undefined => {
  const resident = kilobytes(text, "Pss") ?? kilobytes(text, "VmRSS")
  const swapped = kilobytes(text, "SwapPss") ?? kilobytes(text, "VmSwap") ?? 0
  return resident === undefined ? undefined : resident + swapped
}

const memoryOf = async (pid: string): Promise<number> => {
  for (const file of ["smaps_rollup", "status"]) {
    // In another thread: a gigabyte takes 20 ms.
    const memory = memoryIn(await readFile(`/proc/${pid}/${file}`, "latin1").catch(() => ""))
    if (memory !== undefined) return memory
  }
  return 0
}

export const procMeter: Meter = {
  measure: async (groups) => {
    const found = new Map<number, GroupUsage>()
    // One after the other: they share what Node has for reading files with the rest of the program.
    for await (const { cpuTime, group, pid } of ProcStat.members(groups)) {
      add(found, group, await memoryOf(pid), cpuTime)
    }
    return found
  }
}

// --- macOS and others

/** How long `ps` may take, in milliseconds, and how much it may say, in bytes. */
export const psLimits = { timeout: 5000, maxBuffer: mebibytes(8) }

/** `[[dd-]hh:]mm:ss[.cc]` in seconds. */
export const secondsOf = (time: string): number => {
  const [, days = "0", clock = ""] = /^(?:(\d+)-)?([\d:.]+)$/.exec(time) ?? []
  return clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) + Number(days) * 86_400
}

/** What `ps -axo pgid=,rss=,time=` says of these groups. */
export const readPs = (text: string, groups: ReadonlySet<number>): ReadonlyMap<number, GroupUsage> => {
  const found = new Map<number, GroupUsage>()
  for (const line of text.split("\n")) {
    const [group, kilobytes, time = ""] = line.trim().split(/\s+/, 3)
    // A process without memory has ended, and waits for its parent.
    if (groups.has(Number(group)) && Number(kilobytes) > 0) {
      add(found, Number(group), Number(kilobytes) * 1024, secondsOf(time))
    }
  }
  return found
}

/** Asks `ps`, once for all groups. Shared pages count for each process (RSS): macOS tells no other program of a process's part. */
export const psMeter = (ps = "/bin/ps"): Meter => ({
  measure: (groups) =>
    new Promise((resolve) => {
      execFile(ps, ["-axo", "pgid=,rss=,time="], psLimits, (error, stdout) => {
        resolve(error === null ? readPs(stdout, groups) : new Map())
      })
    })
})
