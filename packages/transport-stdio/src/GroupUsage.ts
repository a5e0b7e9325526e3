/** In one pass over all processes, for any number of groups. */
import { mebibytes } from "@mcp-lifeline/core/text"
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import * as ProcStat from "./ProcStat.js"

export interface GroupUsage {
  /** In bytes. */
  memory: number
  /** Also of children that have ended, in seconds. */
  cpuTime: number
}

/** By ids of leaders. Groups that cannot be measured are missing in the result. */
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
 * Shared pages count in equal parts for each process (PSS), so that a group counts every page once; swapped pages, too. The kernel refuses
 * this for processes that have gained rights: all their pages count (RSS).
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
    // One after the other: the program shares Node's threads for files.
    for await (const { cpuTime, group, pid } of ProcStat.members(groups)) {
      add(found, group, await memoryOf(pid), cpuTime)
    }
    return found
  }
}

// --- macOS and others

/** In milliseconds and bytes. */
export const psLimits = { timeout: 5000, maxBuffer: mebibytes(8) }

/** `[[dd-]hh:]mm:ss[.cc]` in seconds. */
export const secondsOf = (time: string): number => {
  const [, days = "0", clock = ""] = /^(?:(\d+)-)?([\d:.]+)$/.exec(time) ?? []
  return clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) + Number(days) * 86_400
}

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

/** Shared pages count for each process (RSS): macOS tells no more. */
export const psMeter = (ps = "/bin/ps"): Meter => ({
  measure: (groups) =>
    new Promise((resolve) => {
      execFile(ps, ["-axo", "pgid=,rss=,time="], psLimits, (error, stdout) => {
        resolve(error === null ? readPs(stdout, groups) : new Map())
      })
    })
})
