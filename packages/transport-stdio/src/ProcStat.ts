import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs"
import { uptime } from "node:os"
import { setImmediate } from "node:timers/promises"

export interface ProcStat {
  /** `R`, `S`, `D`, `T` and so on. */
  readonly state: string
  readonly group: number
  /** Also of children that have ended, in seconds. */
  readonly cpuTime: number
  /** In seconds. */
  readonly age: number
}

/** Per second, on every processor that Node.js runs on. */
const ticks = 100
const buffer = Buffer.alloc(2048)
/** Processes looked at before others may run. */
const slice = 32

/** Throws where there is no `/proc`. */
export const pids = (): ReadonlyArray<string> =>
  readdirSync("/proc").filter((name) => {
    const code = name.charCodeAt(0)
    return code >= 48 && code <= 57
  })

/** `undefined` if it cannot be read. Three times as fast as `readFileSync`. */
export const read = (pid: string, name: string): string | undefined => {
  let file: number | undefined
  try {
    file = openSync(`/proc/${pid}/${name}`, "r")
    return buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0))
  } catch {
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** `undefined` if it has ended, also as a zombie. */
export const stat = (pid: string): ProcStat | undefined => {
  const text = read(pid, "stat")
  if (text === undefined) return undefined
  // The name, in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ", 20)
  const [state = "", , group] = fields
  if (state === "Z" || state === "X") return undefined
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15).map(Number)
  const age = uptime() - Number(fields[19]) / ticks
  return { state, group: Number(group), cpuTime: (utime + stime + cutime + cstime) / ticks, age }
}

/** Throws where there is no `/proc`. */
export async function* members(
  groups: ReadonlySet<number>
): AsyncGenerator<ProcStat & { readonly pid: string }, void, undefined> {
  let looked = 0
  for (const pid of pids()) {
    if (++looked % slice === 0) await setImmediate()
    const found = stat(pid)
    if (found !== undefined && groups.has(found.group)) yield { pid, ...found }
  }
}

/** `undefined` if the kernel does not show them to us. */
export const transferred = (pid: string): { readonly read: number; readonly written: number } | undefined => {
  const [, received, sent] = /^rchar: (\d+)\nwchar: (\d+)$/m.exec(read(pid, "io") ?? "") ?? []
  return received === undefined ? undefined : { read: Number(received), written: Number(sent) }
}

/** `undefined` if we do not see all. */
export const files = (pid: string): ReadonlyMap<string, string> | undefined => {
  try {
    const folder = `/proc/${pid}/fd`
    return new Map(readdirSync(folder).map((fd) => [fd, readlinkSync(`${folder}/${fd}`)]))
  } catch {
    return undefined
  }
}

/** Connected ones, in the network of a process. */
export const unnamedSockets = (pid: string): ReadonlySet<number> => {
  try {
    const table = readFileSync(`/proc/${pid}/net/unix`, "latin1")
    return new Set(Array.from(table.matchAll(/^(?:\S+ +){3}0+ +\d+ +03 +(\d+)$/gm), ([, inode]) => Number(inode)))
  } catch {
    return new Set()
  }
}
