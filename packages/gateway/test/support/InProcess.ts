/** The published program in the process of the tests, at a tenth of the cost. Tests of SIGKILL, its group or its memory start it as users do. */
import * as childProcess from "node:child_process"
import { Console } from "node:console"
import { EventEmitter } from "node:events"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import * as os from "node:os"
import { dirname, join } from "node:path"
import { PassThrough, Transform } from "node:stream"
import { finished } from "node:stream/promises"
import { pathToFileURL } from "node:url"
import { compileFunction } from "node:vm"
import { gateway } from "../../../testing/test/support/Built.js"
import * as Archive from "../../src/process/Archive.js"

type Compiled = (...values: ReadonlyArray<unknown>) => Archive.Modules

const compiled = new Map<string, Compiled>()

/** A file of the archive. Compiled once; each call makes all of its modules anew, as a process does. */
const compile = (name: string): Compiled => {
  const known = compiled.get(name)
  if (known !== undefined) return known
  const filename = join(dirname(gateway), name)
  const made = compileFunction(`return ${readFileSync(filename, "utf8")}`, ["process", "console", "globalThis"], {
    filename
  }) as Compiled
  compiled.set(name, made)
  return made
}

/** What a signal ends that the program does not listen to. */
const fatal: ReadonlySet<unknown> = new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"])

export class InProcess extends EventEmitter {
  /** Each turn of the event loop brings one piece, as from another process: else a host that asks without end would let nothing else run. */
  readonly stdin = new Transform({ transform: (chunk, _, done) => void setImmediate(done, null, chunk) })
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly pid = process.pid
  exitCode: number | null = null
  signalCode: NodeJS.Signals | null = null
  #code: number | undefined
  readonly #children = new Set<childProcess.ChildProcess>()
  readonly #events = new EventEmitter()

  constructor(args: ReadonlyArray<string>, env: NodeJS.ProcessEnv) {
    super()
    this.#events.setMaxListeners(0)
    const own: Record<PropertyKey, unknown> = {
      argv: [process.execPath, gateway, ...args],
      env: { ...env },
      stdin: this.stdin,
      stdout: this.stdout,
      stderr: this.stderr,
      exit: (code?: number) => this.#exit(code ?? this.#code ?? 0),
      kill: (pid: number, signal?: NodeJS.Signals | 0) =>
        pid === process.pid && signal !== 0 ? this.kill(signal) : process.kill(pid, signal)
    }
    const events = this.#events
    const shadow = new Proxy(process, {
      get: (_, key) => {
        if (key in own) return own[key]
        if (key === "exitCode") return this.#code
        if (key in events) {
          const value: unknown = Reflect.get(events, key)
          return typeof value === "function" ? value.bind(events) : value
        }
        const value: unknown = Reflect.get(process, key)
        return typeof value === "function" ? value.bind(process) : value
      },
      set: (_, key, value) => {
        if (key === "exitCode") {
          this.#code = value as number
        } else own[key] = value
        return true
      }
    })
    const { stderr, stdout } = this
    // Where modules keep what is one a process.
    const globals: Record<PropertyKey, unknown> = {}
    const global = new Proxy(globals, {
      get: (_, key) => key in globals ? globals[key] : Reflect.get(globalThis, key),
      has: (_, key) => key in globals || key in globalThis
    })
    const console = new Console({ stdout, stderr })
    const require = createRequire(gateway)
    const spawn = (...given: Parameters<typeof childProcess.spawn>): childProcess.ChildProcess => {
      const child = childProcess.spawn(...given)
      this.#children.add(child)
      return child
    }
    const builtIn: Readonly<Record<string, unknown>> = {
      child_process: { ...childProcess, spawn },
      os: { ...os, homedir: () => env["HOME"] ?? os.homedir() },
      process: shadow
    }
    const required = (name: string): unknown => builtIn[name.replace(/^node:/, "")] ?? require(name)
    setImmediate(() =>
      Archive.run({
        read: (name) => compile(name)(shadow, console, global),
        require: required,
        url: pathToFileURL(gateway).href
      })
    )
  }

  #exit(code: number | null, signal: NodeJS.Signals | null = null): void {
    if (this.exitCode !== null || this.signalCode !== null) return
    this.exitCode = code
    this.signalCode = signal
    // Nothing ends it for it: it ends what it still does.
    if (signal !== null) this.#events.emit("SIGTERM", signal)
    this.#events.emit("exit", code)
    this.#events.removeAllListeners()
    this.stdin.destroy()
    for (const { stderr, stdin, stdout } of this.#children) for (const pipe of [stdin, stdout, stderr]) pipe?.destroy()
    this.stdout.end()
    this.stderr.end()
    this.emit("exit", code, signal)
    void Promise.allSettled([finished(this.stdout), finished(this.stderr)]).then(() => this.emit("close", code, signal))
  }

  get children(): ReadonlyArray<number> {
    return [...this.#children].flatMap(({ exitCode, pid, signalCode }) =>
      pid === undefined || exitCode !== null || signalCode !== null ? [] : [pid]
    )
  }

  kill(signal: NodeJS.Signals = "SIGTERM"): boolean {
    if (this.exitCode !== null || this.signalCode !== null) return false
    if (signal !== "SIGKILL" && this.#events.listenerCount(signal) > 0) this.#events.emit(signal, signal)
    else if (fatal.has(signal)) this.#exit(null, signal)
    return true
  }
}

export const start = (
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv
): childProcess.ChildProcessWithoutNullStreams =>
  new InProcess(args, env) as object as childProcess.ChildProcessWithoutNullStreams
