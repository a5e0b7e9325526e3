/** Stopped and removed once its process has ended, in whatever way (S11). */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as ContainerCommand from "./ContainerCommand.js"
import * as WindowsCommand from "./WindowsCommand.js"

export interface Found {
  readonly engine: ContainerCommand.ContainerCommand["engine"]
  readonly run: string
  /** Volumes without a name go with it. */
  readonly rm: boolean
}

/** Durations in milliseconds. */
export interface Surroundings {
  readonly env: Record<string, string>
  readonly cwd: string | undefined
  readonly termGrace: number
  readonly ending: Set<Promise<void>>
  readonly warn: (message: string) => void
}

export interface End {
  /** The container has had SIGTERM, and its time. */
  readonly terminated: boolean
  /** The engine may still be making the container. */
  readonly late: boolean
  /** The engine says so itself. */
  readonly refused: boolean
}

/** Of one command, beside `termGrace`. */
const commandBound = 10_000
/** Of all commands: the next process waits for them. */
const removalBound = 30_000
/** Another removal may be under way. */
const firstWait = 100
const lateWait = 1_000
const maxOutput = 65_536

const isId = (text: string): boolean => /^[0-9a-zA-Z][\w.-]*$/.test(text)

const idsOf = (stdout: string): ReadonlyArray<string> => stdout.split(/\s+/).filter(isId)

const wait = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

export class Container {
  readonly found: Found
  readonly #surroundings: Surroundings
  readonly #bound: number
  readonly #running = new Set<ChildProcess>()
  #deadline = 0
  #isEnded = false

  constructor(found: Found, surroundings: Surroundings, bound: number = removalBound) {
    this.found = found
    this.#surroundings = surroundings
    this.#bound = bound
  }

  static of(command: ContainerCommand.ContainerCommand, surroundings: Surroundings): Container {
    const { engine, rm } = command
    return new Container({ engine, rm, run: randomBytes(12).toString("hex") }, surroundings)
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** A failure is a warning. */
  end(end: End): Promise<void> {
    const { ending } = this.#surroundings
    const ended = this.#end(end).finally(() => ending.delete(ended))
    ending.add(ended)
    return ended
  }

  async #end(end: End): Promise<void> {
    try {
      await this.remove(end)
    } catch (error) {
      const { engine, run } = this.found
      const filter = `label=${ContainerCommand.label}=${run}`
      if (!end.refused) {
        this.#surroundings.warn(
          `the container of a process that has ended may still run: ${
            error instanceof Error ? error.message : String(error)
          }; find it with `
            + `"${engine[0]} ps -a --filter ${filter}" and remove it`
        )
      }
    } finally {
      this.#isEnded = true
    }
  }

  /** Rejects if the container may still be there after 30 seconds. */
  async remove({ late, terminated }: Pick<End, "late" | "terminated">): Promise<void> {
    this.#deadline = performance.now() + this.#bound
    let ids = await this.#ids()
    if (ids.length === 0 && late) {
      await wait(lateWait)
      ids = await this.#ids()
    }
    if (ids.length > 0 && !terminated) {
      const { termGrace } = this.#surroundings
      // Whether it was stopped shows when it is removed.
      await this.#run(["stop", "-t", String(Math.ceil(termGrace / 1_000)), ...ids], commandBound + termGrace).catch(
        () => {}
      )
    }
    for (let pause = firstWait; ids.length > 0; pause *= 2) {
      const failure = await this.#run(this.#removal(ids)).then(() => undefined, (error: unknown) => error)
      ids = await this.#ids()
      if (ids.length === 0) return
      if (performance.now() + pause > this.#deadline) throw failure ?? new Error("it is still there after its removal")
      await wait(pause)
    }
  }

  /** While this process exits; not after `until`, on the scale of `performance.now`. */
  removeNow(until: number): void {
    for (const child of this.#running) child.kill("SIGKILL")
    const ids = idsOf(this.#runNow(this.#list(), until))
    if (ids.length > 0) this.#runNow(this.#removal(ids), until)
  }

  #list(): ReadonlyArray<string> {
    return ["ps", "-a", "-q", "--filter", `label=${ContainerCommand.label}=${this.found.run}`]
  }

  #removal(ids: ReadonlyArray<string>): ReadonlyArray<string> {
    return ["rm", "-f", ...(this.found.rm ? ["-v"] : []), ...ids]
  }

  async #ids(): Promise<ReadonlyArray<string>> {
    return idsOf(await this.#run(this.#list()))
  }

  #start(args: ReadonlyArray<string>) {
    const { cwd, env } = this.#surroundings
    const [program, ...options] = this.found.engine
    const all = [...options, ...args]
    const { file, args: given, verbatim } = process.platform === "win32"
      ? WindowsCommand.resolve(program, all, env, cwd ?? process.cwd())
      : { file: program, args: all, verbatim: false }
    return {
      file,
      args: given,
      options: { cwd, env, windowsHide: true, windowsVerbatimArguments: verbatim, shell: false }
    }
  }

  #run(given: ReadonlyArray<string>, longest = commandBound): Promise<string> {
    const bound = Math.max(1, Math.min(longest, this.#deadline - performance.now()))
    return new Promise((resolve, reject) => {
      const { args, file, options } = this.#start(given)
      const child = spawn(file, args, { ...options, stdio: ["ignore", "pipe", "pipe"] })
      this.#running.add(child)
      const output = { stdout: "", stderr: "" }
      for (const name of ["stdout", "stderr"] as const) {
        child[name].on("data", (chunk: Buffer) => {
          output[name] = (output[name] + chunk.toString("utf8")).slice(0, maxOutput)
        }).on("error", () => {})
      }
      const fail = (why: string): void => {
        clearTimeout(timer)
        this.#running.delete(child)
        reject(new Error(`${this.found.engine[0]} ${given[0]}: ${why}`))
      }
      const timer = setTimeout(() => {
        child.kill("SIGKILL")
        // A child of it may hold the pipes.
        child.stdout.destroy()
        child.stderr.destroy()
        fail(`no answer within ${Math.ceil(bound / 1_000)} s`)
      }, bound)
      child.on("error", (error) => fail(error.message))
      child.on("close", (code) => {
        if (code !== 0) return fail(output.stderr.trim().slice(0, 500) || `exit code ${code}`)
        clearTimeout(timer)
        this.#running.delete(child)
        resolve(output.stdout)
      })
    })
  }

  #runNow(given: ReadonlyArray<string>, until: number): string {
    const left = until - performance.now()
    if (left <= 0) return ""
    try {
      const { args, file, options } = this.#start(given)
      const { stdout } = spawnSync(file, args, {
        ...options,
        stdio: ["ignore", "pipe", "ignore"],
        timeout: Math.ceil(Math.min(commandBound, left)),
        killSignal: "SIGKILL"
      })
      return stdout.toString("utf8")
    } catch {
      // Nobody is left to whom it could be said.
      return ""
    }
  }
}
