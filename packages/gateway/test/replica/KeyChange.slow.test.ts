import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Redacted } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "vitest"
import * as PostgresStore from "../../../cluster/src/PostgresStore.js"
import * as Seal from "../../../cluster/src/Seal.js"
import { termsOf } from "../../../cluster/src/Terms.js"
import { describeCluster, ManyGateways } from "../support/ManyGateways.js"
import { fixture } from "../support/Program.js"
import { RoundRobin } from "../support/RoundRobin.js"
import { reconnectionOptions } from "../support/Unaware.js"

const patience = 300_000
const terms = termsOf({ lease: 15_000 })
const chatty = fixture("chatty")
const [old, fresh] = ["o".repeat(44), "n".repeat(44)]

const count = (text: string, part: string): number => text.split(part).length - 1

describeCluster("the key of a cluster", () => {
  it("[G26:real D1 D7 D8] is replaced one replica after the other: no session ends, no call fails, no replica is refused", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lifeline-keys-"))
    const fileOf = (index: number) => join(folder, `key-${index}`)
    const write = (index: number, ...keys: ReadonlyArray<string>) =>
      writeFileSync(fileOf(index), keys.map((key) => `${key}\n`).join(""), { mode: 0o600 })
    for (const index of [0, 1, 2]) write(index, old)
    const clients: Array<Client> = []
    const all = await ManyGateways.start(3, {
      servers: ["notes", "files", "off"],
      entries: { shared: chatty, own: { ...chatty, lifeline: { sessions: "per-client" } } },
      args: (index) => ["--cluster-key-file", fileOf(index)],
      // At the end the test waits for the end of one.
      lease: `${terms.lease}ms`
    })
    const balancer = await RoundRobin.start(all.replicas.map(({ port }) => port))
    try {
      const connected = async () => {
        const client = new Client({ name: "anywhere", version: "1" })
        const levels = new Set<unknown>()
        client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void levels.add(params.level))
        const transport = new StreamableHTTPClientTransport(balancer.url, { reconnectionOptions })
        await client.connect(transport as Transport)
        clients.push(client)
        await client.setLoggingLevel("critical")
        const call = async (name: string, args = {}) => {
          const { content, isError } = await client.callTool({ name, arguments: args }, undefined, {
            timeout: patience
          })
          expect(isError).not.toBe(true)
          return (content as ReadonlyArray<{ readonly text: string }>)[0]!.text
        }
        return { call, client, levels, pid: await call("own__pid"), session: transport.sessionId }
      }
      const everyone = await Promise.all([connected(), connected(), connected()])
      const disable = await fetch(new URL("/api/servers/off/disable", all.replicas[0]!.url), {
        method: "POST",
        headers: { "X-Lifeline": "1" }
      })
      expect(disable.status).toBeLessThan(300)

      /** How often replicas have lost their leases, with what they had, because the machine was too slow for them. */
      const lapses = () => all.replicas.reduce((sum, { printed }) => sum + count(printed, "lease of this replica"), 0)
      const allIsWell = async (): Promise<void> => {
        const before = lapses()
        try {
          await used()
        } catch (error) {
          if (lapses() === before) throw error
          for (const one of everyone) one.pid = await one.call("own__pid")
          return await allIsWell()
        }
      }
      const used = async () => {
        for (const { call, client, levels, pid, session } of everyone) {
          await call("notes__add", { key: `${session}-${Math.random()}` })
          await call("files__look")
          expect(await call("own__pid")).toBe(pid)
          await call("shared__log")
          await client.listTools()
          expect((client.transport as StreamableHTTPClientTransport).sessionId).toBe(session)
          await expect.poll(() => levels.size, { timeout: patience }).toBeGreaterThan(0)
          expect([...levels].toSorted()).toEqual(["alert", "critical", "emergency"])
        }
        expect((await connected()).session).toBeDefined()
      }
      /** A replica starts anew with other keys. Servers of its own clients start elsewhere, or anew. */
      const change = async (index: number, ...keys: ReadonlyArray<string>) => {
        write(index, ...keys)
        await all.replicas[index]!.end("SIGTERM")
        await all.replicas[index]!.start()
        for (const one of everyone) one.pid = await one.call("own__pid")
      }

      await allIsWell()
      for (const index of [0, 1, 2]) await change(index, fresh, old)
      await allIsWell()
      // A replica that starts in the middle of the change finds its place, whichever of the keys it has.
      await change(2, old)
      await allIsWell()
      await change(2, fresh, old)
      for (const index of [0, 1, 2]) await change(index, fresh)
      await allIsWell()

      const read = Effect.scoped(
        PostgresStore.make({ url: Redacted.make(all.postgres.url), terms, key: Redacted.make(fresh) }).pipe(
          Effect.flatMap((store) => store.rows.after(undefined, 10_000))
        )
      )
      const unopened = async () => {
        const rows = await Effect.runPromise(read)
        const openedBy = (key: string) => {
          const seal = Seal.make(Redacted.make(key))
          return rows.filter(({ collection, key, text }) => seal.open(collection, key, text) !== undefined).length
        }
        return [rows.some(({ collection }) => collection === "sessions"), rows.length - openedBy(fresh), openedBy(old)]
      }
      await expect.poll(unopened, { timeout: patience }).toEqual([true, 0, 0])
      for (const replica of all.replicas) {
        expect((await replica.status()).servers.find(({ name }) => name === "off")?.state).toBe("Disabled")
      }

      const home = all.replicas.find((replica) => all.owner(Number(everyone[0]!.pid)) === replica)!
      await home.end("SIGKILL")
      for (const one of everyone) one.pid = await one.call("own__pid")
      await allIsWell()

      // Who has only the old key comes too late.
      write(all.replicas.indexOf(home), old)
      await expect(home.start()).rejects.toThrow("another key than the cluster")
      const printed = all.replicas.map((one) => one.printed).join("")
      const cases = [old, fresh, "is ignored", "HTTP 403", "does it have another key"]
      for (const never of cases) {
        expect(printed).not.toContain(never)
      }
    } finally {
      await Promise.allSettled(clients.map((client) => client.close()))
      await balancer[Symbol.asyncDispose]()
      await all[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
