import { Effect, Schedule } from "effect"
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

interface Entry {
  readonly pid: number
  readonly parent: number
  readonly group: number
}

/** What Linux says of a process; `undefined` if it is gone, or a zombie that waits for its parent. */
const entryOf = (pid: string | number): Entry | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const [state, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return state === "Z" || state === "X"
      ? undefined
      : { pid: Number(pid), parent: Number(parent), group: Number(group) }
  } catch {
    return undefined
  }
}

/** Tests that wait look every few milliseconds, and each `ps` is a process that takes longer than that. macOS has nothing else. */
const hasProc = process.platform === "linux"

export const processes = (): ReadonlyArray<Entry> =>
  hasProc
    ? readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => entryOf(pid) ?? [])
    : execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat="], { encoding: "utf8" }).split("\n").flatMap((line) => {
      const [pid, parent, group, state = "Z"] = line.trim().split(/\s+/)
      return state.startsWith("Z") ? [] : [{ pid: Number(pid), parent: Number(parent), group: Number(group) }]
    })

export const argumentsOf = (pid: number): ReadonlyArray<string> => {
  try {
    return hasProc
      ? readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1)
      : execFileSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], { encoding: "utf8" }).trim().split(" ")
  } catch {
    return []
  }
}

export const family = (pid: number): ReadonlyArray<number> => {
  const all = processes()
  const found = new Set([pid])
  for (let size = 0; size !== found.size;) {
    size = found.size
    for (const one of all) if (found.has(one.parent) || found.has(one.group)) found.add(one.pid)
  }
  found.delete(pid)
  return [...found]
}

export const alive = (pid: number): boolean => {
  if (hasProc) return entryOf(pid) !== undefined
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return processes().some((one) => one.pid === pid)
}

export const running = (pids: ReadonlyArray<number>, script: string): ReadonlyArray<number> =>
  pids.filter((pid) => {
    const [command = "", ...args] = argumentsOf(pid)
    return /(^|\/)node$/.test(command) && args.some((arg) => arg.endsWith(script))
  })

export const eventually = <A>(look: () => A | undefined): Effect.Effect<A> =>
  Effect.suspend(() => {
    const found = look()
    return found === undefined ? Effect.fail("not yet" as const) : Effect.succeed(found)
  }).pipe(Effect.retry(Schedule.spaced("10 millis")), Effect.orDie)

export const gone = (pid: number): Effect.Effect<true> => eventually(() => alive(pid) ? undefined : true)

/** SIGKILL to one process; one that is gone already is fine. */
export const kill = (pid: number): void => {
  // 0 and below are whole groups, ours first.
  if (!(pid > 0) || pid === process.pid) throw new Error(`no process of a test: ${pid}`)
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It is gone.
  }
}
