/**
 * Which machine this is, and which processes it runs: process ids mean something on their own machine only, and only until they are given
 * to another process. Machines and containers may share a state folder, and a name.
 */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { readFileSync, readlinkSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { hostname } from "node:os"

const orNothing = (read: () => string): string => {
  try {
    return read().trim()
  } catch {
    return ""
  }
}

/**
 * Tells apart the places in which one process id is one process. On Linux that is a boot of a machine, and in it a container (a namespace of
 * process ids); elsewhere the name of the machine has to do.
 */
export const identify = (boot: string, namespace: string, name: string): string =>
  createHash("sha256").update(JSON.stringify(boot === "" ? [name, namespace] : [boot, namespace])).digest("hex")
    .slice(0, 8)

/** This machine. */
export const machine = identify(
  orNothing(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8")),
  orNothing(() => readlinkSync("/proc/self/ns/pid")),
  hostname()
)

/** A process, apart from all others that have or had its id. */
export interface Process {
  readonly pid: number
  /** When it was started, in words of the system; empty where the system does not say. */
  readonly start: string
}

/** What `/proc` says of a process: the name of its program is in brackets, and may itself have any character. */
const ofLinux = (stat: string): string | undefined => {
  const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  // A zombie has ended.
  return ["Z", "X", "x"].includes(state) ? undefined : fields[18] ?? ""
}

/** What `ps` says of a process. */
export const ofPs = (line: string): string | undefined => {
  const [state = "", ...start] = line.trim().split(" ")
  const time = Date.parse(`${start.join(" ")} UTC`)
  return state.startsWith("Z") ? undefined : Number.isNaN(time) ? "" : String(time / 1000)
}

const ps = (pid: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: "C", TZ: "UTC" }
    execFile("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { env, timeout: 5000 }, (error, stdout) =>
      // It exits with 1 where there is no such process, and says nothing.
      resolve(error === null ? ofPs(stdout) : error.code === 1 && stdout.trim() === "" ? undefined : ""))
  })

/** Whether there is a process of this id, whoever it belongs to. */
const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code !== "ESRCH"
  }
}

/** When a process was started; empty where the system does not say, undefined where none of that id runs. */
export const startOf = async (
  pid: number,
  platform: NodeJS.Platform = process.platform
): Promise<string | undefined> => {
  if (!exists(pid)) return undefined
  if (platform === "win32") return ""
  if (platform !== "linux") return ps(pid)
  // It may have ended since; otherwise `/proc` hides it, or is not there.
  return readFile(`/proc/${pid}/stat`, "utf8").then(ofLinux, () => exists(pid) ? "" : undefined)
}

let own: Promise<Process> | undefined

/** This process. */
export const self = (): Promise<Process> =>
  own ??= startOf(process.pid).then((start = "") => ({ pid: process.pid, start }))

/** Whether a process of this machine still runs; `unknown`: one of its id does, and the system does not say which. */
export const processState = async (
  { pid, start }: Process,
  platform: NodeJS.Platform = process.platform
): Promise<"running" | "gone" | "unknown"> => {
  if (!Number.isSafeInteger(pid) || pid <= 0) return "gone"
  const now = await startOf(pid, platform)
  if (now === undefined) return "gone"
  if (now === "" || start === "") return "unknown"
  return now === start ? "running" : "gone"
}
