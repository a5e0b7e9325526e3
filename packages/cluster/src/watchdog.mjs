/**
 * The program that kills what a replica runs: when the replica's time is up, and when the replica has died. `Watchdog.ts` starts it.
 *
 * It reads lines:
 *
 * - `mark <text>`: what the environment of the servers has in it. It comes first.
 * - `until <millis> <now>`: when everything has to have stopped, and when the replica has said so, by the clock of `uptime.ts`. The last one counts.
 * - `group <pid>`: a process group that is to be killed then; at once if the time is up already.
 * - `gone <pid>`: this group has ended.
 * - `ask <number>`: whether it lives. It answers with the line `heard <number>`.
 *
 * It imports no file, so that it stays small and starts wherever it was copied to.
 */
import { closeSync, openSync, readdirSync, readSync, writeSync } from "node:fs"

const isLinux = process.platform === "linux"
const uptime = isLinux ? openSync("/proc/uptime", "r") : -1
/** One for everything that is read: with a new one each time, a look at all processes took 5 MB. */
const buffer = Buffer.alloc(65_536)

/** As in `uptime.ts`. */
const now = () => {
  if (!isLinux) return Number(process.hrtime.bigint()) / 1e6
  const length = readSync(uptime, buffer, 0, buffer.length, 0)
  return Math.round(Number.parseFloat(buffer.toString("latin1", 0, length)) * 1000)
}

/**
 * Opens a file of a process, and returns what is found in it; undefined if there is no such process, or it is not ours to read.
 * @template A
 * @param {string} path
 * @param {(file: number) => A} look
 */
const inFile = (path, look) => {
  try {
    const file = openSync(path, "r")
    try {
      return look(file)
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}

/**
 * The group of a process and when it was started. The name, in parentheses, may hold anything.
 * @param {number} pid
 */
const stat = (pid) =>
  inFile(`/proc/${pid}/stat`, (file) => {
    const line = buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0))
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ")
    return { group: Number(fields[2]), start: fields[19] }
  })

/**
 * Whether a process has the mark in its environment.
 * @param {number} pid
 */
const hasMark = (pid) =>
  inFile(`/proc/${pid}/environ`, (file) => {
    // It may stand across the end of what is read at once.
    for (let at = 0, length = buffer.length; length === buffer.length; at += length - mark.length) {
      length = readSync(file, buffer, 0, buffer.length, at)
      if (buffer.subarray(0, length).includes(mark)) return true
    }
    return false
  }) === true

/** The longest time between two looks at the clock. Timers do not count while the machine sleeps. In milliseconds. */
const tick = 100
/** For how long it looks as often for further processes, after the last one: a new process has the mark only after `exec`. In milliseconds. */
const often = 1000
/** The time between two looks at all processes after that, in milliseconds. */
const seldom = 1000

/** Processes and groups that it never kills: its own, and those of the replica. */
const spared = new Set([process.pid, process.ppid])
for (const pid of [...spared]) spared.add(stat(pid)?.group ?? pid)

/** The groups that were named, with the start of their leaders: an id may be given to another process. */
const groups = /** @type {Map<number, string | undefined>} */ (new Map())
let mark = ""
/** When the time is up. */
let until = Infinity
/** Until when it looks often for processes with the mark; infinite as long as it has not looked. */
let oftenUntil = Infinity
let isEnded = false
/** @type {NodeJS.Timeout | undefined} */
let timer

/**
 * Returns whether there was something to kill.
 * @param {number} pid
 */
const kill = (pid) => {
  // -1 would be all processes of the user, and 0 its own group.
  if (!Number.isSafeInteger(pid) || Math.abs(pid) <= 1 || spared.has(Math.abs(pid))) return false
  try {
    return process.kill(pid, "SIGKILL")
  } catch {
    return false
  }
}

/** Kills all processes with the mark, and their groups. Returns whether there was one. */
const killMarked = () => {
  if (!isLinux || mark === "") return false
  let found = false
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry)
    if (!(pid > 1) || spared.has(pid) || !hasMark(pid)) continue
    const group = stat(pid)?.group ?? 0
    found = kill(pid) || found
    kill(-group)
  }
  return found
}

/** Kills all groups that were named. Returns whether there was one. */
const killNamed = () => {
  let found = false
  for (const [pid, start] of groups) {
    const leader = stat(pid)
    // An id is not given to another process as long as a group has it.
    if (leader === undefined || leader.start === start) found = kill(-pid) || found
  }
  groups.clear()
  return found
}

/** Kills everything. Returns whether there was something. */
const killAll = () => {
  const found = killNamed()
  return killMarked() || found
}

/** Looks at the clock, and kills if the time is up. */
const look = () => {
  if (isEnded) return
  clearTimeout(timer)
  const time = now()
  const isUp = time >= until
  if (isUp && (killAll() || oftenUntil === Infinity)) oftenUntil = time + often
  const pause = isUp ? (time < oftenUntil ? tick : seldom) : Math.min(tick, until - time)
  // What the replica has said before is read first.
  timer = setTimeout(() => setImmediate(look), Math.max(1, pause))
}

/** The replica has died: kills everything, and ends when there is nothing more. */
const end = () => {
  isEnded = true
  if (killAll()) setTimeout(end, 20)
  else process.exit()
}

/** @type {Record<string, (first: string, second: string) => void>} */
const lines = {
  mark: (value) => {
    mark = value
  },
  until: (value, said) => {
    const next = Number(value)
    if (Number.isNaN(next)) return
    // The time was up before it was extended, so what was named until now is of before. What has the mark may be of after.
    if (Number(said) >= until) {
      killNamed()
      // But if this process was stopped, too, nobody has looked.
      if (oftenUntil === Infinity) killMarked()
    }
    until = next
    oftenUntil = Infinity
  },
  group: (value) => groups.set(Number(value), stat(Number(value))?.start),
  gone: (value) => groups.delete(Number(value)),
  ask: (number) => {
    try {
      writeSync(1, `heard ${number}\n`)
    } catch {
      // The replica reads nothing at the moment, or has died.
    }
  }
}

let rest = ""
process.stdin.setEncoding("latin1")
process.stdin.on("data", (/** @type {string} */ chunk) => {
  const whole = (rest + chunk).split("\n")
  rest = whole.pop() ?? ""
  for (const line of whole) {
    const [name = "", first = "", second = ""] = line.split(" ")
    lines[name]?.(first, second)
  }
  setImmediate(look)
})
process.stdin.on("end", end)
process.stdin.on("error", end)
process.on("uncaughtException", end)
// A service manager sends them to all processes of a service. The replica decides when it ends.
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) process.on(signal, () => {})
look()
writeSync(1, `ready ${now()}\n`)
