/**
 * A cluster of real processes: a PostgreSQL, replicas that share it, servers that write down when they live, and a network between all of
 * them that a test can take away.
 */
import { ReservedPort, TcpProxy } from "@mcp-lifeline/testing"
import { Effect, Exit, Scope } from "effect"
import { build } from "esbuild"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import { sources } from "../../../testing/test/support/sources.js"
import type { Options } from "../fixtures/member.js"

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

/** The time of the servers' ledger. */
export const now = (): number => Number(process.hrtime.bigint() / 1_000_000n)

/** A process of a server: from when to when it has written. */
export interface Life {
  readonly server: string
  readonly pid: number
  readonly from: number
  readonly to: number
}

/** One replica. */
export class Member {
  readonly address: string
  readonly database: TcpProxy.TcpProxy
  /** The ways to the other replicas, by their addresses. */
  readonly ways = new Map<string, TcpProxy.TcpProxy>()
  readonly #program: string
  readonly #options: () => Options
  #process: ChildProcess | undefined

  constructor(address: string, database: TcpProxy.TcpProxy, program: string, options: () => Options) {
    this.address = address
    this.database = database
    this.#program = program
    this.#options = options
  }

  /** Its process, while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Starts it, and waits until it has its backends. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [this.#program, JSON.stringify(this.#options())], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    this.#process = child
    await Promise.race([
      once(child.stdout, "data"),
      once(child, "exit").then(() => Promise.reject(new Error(`${this.address} has ended at its start`)))
    ])
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal)
  }

  /** Sends a signal that ends it, and waits until it has. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    this.#process = undefined
    const ended = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined
    child.kill(signal)
    child.kill("SIGCONT")
    await ended
  }
}

/** See the head of the file. */
export class Members implements AsyncDisposable {
  readonly postgres: Postgres.Postgres
  readonly members: ReadonlyArray<Member>
  readonly #scope: Scope.CloseableScope
  readonly #ledger: string

  private constructor(
    postgres: Postgres.Postgres,
    members: ReadonlyArray<Member>,
    scope: Scope.CloseableScope,
    ledger: string
  ) {
    this.postgres = postgres
    this.members = members
    this.#scope = scope
    this.#ledger = ledger
  }

  /**
   * Starts replicas, one after the other, that want these servers. `isCuttable`: whether `cutOff` can be used; then replicas reach each other
   * through proxies, which accept connections to one that is gone. `calm`: as that of `Cluster`; default: no server ever moves.
   */
  static async start(
    count: number,
    servers: ReadonlyArray<string>,
    { calm, isCuttable = false }: { readonly calm?: number | undefined; readonly isCuttable?: boolean | undefined } = {}
  ): Promise<Members> {
    const scope = Effect.runSync(Scope.make())
    const acquire = <A>(work: Effect.Effect<A, never, Scope.Scope>) => Effect.runPromise(Scope.extend(work, scope))
    const folder = mkdtempSync(join(tmpdir(), "lifeline-members-"))
    await acquire(Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))))
    const program = join(folder, "member.cjs")
    await build({
      entryPoints: [fixture("member.ts")],
      outfile: program,
      bundle: true,
      platform: "node",
      target: "node20.18",
      define: { "import.meta.url": "__url" },
      banner: { js: `const __url = ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)}` },
      external: ["pg-native"],
      logLevel: "error",
      alias: { ...sources }
    })
    const postgres = await acquire(Postgres.make)
    const ledger = join(folder, "ledger")
    const ports = await Promise.all(Array.from({ length: count }, () => acquire(ReservedPort.make)))
    const addresses = ports.map(({ port }) => `http://127.0.0.1:${port}`)
    const members: Array<Member> = []
    for (const [index, address] of addresses.entries()) {
      const database = await acquire(TcpProxy.make(postgres.url.replace("postgres:", "http:")))
      const member: Member = new Member(address, database, program, () => ({
        database: postgres.url.replace(/:\d+\//, `:${database.port}/`),
        port: ports[index]!.port,
        address,
        ways: Object.fromEntries(Array.from(member.ways, ([to, way]) => [to, way.url.replace(/\/$/, "")])),
        servers,
        program: fixture("counting.mjs"),
        ledger,
        calm
      }))
      for (const to of isCuttable ? addresses : []) {
        if (to !== address) member.ways.set(to, await acquire(TcpProxy.make(to)))
      }
      members.push(member)
    }
    const all = new Members(postgres, members, scope, ledger)
    for (const member of members) await member.start()
    return all
  }

  #lines(): ReadonlyArray<string> {
    return existsSync(this.#ledger) ? readFileSync(this.#ledger, "utf8").split("\n") : []
  }

  /** What became of the calls of all clients, by what they were told; and how often each had an effect. */
  calls(): {
    readonly told: ReadonlyMap<string, ReadonlyArray<string>>
    readonly effects: ReadonlyMap<string, number>
  } {
    const told = new Map<string, Array<string>>()
    const effects = new Map<string, number>()
    for (const line of this.#lines()) {
      const [what, key, more] = line.split(" ")
      if (what === undefined || key === undefined || more !== undefined) continue
      if (what === "effect") effects.set(key, (effects.get(key) ?? 0) + 1)
      else told.set(key, [...told.get(key) ?? [], what])
    }
    return { told, effects }
  }

  /** All processes of servers that there were. */
  lives(): ReadonlyArray<Life> {
    const lives = new Map<number, Life>()
    for (const line of this.#lines()) {
      const [server, pid, at] = line.split(" ")
      if (server === undefined || pid === undefined || at === undefined || at === "") continue
      const from = lives.get(Number(pid))?.from ?? Number(at)
      lives.set(Number(pid), { server, pid: Number(pid), from, to: Number(at) })
    }
    return [...lives.values()]
  }

  /** The servers that have written a short time ago, with their processes. */
  alive(): ReadonlyArray<Life> {
    const since = now() - 1000
    return this.lives().filter(({ to }) => to > since)
  }

  /** Two processes of a server whose lives overlap. */
  overlaps(): ReadonlyArray<readonly [Life, Life]> {
    const lives = this.lives()
    return lives.flatMap((one) =>
      lives.flatMap((other) =>
        one.server === other.server && one.pid !== other.pid && one.from <= other.from && other.from <= one.to
          ? [[one, other] as const]
          : []
      )
    )
  }

  /** The replica whose child a process is. */
  owner({ pid }: Life): Member | undefined {
    const status = `/proc/${pid}/status`
    const parent = existsSync(status) ? /^PPid:\s+(\d+)/m.exec(readFileSync(status, "utf8"))?.[1] : undefined
    return this.members.find(({ pid }) => pid !== undefined && String(pid) === parent)
  }

  /** Takes the network of a replica away, or gives it back. */
  cutOff(member: Member, isCut: boolean): void {
    const toIt = this.members.flatMap(({ ways }) => ways.get(member.address) ?? [])
    for (const way of [member.database, ...member.ways.values(), ...toIt]) {
      if (isCut) way.hold()
      else way.release()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member.end("SIGKILL")))
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }
}
