import { Redacted } from "effect"
import { once } from "node:events"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as SealedAddresses from "../../../cluster/src/postgres/SealedAddresses.js"
import { query as queryAt } from "../../../cluster/test/support/query.js"
import { send } from "../../../http-server/test/support/RawEndpoint.js"
import { describeCluster, ManyGateways, type Replica, sessionKey } from "../support/ManyGateways.js"

const patience = 300_000

describeCluster("who writes to the database of a cluster", () => {
  let all: ManyGateways
  const asked: Array<IncomingMessage & { readonly body: string }> = []
  const listener = createServer((request, response) => {
    void text(request).then((body) => {
      asked.push(Object.assign(request, { body }))
      response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  let foreign = ""
  beforeAll(async () => {
    await once(listener.listen(0, "127.0.0.1"), "listening")
    foreign = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
    all = await ManyGateways.start(2, { servers: ["one"], lease: "1min" })
  }, patience)
  afterAll(async () => {
    listener.close()
    listener.closeAllConnections()
    await all[Symbol.asyncDispose]()
  }, patience)

  const query = (run: Parameters<typeof queryAt>[1]) => queryAt(all.postgres.url, run)
  const replicas = () => query((sql) => sql`SELECT id, address FROM lifeline_replica WHERE ended_at IS NULL`)
  const until = async <A>(look: () => Promise<A | undefined>): Promise<A> => {
    while (true) {
      const found = await look()
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const replicasAt = async (replica: Replica) => (await replica.status()).replicas ?? []
  const sealedWith = (key: string, at: number) => (id: string) =>
    SealedAddresses.make(Redacted.make(key), 0).seal(id, foreign, at)

  it.each<readonly [what: string, address: (id: string) => string | Promise<string>]>([
    ["an address as it is", () => foreign],
    ["an address that another key has sealed", (id) => sealedWith("k".repeat(40), Date.now())(id)],
    ["an address that was sealed for another replica", () => sealedWith(sessionKey, Date.now())("another")],
    ["an address that was sealed long ago", (id) => sealedWith(sessionKey, Date.now() - 86_400_000)(id)],
    ["what a living replica has sealed", async () => String((await replicas())[0]!["address"])]
  ])("[D13:real] is asked nothing by a replica that reads %s", async (what, address) => {
    const id = `evil-${what.length}`
    const text = await address(id)
    await query((sql) => sql`INSERT INTO lifeline_replica (id, address) VALUES (${id}, ${text})`)
    await query((sql) => sql`UPDATE lifeline_claim SET owner = ${id} WHERE kind = 'server'`)
    for (const replica of all.replicas) {
      await until(async () => all.replicas.every(({ printed }) => printed.includes(id)) ? true : undefined)
      expect((await replicasAt(replica)).map((one) => one.id)).not.toContain(id.slice(0, 8))
    }
    await query((sql) => sql`DELETE FROM lifeline_replica WHERE id = ${id}`)
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual([])
  })

  it("[D13:real] cannot change where a replica is: its next renewal says it again", async () => {
    await query((sql) => sql`UPDATE lifeline_replica SET address = ${foreign}`)
    await until(async () => (await replicas()).every(({ address }) => address !== foreign) ? true : undefined)
    for (const replica of all.replicas) {
      await until(async () => {
        const seen = await replicasAt(replica)
        return seen.length === 2 && seen.every(({ state }) => state === "reached") ? true : undefined
      })
    }
    expect(asked).toEqual([])
  })

  it("[D13:real] who is asked all the same gets no secret: a request is good for its receiver alone", async () => {
    const id = "asked-by-all"
    const address = sealedWith(sessionKey, Date.now())(id)
    await query((sql) => sql`INSERT INTO lifeline_replica (id, address) VALUES (${id}, ${address})`)
    const [first] = all.replicas
    const got = await until(async () => {
      await replicasAt(first!)
      return asked.find(({ url }) => url === "/cluster/gateway/api/status")
    })
    await query((sql) => sql`DELETE FROM lifeline_replica WHERE id = ${id}`)
    expect(got.headers.authorization).toBeUndefined()
    const headers = { "lifeline-authorization": String(got.headers["lifeline-authorization"]), "x-lifeline": "1" }
    for (const { clusterPort } of all.replicas) {
      const own = `http://127.0.0.1:${clusterPort}`
      expect((await send(own + got.url, got.method!, headers, got.body)).status).toBe(421)
      expect((await send(`${own}/cluster/gateway/api/call`, "POST", headers, "{}")).status).toBe(403)
      expect((await send(`${own}/cluster/gateway/api/status`, "GET")).status).toBe(403)
    }
  })
})
