import { Effect, Schedule } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gateway } from "../../../testing/test/support/Built.js"

/** What is started here keeps nothing where the user's own programs do. */
const state = mkdtempSync(join(tmpdir(), "lifeline-state-"))
process.once("exit", () => rmSync(state, { recursive: true, force: true }))

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running `mcp-lifeline`. */
export interface Program {
  readonly pid: number
  readonly stdout: () => string
  readonly stderr: () => string
  /** Waits until there is what is looked for. Dies when the program ends before that. */
  readonly until: <A>(look: () => A | undefined) => Effect.Effect<A>
  /** Waits until standard output holds this, and gives the match. Dies when the program ends before that. */
  readonly prints: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
  readonly signal: (name: NodeJS.Signals) => void
  /** To the program and all that it has started in its process group, as a terminal sends it. */
  readonly signalGroup: (name: NodeJS.Signals) => void
  readonly isRunning: () => boolean
  readonly ended: Effect.Effect<Ended>
}

/** All processes of the machine that are no zombies waiting for their parent. */
const processes = () =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat="], { encoding: "utf8" }).split("\n").flatMap((line) => {
    const [pid, parent, group, state = "Z"] = line.trim().split(/\s+/)
    return state.startsWith("Z") ? [] : [{ pid: Number(pid), parent: Number(parent), group: Number(group) }]
  })

/** The processes that descend from one, or are in the group of one that does. */
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

/** Whether a process runs. */
export const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  // It may be a zombie.
  return processes().some((one) => one.pid === pid)
}

/** The processes among these whose command line is that of Node.js and holds this. */
export const running = (pids: ReadonlyArray<number>, script: string): ReadonlyArray<number> =>
  pids.filter((pid) => {
    const [command = "", ...args] = execFileSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], { encoding: "utf8" })
      .trim().split(" ")
    return /(^|\/)node$/.test(command) && args.some((arg) => arg.endsWith(script))
  })

/** Looks again and again until there is what is looked for. */
export const eventually = <A>(look: () => A | undefined): Effect.Effect<A> =>
  Effect.suspend(() => {
    const found = look()
    return found === undefined ? Effect.fail("not yet" as const) : Effect.succeed(found)
  }).pipe(Effect.retry(Schedule.spaced("10 millis")), Effect.orDie)

/** Waits until a process has ended. */
export const gone = (pid: number): Effect.Effect<true> => eventually(() => alive(pid) ? undefined : true)

/** What a program has written to standard error, but for the warning that a tool of the demo's servers needs tasks. */
export const complaints = (program: Program): ReadonlyArray<string> =>
  program.stderr().split("\n").filter((line) => line !== "" && !line.includes("is not offered: it runs only as a task"))

/** The process of a demo backend that a gateway has named last; waits for one that is not `before`. */
export const processOf = (program: Program, backend: string, before?: number): Effect.Effect<number> =>
  program.until(() => {
    const last = [...program.stdout().matchAll(new RegExp(`kill -9 (\\d+) +# ${backend}`, "g"))].at(-1)?.[1]
    return last === undefined || Number(last) === before ? undefined : Number(last)
  })

/** Starts the program, or another command in a process group of its own; it is killed with the scope, should it still run. */
export const start = (
  args: ReadonlyArray<string>,
  env: Record<string, string> = {},
  [command, ...before]: readonly [string, ...ReadonlyArray<string>] = [process.execPath, gateway],
  cwd: string = process.cwd()
) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(command, [...before, ...args], {
        cwd,
        env: { ...process.env, NO_COLOR: "1", MCP_LIFELINE_STATE: state, ...env },
        stdio: ["ignore", "pipe", "pipe"],
        detached: true
      })
      let [stdout, stderr] = ["", ""]
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk)
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk)
      const closed = new Promise<Ended>((resolve) => {
        child.once("error", (error) => {
          stderr += error.message
          resolve({ code: null, signal: null })
        })
        child.once("close", (code, signal) => resolve({ code, signal }))
      })
      const until: Program["until"] = (look) =>
        Effect.raceFirst(
          eventually(look),
          Effect.flatMap(Effect.promise(() => closed), ({ code, signal }) => {
            const found = look()
            return found === undefined
              ? Effect.dieMessage(`${command} ended (${code ?? signal}) before that: ${stdout}${stderr}`)
              : Effect.succeed(found)
          })
        )
      const program: Program = {
        pid: child.pid ?? 0,
        stdout: () => stdout,
        stderr: () => stderr,
        signal: (name) => void child.kill(name),
        signalGroup: (name) => void (child.pid !== undefined && process.kill(-child.pid, name)),
        isRunning: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
        ended: Effect.promise(() => closed),
        until,
        prints: (pattern) => until(() => pattern.exec(stdout) ?? undefined)
      }
      return program
    }),
    (program) =>
      Effect.suspend(() => {
        if (program.isRunning()) { for (const pid of [program.pid, ...family(program.pid)]) kill(pid) }
        return program.ended
      })
  )

/** SIGKILL to one process; one that is gone already is fine. */
export const kill = (pid: number): void => {
  // 0 and below are whole groups, ours first.
  if (!(pid > 0)) throw new Error(`no process: ${pid}`)
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // It is gone.
  }
}

/** Runs the program to its end. */
export const run = (args: ReadonlyArray<string>, env: Record<string, string> = {}, cwd?: string) =>
  Effect.scoped(
    Effect.gen(function*() {
      const program = yield* start(args, env, undefined, cwd)
      const ended = yield* program.ended
      return { ...ended, stdout: program.stdout(), stderr: program.stderr() }
    })
  )
