/** A PostgreSQL of its own. Debian's package `postgresql` has what is needed. */
import { ReservedPort } from "@mcp-lifeline/testing"
import { Effect, type Scope } from "effect"
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const versions = "/usr/lib/postgresql"

const programs = [
  ...(existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, "bin")) : []),
  ...(process.env["PATH"] ?? "").split(":")
].findLast((folder) => existsSync(join(folder, "initdb")))

export const isInstalled = programs !== undefined

export const title = isInstalled ? "" : " (skipped: PostgreSQL is not installed)"

/** It refuses to run as root; `nobody` owns nothing else. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

export class Postgres {
  readonly url: string
  readonly #folder: string
  readonly #port: number
  #process: ChildProcess | undefined

  constructor(folder: string, port: number) {
    this.#folder = folder
    this.#port = port
    this.url = `postgres://lifeline@127.0.0.1:${port}/postgres`
  }

  async start(): Promise<void> {
    const settings = { fsync: "off", listen_addresses: "127.0.0.1", port: this.#port, unix_socket_directories: "" }
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
    const child = spawn(join(programs!, "postgres"), ["-D", this.#folder, ...args], {
      ...user,
      cwd: this.#folder,
      stdio: ["ignore", "ignore", "pipe"]
    })
    this.#process = child
    let printed = ""
    for await (const data of child.stderr!.setEncoding("utf8")) {
      printed += String(data)
      if (printed.includes("ready to accept connections")) {
        child.stderr!.resume()
        return
      }
    }
    throw new Error(`PostgreSQL has ended: ${printed}`)
  }

  /** Ends it as a crash would: all connections break. */
  async crash(): Promise<void> {
    await this.#end("SIGQUIT")
  }

  /** Stops its processes: connections stay open, and nothing answers. */
  freeze(): void {
    this.#signal("SIGSTOP")
  }

  thaw(): void {
    this.#signal("SIGCONT")
  }

  async remove(): Promise<void> {
    this.thaw()
    await this.#end("SIGQUIT")
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Its processes come and go, also between being listed and getting their signal. */
  #signal(signal: NodeJS.Signals): void {
    for (const pid of this.#pids()) {
      try {
        process.kill(pid, signal)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
      }
    }
  }

  #pids(): ReadonlyArray<number> {
    const pid = this.#process?.pid
    if (pid === undefined || this.#process?.exitCode !== null) return []
    const children = execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" })
    return [pid, ...children.split("\n").filter((line) => line.trim() !== "").map(Number)]
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, "exit")
    child.kill(signal)
    await ended
  }
}

export const make: Effect.Effect<Postgres, never, Scope.Scope> = Effect.gen(function*() {
  const { port } = yield* ReservedPort.make
  return yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = mkdtempSync(join(tmpdir(), "lifeline-postgres-"))
      if (user.uid !== undefined) chownSync(folder, user.uid, user.gid)
      execFileSync(join(programs!, "initdb"), [
        "-D",
        folder,
        "-U",
        "lifeline",
        "-A",
        "trust",
        "--no-sync",
        "-E",
        "UTF8"
      ], {
        ...user,
        cwd: folder,
        stdio: "ignore"
      })
      const postgres = new Postgres(folder, port)
      await postgres.start()
      return postgres
    }),
    (postgres) => Effect.promise(() => postgres.remove())
  )
})
