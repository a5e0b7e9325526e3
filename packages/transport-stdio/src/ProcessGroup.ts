/**
 * A child process in a process group of its own, and the end of that whole group (S1, S2).
 */
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import type { Container } from "./Container.js"
import * as LeftContainer from "./LeftContainer.js"
import * as LiveGroups from "./LiveGroups.js"
import type { Recording } from "./Recorder.js"
import * as WindowsCommand from "./WindowsCommand.js"
import * as WindowsJob from "./WindowsJob.js"

/** How the child ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Options of a process group. Durations in milliseconds. */
export interface Options {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Record<string, string>
  readonly cwd: string | undefined
  readonly stdinGrace: number
  readonly termGrace: number
  readonly handleSignals: boolean
  /** The container that the child runs, which is not in the group. */
  readonly container?: Container | undefined
  /** Where it is recorded. */
  readonly recording?: Recording | undefined
}

/** After SIGKILL only the kernel is to be waited for. */
const killBound = 5_000
const firstPoll = 5
/** With what docker, podman and nerdctl exit if they cannot run a container. */
const refused = 125
const slowestPoll = 250

const isWindows = process.platform === "win32"

/** By its path: a name alone would be looked for in the current folder first. */
const taskkill = `${process.env["SystemRoot"] || "C:\\Windows"}\\System32\\taskkill.exe`

/**
 * Started by its constructor, which throws what `spawn` throws, or a `WindowsCommand.Unstartable`. What `spawn` reports later comes as the
 * child's `error` event.
 *
 * On Windows there are no process groups and no SIGTERM: there, the tree of processes is a job, which is ended as by SIGKILL. Without jobs,
 * ending it means `taskkill /T /F`, which misses what has been re-parented.
 */
export class ProcessGroup implements LiveGroups.LiveGroup {
  readonly child: ChildProcessWithoutNullStreams
  readonly handleSignals: boolean
  /** The child has shown itself to be a server, which gets time to end by itself. */
  serving = false
  /** How the child ended, once it has. Other processes of the group may live on. */
  exit: Exit | undefined

  readonly #options: Options
  /** The tree of processes on Windows. */
  #job: WindowsJob.WindowsJob | undefined
  /** Set once and for ever: the system may give the number to another process from then on. */
  #gone = false
  #shutdown: Promise<void> | undefined
  #onExit: (() => void) | undefined
  /** The child has had SIGTERM, and its time to pass it on and exit. */
  #terminated = false
  #isRecorded = false

  constructor(options: Options) {
    this.#options = options
    this.handleSignals = options.handleSignals
    const start = isWindows
      ? WindowsCommand.resolve(options.command, options.args, options.env, options.cwd ?? process.cwd())
      : { file: options.command, args: options.args, verbatim: false }
    this.child = spawn(start.file, start.args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["pipe", "pipe", "pipe"],
      detached: !isWindows,
      windowsHide: true,
      windowsVerbatimArguments: start.verbatim,
      shell: false
    })
    if (this.child.pid === undefined) {
      this.#gone = true
      return
    }
    // At once: what it has started before is not in the job.
    if (isWindows) this.#job = WindowsJob.hold(this.child.pid)
    LiveGroups.add(this)
    this.#record(this.child.pid)
    this.child.once("exit", (code, signal) => {
      this.exit = { code, signal }
      this.#onExit?.()
      // What outlives its leader serves nobody. To look at once matters too: the number stays taken only while the group
      // has members.
      if (!this.#isGone() || options.container !== undefined) this.shutdown().catch(() => {})
    })
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  /**
   * Ends stdin, then sends SIGTERM and at last SIGKILL to the group, each when the grace of the step before has passed; to a child that has
   * not shown itself to be a server, SIGTERM goes at once: nothing says that it reads its stdin. Ends as soon as the child has exited and no
   * process of the group is left. Runs once; later calls wait for the first. Rejects when something survives SIGKILL for five seconds. On
   * Windows, SIGKILL comes in the place of SIGTERM. A container is removed after that.
   */
  shutdown(): Promise<void> {
    const { container } = this.#options
    this.#shutdown ??= container === undefined
      ? this.#ladder()
      : this.#ladder().finally(() => this.#endContainer(container))
    return this.#shutdown
  }

  kill(until = Number.POSITIVE_INFINITY): void {
    this.#signal("SIGKILL")
    if (this.#options.container?.isEnded === false) this.#options.container.removeNow(until)
  }

  async #endContainer(container: Container): Promise<void> {
    if (this.pid === undefined) return
    const { code = null, signal = null } = this.exit ?? {}
    await container.end({
      terminated: this.#terminated,
      late: signal !== null && !this.serving,
      refused: code === refused
    })
    this.#forget()
  }

  #record(pid: number): void {
    const { container, cwd, env, recording, stdinGrace, termGrace } = this.#options
    const other = container && LeftContainer.of(container.found, { cwd, env, termGrace })
    // Windows ends the tree of processes when our process dies.
    if (isWindows && other === undefined) return
    recording?.started({ pid: isWindows ? undefined : pid, stdinGrace, termGrace, other })
    this.#isRecorded = true
  }

  /** It is gone, with its container. */
  #forget(): void {
    LiveGroups.remove(this)
    if (this.#isRecorded) this.#options.recording?.ended()
    this.#isRecorded = false
  }

  async #ladder(): Promise<void> {
    if (this.exit === undefined && !this.#gone) {
      this.child.stdin.end()
      if (this.serving) await this.#exitWithin(this.#options.stdinGrace)
    }
    if (this.#isGone()) return
    if (!isWindows) {
      this.#signal("SIGTERM")
      // A stopped process acts on SIGTERM only when it goes on.
      this.#signal("SIGCONT")
      this.#terminated = this.exit === undefined
      if (await this.#goneWithin(this.#options.termGrace)) return
    }
    this.#signal("SIGKILL")
    if (await this.#goneWithin(killBound)) return
    throw new Error(`process group ${this.pid} still has processes ${killBound} ms after SIGKILL`)
  }

  #exitWithin(millis: number): Promise<void> {
    if (this.exit !== undefined) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#onExit = undefined
        resolve()
      }
      const timer = setTimeout(done, millis)
      this.#onExit = done
    })
  }

  async #goneWithin(millis: number): Promise<boolean> {
    const deadline = performance.now() + millis
    let poll = firstPoll
    for (;;) {
      if (this.#isGone()) return true
      const left = deadline - performance.now()
      if (left <= 0) return false
      if (this.exit === undefined) await this.#exitWithin(left)
      else {
        await new Promise((resolve) => setTimeout(resolve, Math.min(left, poll)))
        poll = Math.min(poll * 2, slowestPoll)
      }
    }
  }

  #isGone(): boolean {
    if (!this.#gone && this.exit !== undefined && !this.#hasMembers()) {
      this.#gone = true
      this.#job?.close()
      if (this.#options.container === undefined) this.#forget()
    }
    return this.#gone
  }

  #hasMembers(): boolean {
    if (isWindows) return this.#job?.hasMembers() ?? false
    if (this.pid === undefined) return false
    try {
      process.kill(-this.pid, 0)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== "ESRCH"
    }
    return process.platform !== "linux" || hasLivingMembers(this.pid)
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#gone || this.pid === undefined) return
    try {
      if (!isWindows) process.kill(-this.pid, signal)
      else if (this.#job !== undefined) this.#job.terminate()
      else {
        spawn(taskkill, ["/pid", String(this.pid), "/T", "/F"], { windowsHide: true, stdio: "ignore" })
          .on("error", () => this.child.kill())
          .on("exit", (code) => code !== 0 && this.child.kill())
      }
    } catch {
      // Gone in this moment, which the next look will find; or not ours to end, which the last step reports.
    }
  }
}

/** In a container whose first process reaps nobody, the dead stay members of their group for ever. */
const hasLivingMembers = (group: number): boolean => {
  try {
    for (const entry of readdirSync("/proc")) {
      if (!/^\d+$/.test(entry)) continue
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, "utf8")
        // The name, in parentheses, may hold anything.
        const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
        if (Number(pgrp) === group && state !== "Z" && state !== "X") return true
      } catch {
        // It ended while we were looking.
      }
    }
    return false
  } catch {
    return true
  }
}
