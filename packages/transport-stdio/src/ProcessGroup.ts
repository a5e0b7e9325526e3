import type { ChildProcessWithoutNullStreams } from "node:child_process"
import { spawn } from "node:child_process"
import type { Socket } from "node:net"
import type { Writable } from "node:stream"
import type { Container } from "./Container.js"
import * as LeftContainer from "./LeftContainer.js"
import * as LiveGroups from "./LiveGroups.js"
import * as ProcStat from "./ProcStat.js"
import type { Recording } from "./Recorder.js"
import * as WindowsCommand from "./WindowsCommand.js"
import * as WindowsJob from "./WindowsJob.js"

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export const describeExit = ({ code, signal }: Exit): string =>
  signal === null ? `exited with code ${code}` : `was killed by ${signal}`

/** Durations in milliseconds. */
export interface Options {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: Record<string, string>
  readonly cwd: string | undefined
  readonly stdinGrace: number
  readonly termGrace: number
  readonly handleSignals: boolean
  readonly container?: Container | undefined
  readonly recording?: Recording | undefined
  /** How long it may be downloading its server, from its start. Default: it downloads none. */
  readonly installTime?: number | undefined
}

/** After SIGKILL only the kernel is to be waited for. */
const killBound = 5_000
/** Instead of `termGrace`, in a condemned group. */
const condemnedGrace = 200
const firstPoll = 5
/** Exit code of docker, podman and nerdctl that cannot run a container. */
const refused = 125
const slowestPoll = 250

const isWindows = process.platform === "win32"

/** Else it would be looked for in the current folder first. */
const taskkill = `${process.env["SystemRoot"] || "C:\\Windows"}\\System32\\taskkill.exe`

/**
 * The constructor throws what `spawn` throws, or a `WindowsCommand.Unstartable`. Later failures come as the child's `error` event.
 *
 * Windows has no process groups and no SIGTERM: there, the processes are a job, ended as by SIGKILL. Without jobs, `taskkill /T /F` misses
 * what was re-parented.
 */
export class ProcessGroup implements LiveGroups.LiveGroup {
  readonly child: Omit<ChildProcessWithoutNullStreams, "stdin">
  readonly stdin: Writable
  readonly handleSignals: boolean
  exit: Exit | undefined

  readonly #options: Options
  #job: WindowsJob.WindowsJob | undefined
  /** For ever: from then on the system may give the number to another process. */
  #gone = false
  #shutdown: Promise<void> | undefined
  #onExit: (() => void) | undefined
  #serving = false
  /** End of a possible download, in milliseconds since 1970. */
  #finishBy = 0
  #finished: Promise<void> | undefined
  #terminated = false
  #isCondemned = false
  #isRecorded = false

  constructor(options: Options) {
    this.#options = options
    this.handleSignals = options.handleSignals
    const start = isWindows
      ? WindowsCommand.resolve(options.command, options.args, options.env, options.cwd ?? process.cwd())
      : { file: options.command, args: options.args, verbatim: false }
    const child = spawn(start.file, start.args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["pipe", "pipe", "pipe"],
      detached: !isWindows,
      windowsHide: true,
      windowsVerbatimArguments: start.verbatim,
      shell: false
    })
    this.child = child
    this.stdin = child.stdin
    if (this.child.pid === undefined) {
      this.#gone = true
      return
    }
    // Node would destroy it once it has waited for the child, before it has heard what became of the bytes in it. (V7)
    Object.assign(child, { stdin: null })
    // At once: what it starts before is not in the job.
    if (isWindows) this.#job = WindowsJob.hold(this.child.pid)
    LiveGroups.add(this)
    if (options.installTime !== undefined) this.#finishBy = Date.now() + options.installTime
    this.#record(this.child.pid)
    this.child.once("exit", (code, signal) => {
      this.exit = { code, signal }
      this.#onExit?.()
      // What outlives its leader serves nobody. At once: the number stays taken only while the group has members.
      if (!this.#isGone() || options.container !== undefined) this.shutdown().catch(() => {})
    })
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  get serving(): boolean {
    return this.#serving
  }

  serves(): void {
    this.#serving = true
    this.installed()
  }

  installed(): void {
    if (this.#finishBy === 0) return
    this.#finishBy = 0
    if (this.pid !== undefined && this.#isRecorded) this.#record(this.pid)
  }

  /**
   * It cannot see the end of its stdin, and must not wake up and carry out what it had not read. If a process of the group is stopped, all
   * are.
   */
  condemn(): void {
    this.#isCondemned = true
    if (this.#isStopped()) this.#signal("SIGKILL")
    else this.child.kill("SIGKILL")
  }

  destroyStreams(): void {
    if (this.pid === undefined) return
    for (const stream of [this.stdin, this.child.stdout, this.child.stderr]) stream.destroy()
  }

  /** Settles when a group that goes on after `shutdown` has ended. */
  get finished(): Promise<void> | undefined {
    return this.#finished
  }

  /**
   * Ends stdin, then sends SIGTERM and SIGKILL to the group, each after its grace. SIGTERM goes at once to a child that has not shown
   * itself to be a server: it may not read stdin. SIGKILL goes at once if a process is stopped, and in the place of SIGTERM on Windows.
   * Ends when no process of the group is left, and its container is removed. Runs once. Rejects when something survives SIGKILL for five
   * seconds.
   *
   * What may be downloading gets only the end of its stdin until its `installTime` is over: a signal can ruin its package manager's cache.
   * (W5)
   */
  shutdown(): Promise<void> {
    const { container } = this.#options
    this.#shutdown ??= container === undefined
      ? this.#isInstalling() ? this.#letFinish() : this.#ladder()
      : this.#ladder().finally(() => this.#endContainer(container))
    return this.#shutdown
  }

  kill(until = Number.POSITIVE_INFINITY): void {
    // Its stdin ends with this process, and its record tells the next one about it.
    if (this.#isInstalling() && !isWindows) return this.#readOn()
    this.#signal("SIGKILL")
    if (this.#options.container?.isEnded === false) this.#options.container.removeNow(until)
  }

  async #endContainer(container: Container): Promise<void> {
    if (this.pid === undefined) return
    const { code = null, signal = null } = this.exit ?? {}
    await container.end({
      terminated: this.#terminated,
      late: signal !== null && !this.#serving,
      refused: code === refused
    })
    this.#forget()
  }

  #record(pid: number): void {
    const { container, cwd, env, recording, stdinGrace, termGrace } = this.#options
    const other = container && LeftContainer.of(container.found, { cwd, env, termGrace })
    // Windows ends the tree of processes when our process dies.
    if (isWindows && other === undefined) return
    const finishBy = this.#finishBy === 0 ? {} : { finishBy: this.#finishBy }
    recording?.started({ pid: isWindows ? undefined : pid, stdinGrace, termGrace, other, ...finishBy })
    this.#isRecorded = true
  }

  #forget(): void {
    LiveGroups.remove(this)
    if (this.#isRecorded) this.#options.recording?.ended()
    this.#isRecorded = false
  }

  #isInstalling(): boolean {
    return this.exit === undefined && !this.#gone && Date.now() < this.#finishBy
  }

  async #letFinish(): Promise<void> {
    const { stderr, stdout } = this.child
    this.stdin.end()
    this.child.unref()
    for (const stream of [this.stdin, stdout, stderr]) (stream as Partial<Socket>).unref?.()
    this.#finished = this.#exitWithin(this.#finishBy - Date.now(), true).then(() => this.#ladder())
    this.#finished.catch(() => {})
  }

  /** Without a reader, the next line that it writes would end it. */
  #readOn(): void {
    for (const stream of [this.child.stdout, this.child.stderr]) {
      try {
        spawn("cat", [], { stdio: [stream, "ignore", "ignore"], detached: true }).on("error", () => {}).unref()
      } catch {
        // It has been closed: nobody writes to it.
      }
    }
  }

  async #ladder(): Promise<void> {
    if (this.exit === undefined && !this.#gone) {
      this.stdin.end()
      if (this.#serving && !this.#isCondemned && !this.#isStopped()) await this.#exitWithin(this.#options.stdinGrace)
    }
    if (this.#isGone()) return
    if (!isWindows && !this.#isStopped()) {
      this.#signal("SIGTERM")
      this.#terminated = this.exit === undefined
      if (await this.#goneWithin(this.#isCondemned ? condemnedGrace : this.#options.termGrace)) return
    }
    this.#signal("SIGKILL")
    if (await this.#goneWithin(killBound)) return
    throw new Error(`process group ${this.pid} still has processes ${killBound} ms after SIGKILL`)
  }

  #exitWithin(millis: number, mayExit = false): Promise<void> {
    if (this.exit !== undefined) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#onExit = undefined
        resolve()
      }
      const timer = setTimeout(done, millis)
      if (mayExit) timer.unref()
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
    return process.platform !== "linux" || livingMembers(this.pid) !== ""
  }

  /** A stopped process would carry out what waits in its pipe before it acts on SIGTERM. */
  #isStopped(): boolean {
    return process.platform === "linux" && this.pid !== undefined && /[Tt]/.test(livingMembers(this.pid))
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
      // Gone in this moment, or not ours to end: the next look shows it.
    }
  }
}

/** In a container whose first process reaps nobody, the dead stay members of their group. */
const livingMembers = (group: number): string => {
  try {
    return ProcStat.pids().map(ProcStat.stat).filter((stat) => stat?.group === group).map((stat) => stat?.state).join(
      ""
    )
  } catch {
    return "?"
  }
}
