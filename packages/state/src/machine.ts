/**
 * A process id is valid only on its machine, until another process gets it. Machines and containers may share a state folder,
 * and a name.
 */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { readFileSync, readlinkSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { hostname } from "node:os"
import * as ProcessPipe from "./ProcessPipe.js"

const orEmpty = (read: () => string): string => {
  try {
    return read().trim()
  } catch {
    return ""
  }
}

/**
 * Where process ids are unique: on Linux a boot of a machine, and a namespace of process ids (a container); elsewhere only the host name is
 * known.
 */
export const identify = (boot: string, namespace: string, name: string): string =>
  createHash("sha256").update(JSON.stringify(boot === "" ? [name, namespace] : [boot, namespace])).digest("hex")
    .slice(0, 8)

/** Of the last start of the machine. Linux only. */
export const boot = orEmpty(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8"))

export const machine = identify(boot, orEmpty(() => readlinkSync("/proc/self/ns/pid")), hostname())

/** As distinct from all others that have or had its id. */
export interface Process {
  readonly pid: number
  /** As the system writes it; on Windows the name of its pipe. Empty if the system does not tell. */
  readonly start: string
}

/** Of `/proc/<pid>/stat`, from the state on, behind the last bracket: the program name within brackets may have any character. */
export const fieldsOf = (stat: string): ReadonlyArray<string> => stat.slice(stat.lastIndexOf(")") + 2).split(" ")

/**
 * A zombie has ended. But a process is shown as one once its first thread has ended: until the others have, too, its files and sockets are
 * open, and a write may be under way.
 */
export const startFromStat = (stat: string): string | undefined => {
  const [state = "", ...fields] = fieldsOf(stat)
  const [threads, start = ""] = [Number(fields[16]), fields[18]]
  return ["Z", "X", "x"].includes(state) && !(threads > 1) ? undefined : start
}

export const startFromPs = (line: string): string | undefined => {
  const [state = "", ...start] = line.trim().split(" ")
  const time = Date.parse(`${start.join(" ")} UTC`)
  return state.startsWith("Z") ? undefined : Number.isNaN(time) ? "" : String(time / 1000)
}

const ps = (pid: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: "C", TZ: "UTC" }
    execFile("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { env, timeout: 5000 }, (error, stdout) =>
      // `ps` exits with 1 and prints nothing if there is no such process.
      resolve(error === null ? startFromPs(stdout) : error.code === 1 && stdout.trim() === "" ? undefined : ""))
  })

/** Of any user. */
const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== "ESRCH"
  }
}

/** Empty if the system does not tell, as Windows; undefined if no process has this id. */
export const startOf = async (
  pid: number,
  platform: NodeJS.Platform = process.platform
): Promise<string | undefined> => {
  if (!exists(pid)) return undefined
  if (platform === "win32") return ""
  if (platform !== "linux") return ps(pid)
  // The process may have ended since; otherwise `/proc` hides it, or does not exist.
  return readFile(`/proc/${pid}/stat`, "utf8").then(startFromStat, () => exists(pid) ? "" : undefined)
}

let own: Promise<Process> | undefined

export const self = (): Promise<Process> =>
  own ??= (process.platform === "win32" ? ProcessPipe.open() : startOf(process.pid)).then((start = "") => ({
    pid: process.pid,
    start
  }))

/** `unknown`: a process with its id runs, and the system does not tell which. */
export const processState = async (
  { pid, start }: Process,
  platform: NodeJS.Platform = process.platform
): Promise<"running" | "gone" | "unknown"> => {
  if (!Number.isSafeInteger(pid) || pid <= 0) return "gone"
  if (platform === "win32" && start !== "" && exists(pid)) return ProcessPipe.state(start)
  const now = await startOf(pid, platform)
  if (now === undefined) return "gone"
  if (now === "" || start === "") return "unknown"
  return now === start ? "running" : "gone"
}
