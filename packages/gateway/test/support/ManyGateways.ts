/** Replicas of one cluster: processes of `mcp-lifeline serve --cluster`, a PostgreSQL, and a network between all of them that a test can take away. */
import { ReservedPort, TcpProxy } from "@mcp-lifeline/testing"
import { Effect, Exit, Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe } from "vitest"
import { gateway } from "../../../testing/test/support/Built.js"
import * as CountingLedger from "../../../testing/test/support/CountingLedger.js"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import type { GatewayStatus } from "../../src/http-api/GatewayStatus.js"

const counting = fileURLToPath(new URL("../../../cluster/test/fixtures/counting.mjs", import.meta.url))
const waysScript = fileURLToPath(new URL("../fixtures/ways.cjs", import.meta.url))

/** Describes tests of a cluster. They are skipped where it cannot be. */
export const describeCluster = (title: string, body: () => void, timeout = 400_000): void => {
  const isPossible = Postgres.isInstalled && process.platform === "linux"
  describe.skipIf(!isPossible)(`${title}${Postgres.title}`, { timeout }, () => {
    body()
  })
}

/** What all replicas have in common, also as the key of their cluster. */
export const sessionKey = "the key that all replicas of this test have in common"

interface Place {
  readonly port: number
  readonly clusterPort: number
  readonly config: string
  readonly args: ReadonlyArray<string>
  readonly lifeline: object | undefined
  readonly env: Readonly<Record<string, string>>
}

export class Replica {
  readonly port: number
  readonly clusterPort: number
  readonly #place: Place
  /** The ways to the database and to the other replicas, by their ports. */
  readonly ways = new Map<number, TcpProxy.TcpProxy>()
  #process: ChildProcess | undefined
  #printed = ""

  constructor(place: Place) {
    this.port = place.port
    this.clusterPort = place.clusterPort
    this.#place = place
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.port}/mcp`)
  }

  get printed(): string {
    return this.#printed
  }

  configure(mcpServers: Readonly<Record<string, unknown>>): void {
    const { config, lifeline } = this.#place
    writeFileSync(config, JSON.stringify({ mcpServers, lifeline }))
  }

  get configured(): Readonly<Record<string, unknown>> {
    return JSON.parse(readFileSync(this.#place.config, "utf8")).mcpServers
  }

  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const ways = Object.fromEntries(Array.from(this.ways, ([port, way]) => [port, Number(new URL(way.url).port)]))
    const { args, clusterPort, config, env: own, port } = this.#place
    const place = ["--port", String(port), "--cluster-address", `http://127.0.0.1:${clusterPort}`, "--config", config]
    const child = spawn(process.execPath, ["--require", waysScript, gateway, "serve", ...place, ...args], {
      env: { ...process.env, NO_COLOR: "1", WAYS: JSON.stringify(ways), ...own, ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    this.#process = child
    let printed = ""
    const serves = new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          printed += text
          this.#printed += text
          if (printed.includes("Serving http")) resolve()
        })
      }
      child.once("exit", () => reject(new Error(`the replica at ${port} has ended at its start: ${printed}`)))
    })
    await serves
  }

  async status(): Promise<GatewayStatus> {
    return await (await fetch(new URL("/api/status", this.url))).json() as GatewayStatus
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

export interface Options {
  /** Names of servers that all clients share. */
  readonly servers: ReadonlyArray<string>
  /** Names of servers that each client has for itself. */
  readonly own?: ReadonlyArray<string>
  readonly entries?: Readonly<Record<string, unknown>>
  readonly lifeline?: object | undefined
  readonly args?: (index: number) => ReadonlyArray<string>
  /** How long a lease is. Give a long one where the end of a lease is not what the test is about: a machine that is busy loses a short one. */
  readonly lease?: string | undefined
  /** For how long servers go on without the database. */
  readonly withoutDatabase?: string | undefined
}

export class ManyGateways implements AsyncDisposable {
  readonly postgres: Postgres.Postgres
  readonly replicas: ReadonlyArray<Replica>
  readonly ledger: CountingLedger.CountingLedger
  readonly #scope: Scope.CloseableScope

  private constructor(
    postgres: Postgres.Postgres,
    replicas: ReadonlyArray<Replica>,
    ledger: CountingLedger.CountingLedger,
    scope: Scope.CloseableScope
  ) {
    this.postgres = postgres
    this.replicas = replicas
    this.ledger = ledger
    this.#scope = scope
  }

  static async start(
    count: number,
    { args = () => [], entries = {}, lease = "", lifeline, own = [], servers, withoutDatabase = "" }: Options
  ): Promise<ManyGateways> {
    const scope = Effect.runSync(Scope.make())
    const acquire = <A>(work: Effect.Effect<A, never, Scope.Scope>) => Effect.runPromise(Scope.extend(work, scope))
    const folder = mkdtempSync(join(tmpdir(), "lifeline-gateways-"))
    await acquire(Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))))
    const ledger = join(folder, "ledger")
    const run = (...args: ReadonlyArray<string>) => ({ command: process.execPath, args: [counting, ...args] })
    const mcpServers = {
      ...Object.fromEntries(servers.map((name) => [name, run(name, ledger)])),
      ...Object.fromEntries(
        own.map((name) => [name, { ...run(name, ledger, "own"), lifeline: { sessions: "per-client" } }])
      ),
      ...entries
    }
    const postgres = await acquire(Postgres.make)
    const ports = await Promise.all(Array.from({ length: 2 * count }, () => acquire(ReservedPort.make)))
    const replicas = Array.from({ length: count }, (_, index) =>
      new Replica({
        port: ports[2 * index]!.port,
        clusterPort: ports[2 * index + 1]!.port,
        config: join(folder, `mcp-${index}.json`),
        args: args(index),
        lifeline,
        env: {
          MCP_LIFELINE_CLUSTER: postgres.url,
          MCP_LIFELINE_CLUSTER_LEASE: lease,
          MCP_LIFELINE_CLUSTER_WITHOUT_DATABASE: withoutDatabase,
          MCP_LIFELINE_SESSION_KEY: sessionKey,
          MCP_LIFELINE_STATE: join(folder, `state ${index}`)
        }
      }))
    const database = Number(new URL(postgres.url).port)
    for (const replica of replicas) {
      const others = replicas.filter((one) => one !== replica).map(({ clusterPort }) => clusterPort)
      for (const port of [database, ...others]) {
        replica.ways.set(port, await acquire(TcpProxy.make(`http://127.0.0.1:${port}`)))
      }
    }
    const all = new ManyGateways(postgres, replicas, new CountingLedger.CountingLedger(ledger), scope)
    for (const replica of replicas) replica.configure(mcpServers)
    await Promise.all(replicas.map((replica) => replica.start()))
    return all
  }

  /** Takes the network of a replica away, except to its clients, or gives it back. */
  cutOff(replica: Replica, isCut: boolean): void {
    const toIt = this.replicas.flatMap(({ ways }) => ways.get(replica.clusterPort) ?? [])
    for (const way of [...replica.ways.values(), ...toIt]) {
      if (isCut) way.hold()
      else way.release()
    }
  }

  owner(pid: number): Replica | undefined {
    const parent = CountingLedger.parentOf(pid)
    return this.replicas.find(({ pid }) => pid !== undefined && pid === parent)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.end("SIGKILL")))
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
  }
}
