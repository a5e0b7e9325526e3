/** Replicas as processes that share a PostgreSQL, in a network that a test can take away. */
import { ReservedPort, TcpProxy } from "@mcp-lifeline/testing"
import { Effect, Exit, Scope } from "effect"
import { build } from "esbuild"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as CountingLedger from "../../../testing/test/support/CountingLedger.js"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import { sources } from "../../../testing/test/support/sources.js"
import type { Options } from "../fixtures/member.js"

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

export class Member {
  readonly address: string
  readonly database: TcpProxy.TcpProxy
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

  get pid(): number | undefined {
    return this.#process?.pid
  }

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

export class Members implements AsyncDisposable {
  readonly postgres: Postgres.Postgres
  readonly members: ReadonlyArray<Member>
  readonly ledger: CountingLedger.CountingLedger
  readonly #scope: Scope.CloseableScope

  private constructor(
    postgres: Postgres.Postgres,
    members: ReadonlyArray<Member>,
    scope: Scope.CloseableScope,
    ledger: CountingLedger.CountingLedger
  ) {
    this.postgres = postgres
    this.members = members
    this.#scope = scope
    this.ledger = ledger
  }

  /** `isCuttable`: by proxies, which accept connections to one that is gone. `calm`: by default no server ever moves. */
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
    const all = new Members(postgres, members, scope, new CountingLedger.CountingLedger(ledger))
    for (const member of members) await member.start()
    return all
  }

  owner({ pid }: CountingLedger.Life): Member | undefined {
    const parent = CountingLedger.parentOf(pid)
    return parent === undefined ? undefined : this.members.find(({ pid }) => pid === parent)
  }

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
