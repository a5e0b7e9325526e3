/**
 * What the processes of a server show at one moment, for the core's verdict whether it lives.
 */
import type { ProcessSight } from "@mcp-lifeline/core"
import { execFile } from "node:child_process"
import * as GroupUsage from "./GroupUsage.js"
import * as ProcStat from "./ProcStat.js"
import * as WindowsJob from "./WindowsJob.js"

const onLinux = async (group: number): Promise<ProcessSight | undefined> => {
  const pids: Array<number> = []
  let isStopped = false
  let isRunning = false
  let cpuTime = 0
  let transferred: number | undefined = 0
  let youngest: number | undefined
  for await (const { age, pid, state, ...stat } of ProcStat.members(new Set([group]))) {
    pids.push(Number(pid))
    isStopped ||= state === "T"
    isRunning ||= state === "R" || state === "D"
    cpuTime += stat.cpuTime
    if (Number(pid) !== group) youngest = Math.min(youngest ?? Number.POSITIVE_INFINITY, age * 1000)
    const bytes = ProcStat.transferred(pid)
    transferred = bytes === undefined || transferred === undefined
      ? undefined
      : transferred + bytes.read + bytes.written
  }
  if (pids.length === 0) return undefined
  return { isStopped, isRunning, cpuTime, transferred, pids, youngest }
}

/** What `ps -axo pgid=,pid=,stat=,time=` says of a group. */
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

/**
 * The processes of a group, by the id of its leader; `undefined` if there are none, or the system does not show them. What was read and
 * written is known on Linux only, and who is stopped on Linux and macOS.
 */
export const of: (group: number) => Promise<ProcessSight | undefined> = process.platform === "linux"
  ? (group) => onLinux(group).catch(() => undefined)
  : process.platform === "win32"
  ? onWindows
  : withPs
