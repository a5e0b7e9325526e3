import { type Backend, type CallError, ResultUnknown } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Exit, Redacted, Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Cluster from "../src/Cluster.js"
import * as ClusterBackend from "../src/ClusterBackend.js"
import type { ClusterStore } from "../src/ClusterStore.js"
import * as MemoryStore from "../src/testing/MemoryStore.js"

const run = Effect.runPromise
const key = Redacted.make("a key that all replicas of this test have in common")

let store: ClusterStore
let journal: string
let folder: string
const replicas = new Set<Replica>()

beforeEach(() => {
  store = MemoryStore.make()
  folder = mkdtempSync(join(tmpdir(), "lifeline-cluster-"))
  journal = join(folder, "journal")
})
afterEach(async () => {
  await Promise.all([...replicas].map((one) => one.stop()))
  replicas.clear()
  rmSync(folder, { recursive: true, force: true })
})

class Replica {
  readonly #process = Effect.runSync(Scope.make())
  readonly #server = Effect.runSync(Scope.make())
  readonly #listener = createServer((request, response) => {
    if (this.cluster?.handle(request, response, request.url ?? "") !== true) response.writeHead(404).end()
  })
  cluster: Cluster.Cluster | undefined
  backend!: Backend.Backend

  get address(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`
  }

  static async start(): Promise<Replica> {
    const replica = new Replica()
    replicas.add(replica)
    await new Promise<void>((resolve) => void replica.#listener.listen(0, "127.0.0.1", resolve))
    const cluster = await run(
      Scope.extend(Cluster.make({ store, key, address: replica.address }), replica.#process)
    )
    replica.cluster = cluster
    const made = ClusterBackend.make("notes", {
      connector: (env) => StdioConnector.make({ ...StdioFaultServer.command({ journal }), env })
    })
    replica.backend = await run(Scope.extend(Effect.provideService(made, Cluster.Cluster, cluster), replica.#server))
    await run(replica.backend.ping())
    return replica
  }

  call(name: string, args: Record<string, unknown> = {}): Promise<string> {
    return run(
      Effect.map(
        this.backend.callTool({ name, arguments: args }),
        ({ content }) => (content[0] as { text: string }).text
      )
    )
  }

  failing(name: string, args: Record<string, unknown> = {}): Promise<CallError> {
    return run(Effect.flip(this.backend.callTool({ name, arguments: args })))
  }

  async stop(): Promise<void> {
    await run(Scope.close(this.#server, Exit.void))
    await run(Scope.close(this.#process, Exit.void))
    this.#listener.closeAllConnections()
    await new Promise((resolve) => this.#listener.close(resolve))
  }
}

const starts = (): number => StdioFaultServer.count(journal, "start")

describe.skipIf(process.platform === "win32")("a backend of a cluster", () => {
  it("[D1 D2 D9:real] has one server for all replicas, which carries out each call once", async () => {
    const [a, b] = [await Replica.start(), await Replica.start()]
    expect(await a.call("pid")).toBe(await b.call("pid"))
    for (const replica of [a, b, b, a]) await replica.call("count", { key: "one" })
    expect(StdioFaultServer.count(journal, "apply", "one")).toBe(4)
    expect(starts()).toBe(1)
    expect(await run(b.backend.catalog)).toMatchObject({ stale: false })
  })

  it("[D2] passes progress on to the replica that has called", async () => {
    const [, b] = [await Replica.start(), await Replica.start()]
    const seen: Array<number> = []
    const call = b.backend.callTool({ name: "pid" }, { onprogress: ({ progress }) => void seen.push(progress) })
    await run(call)
    expect(seen).toHaveLength(1)
  })

  it("[D2][D4] is started by the other replica when its own one stops: what was sent is unknown, and later calls go there", async () => {
    const [a, b] = [await Replica.start(), await Replica.start()]
    const sent = b.failing("silent")
    await expect.poll(() => StdioFaultServer.count(journal, "call", "silent")).toBe(1)
    const stopped = a.stop()
    replicas.delete(a)
    const error = await sent
    expect(error).toBeInstanceOf(ResultUnknown)
    await stopped
    await expect.poll(starts).toBe(2)
    await b.call("count", { key: "two" })
    expect(StdioFaultServer.count(journal, "call", "silent")).toBe(1)
    expect(StdioFaultServer.count(journal, "apply", "two")).toBe(1)
    expect(starts()).toBe(2)
  })

  it("[D4] a planned stop fails no call: those in flight are answered, and later ones go to the next owner", async () => {
    const [a, b] = [await Replica.start(), await Replica.start()]
    const slow = [a, b].map((one) => one.call("wait", { millis: 1500 }))
    await expect.poll(() => StdioFaultServer.count(journal, "call", "wait")).toBe(2)
    const stopped = a.stop()
    replicas.delete(a)
    const late = Array.from({ length: 20 }, (_, index) => b.call("count", { key: `late ${index}` }))
    await Promise.all([...slow, ...late, stopped])
    expect(StdioFaultServer.count(journal, "apply")).toBe(20)
    expect(starts()).toBe(2)
  })

  it("[D2] tells the replica that has called what became of its call when the server dies", async () => {
    const [a, b] = [await Replica.start(), await Replica.start()]
    const pid = Number(await a.call("pid"))
    const sent = b.failing("silent")
    await expect.poll(() => StdioFaultServer.count(journal, "call", "silent")).toBe(1)
    process.kill(pid, "SIGKILL")
    expect(await sent).toBeInstanceOf(ResultUnknown)
    expect(Number(await b.call("pid"))).not.toBe(pid)
    expect(starts()).toBe(2)
  })

  it("[X6] answers nobody who does not know the key, and says what it does not run", async () => {
    const a = await Replica.start()
    const path = `${a.address}/cluster/servers/notes`
    for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Bearer x" }]) {
      const response = await fetch(path, { method: "POST", headers, body: "{}" })
      expect(response.status).toBe(403)
    }
    expect((await fetch(`${a.address}/other`)).status).toBe(404)
  })
})
