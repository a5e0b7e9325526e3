import { Effect } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

/** The built program: `pnpm test` builds before it runs the tests. */
const bin = fileURLToPath(new URL("../../dist/bin.js", import.meta.url))

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
  /** Waits until standard output holds this, and gives the match. Dies when the program ends before that. */
  readonly prints: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
  readonly signal: (name: NodeJS.Signals) => void
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
export const alive = (pid: number): boolean => processes().some((one) => one.pid === pid)

/** Starts the program, or another one of Node's; it is killed with the scope, should it still run. */
export const start = (args: ReadonlyArray<string>, env: Record<string, string> = {}, script = bin) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [script, ...args], {
        env: { ...process.env, NO_COLOR: "1", ...env },
        stdio: ["ignore", "pipe", "pipe"]
      })
      let [stdout, stderr] = ["", ""]
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk)
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk)
      const closed = new Promise<Ended>((resolve) => child.once("close", (code, signal) => resolve({ code, signal })))
      const program: Program = {
        pid: child.pid ?? 0,
        stdout: () => stdout,
        stderr: () => stderr,
        signal: (name) => void child.kill(name),
        ended: Effect.promise(() => closed),
        prints: (pattern) =>
          Effect.async((resume) => {
            const look = () => {
              const match = pattern.exec(stdout)
              if (match) resume(Effect.succeed(match))
              else if (child.exitCode !== null) {
                resume(Effect.dieMessage(`ended without ${pattern}: ${stdout}${stderr}`))
              }
            }
            child.stdout.on("data", look)
            child.once("close", look)
            look()
            return Effect.sync(() => {
              child.stdout.off("data", look)
              child.off("close", look)
            })
          })
      }
      return program
    }),
    (program) =>
      Effect.suspend(() => {
        const left = family(program.pid)
        for (const pid of alive(program.pid) ? [program.pid, ...left] : []) kill(pid)
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
export const run = (args: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  Effect.scoped(
    Effect.gen(function*() {
      const program = yield* start(args, env)
      const ended = yield* program.ended
      return { ...ended, stdout: program.stdout(), stderr: program.stderr() }
    })
  )
