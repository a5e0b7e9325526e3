/** For the core's verdict whether a server lives. */
import type { ProcessSight } from "@mcp-lifeline/core"
import { execFile } from "node:child_process"
import * as GroupUsage from "./GroupUsage.js"
import * as ProcStat from "./ProcStat.js"
import * as WindowsJob from "./WindowsJob.js"

interface Process extends ProcStat.ProcStat {
  readonly pid: string
}

/** `counted`: the processes whose work counts. */
const shown = (group: string, all: ReadonlyArray<Process>, counted = all): ProcessSight => {
  const bytes = counted.map(({ pid }) => ProcStat.transferred(pid))
  const ages = all.flatMap(({ age, pid }) => pid === group ? [] : [age * 1000])
  return {
    isStopped: all.some(({ state }) => state === "T"),
    isRunning: counted.some(({ state }) => state === "R" || state === "D"),
    cpuTime: counted.reduce((sum, { cpuTime }) => sum + cpuTime, 0),
    transferred: bytes.reduce<number | undefined>(
      (sum, one) => one && sum !== undefined ? sum + one.read + one.written : undefined,
      0
    ),
    pids: all.map(({ pid }) => Number(pid)),
    youngest: ages.length === 0 ? undefined : Math.min(...ages)
  }
}

/** Except pairs, with which event loops wake themselves. */
const haveSocket = (group: string, files: ReadonlyArray<string>): boolean => {
  const sockets = new Set(files.flatMap((file) => file.startsWith("socket:[") ? [parseInt(file.slice(8), 10)] : []))
  const unnamed = sockets.size === 0 ? sockets : ProcStat.unnamedSockets(group)
  const isEnd = (socket: number): boolean => sockets.has(socket) && unnamed.has(socket)
  // A pair has consecutive numbers.
  return ![...sockets].every((socket) => isEnd(socket) && (isEnd(socket - 1) || isEnd(socket + 1)))
}

/** Who has the leader's stdin and stdout is a launcher or the server, which may wait for what has others. */
const startShown = (group: string, all: ReadonlyArray<Process>, isLaunched: boolean): ProcessSight => {
  const files = new Map(all.map(({ pid }) => [pid, ProcStat.files(pid)]))
  const [stdin, stdout, stderr] = ["0", "1", "2"].map((fd) => files.get(group)?.get(fd))
  const isServer = ({ pid, state }: Process): boolean => {
    const its = files.get(pid)
    return its !== undefined && state !== "t" && its.get("0") === stdin && its.get("1") === stdout
  }
  const counted = isLaunched && all.filter(isServer).length > 1 ? all.filter(({ pid }) => pid !== group) : all
  const open = counted.flatMap(({ pid }) => [...files.get(pid)?.values() ?? []])
  const others = open.filter((file) => ![stdin, stdout, stderr].includes(file))
  return { ...shown(group, all, counted), mayWait: !all.every(isServer) || haveSocket(group, others) }
}

const onLinux = async (group: number, isLaunched?: boolean): Promise<ProcessSight | undefined> => {
  const all: Array<Process> = []
  for await (const one of ProcStat.members(new Set([group]))) all.push(one)
  if (all.length === 0) return undefined
  return isLaunched === undefined ? shown(String(group), all) : startShown(String(group), all, isLaunched)
}

export const readPs = (text: string, group: number): ProcessSight | undefined => {
  const members = text.split("\n").map((line) => line.trim().split(/\s+/, 4)).filter(([pgid, , state = "Z"]) =>
    Number(pgid) === group && !state.startsWith("Z")
  )
  if (members.length === 0) return undefined
  const states = members.map(([, , state = ""]) => state[0])
  return {
    isStopped: states.includes("T"),
    isRunning: states.some((state) => state === "R" || state === "U"),
    cpuTime: members.reduce((sum, [, , , time = ""]) => sum + GroupUsage.secondsOf(time), 0),
    transferred: undefined,
    pids: members.map(([, pid]) => Number(pid)),
    youngest: undefined
  }
}

const withPs = (group: number): Promise<ProcessSight | undefined> =>
  new Promise((resolve) => {
    execFile("/bin/ps", ["-axo", "pgid=,pid=,stat=,time="], GroupUsage.psLimits, (error, stdout) => {
      resolve(error === null ? readPs(stdout, group) : undefined)
    })
  })

const onWindows = async (group: number): Promise<ProcessSight | undefined> => {
  const usage = WindowsJob.of(group)?.usage()
  if (usage === undefined) return undefined
  return {
    isStopped: false,
    isRunning: false,
    cpuTime: usage.cpuTime,
    transferred: undefined,
    pids: [],
    youngest: undefined
  }
}

/** By the id of the leader; `undefined` if nothing can be seen. Bytes: on Linux only. Who is stopped: on Linux and macOS. */
export const of: (group: number) => Promise<ProcessSight | undefined> = process.platform === "linux"
  ? (group) => onLinux(group).catch(() => undefined)
  : process.platform === "win32"
  ? onWindows
  : withPs

/** With `mayWait` on Linux. `isLaunched`: once the first process has started the server, it does not count. */
export const ofStart = (group: number, isLaunched: boolean): Promise<ProcessSight | undefined> =>
  process.platform === "linux" ? onLinux(group, isLaunched).catch(() => undefined) : of(group)
