import { Effect } from "effect"
import type { ChildProcessByStdio, ChildProcessWithoutNullStreams } from "node:child_process"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import { gateway } from "../../../testing/test/support/Built.js"
import { eventually, family, kill } from "../../../testing/test/support/Processes.js"
import * as InProcess from "./InProcess.js"

export { alive, eventually, family, gone, kill, running } from "../../../testing/test/support/Processes.js"

/** What is started here keeps nothing where the user's own programs do. */
const state = mkdtempSync(join(tmpdir(), "lifeline-state-"))
process.once("exit", () => rmSync(state, { recursive: true, force: true }))

export type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** A server of the tests, as a configuration has it. */
export const fixture = (name: string, ...args: ReadonlyArray<string>) => ({
  command: process.execPath,
  args: [fileURLToPath(new URL(`../fixtures/${name}.mjs`, import.meta.url)), ...args]
})

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

export const complaints = (program: Program): ReadonlyArray<string> =>
  program.stderr().split("\n").filter((line) => line !== "")

/** The process of a demo backend that a gateway has named last; waits for one that is not `before`. */
export const processOf = (program: Program, backend: string, before?: number): Effect.Effect<number> =>
  program.until(() => {
    const last = [...program.stdout().matchAll(new RegExp(`kill -9 (\\d+) +# ${backend}`, "g"))].at(-1)?.[1]
    return last === undefined || Number(last) === before ? undefined : Number(last)
  })

type Child = ChildProcessWithoutNullStreams | ChildProcessByStdio<null, Readable, Readable>

const scoped = (name: string, spawned: (env: NodeJS.ProcessEnv) => Child, env: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawned({ ...process.env, NO_COLOR: "1", MCP_LIFELINE_STATE: state, ...env })
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
              ? Effect.dieMessage(`${name} ended (${code ?? signal}) before that: ${stdout}${stderr}`)
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
        if (program.isRunning()) {
          if (program.pid === process.pid) program.signal("SIGKILL")
          else for (const pid of [program.pid, ...family(program.pid)]) kill(pid)
        }
        return program.ended
      })
  )

/** Starts the program, or another command, in a process group of its own. */
export const start = (
  args: ReadonlyArray<string>,
  env: Record<string, string> = {},
  [command, ...before]: readonly [string, ...ReadonlyArray<string>] = [process.execPath, gateway],
  cwd?: string
) =>
  scoped(
    command,
    (env) => spawn(command, [...before, ...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true }),
    env
  )

/** Starts the program in this process. For tests that end it with a signal, as nothing else ends it here, and do nothing else to its process. */
export const startHere = (args: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  scoped("mcp-lifeline", (env) => {
    const child = InProcess.start(args, env)
    child.stdin.end()
    return child
  }, env)

export const run = (args: ReadonlyArray<string>, env: Record<string, string> = {}, cwd?: string) =>
  Effect.scoped(Effect.gen(function*() {
    const program = yield* start(args, env, undefined, cwd)
    const ended = yield* program.ended
    return { ...ended, stdout: program.stdout(), stderr: program.stderr() }
  }))
