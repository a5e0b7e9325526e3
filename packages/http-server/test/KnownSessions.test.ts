import { Effect } from "effect"
import { setImmediate } from "node:timers/promises"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import * as Caller from "../src/Caller.js"
import { ClientSession } from "../src/ClientSession.js"
import { ClientSessions, sessionNotFound } from "../src/ClientSessions.js"
import type { Client, Conversation } from "../src/Conversation.js"
import * as SealedId from "../src/SealedId.js"
import * as SessionRecords from "../src/SessionRecords.js"
import * as Raw from "./support/RawEndpoint.js"
import * as Reader from "./support/Reader.js"

const { initialize, send } = Raw

const hour = 60 * 60 * 1000
const day = 24 * hour

const watched = () => {
  const sealed: Array<SealedId.Claims> = []
  const written: Array<SessionRecords.Record> = []
  const seal = SealedId.make(SealedId.randomSecret())
  const records = SessionRecords.inMemory()
  return {
    sealed,
    written,
    options: {
      seal: {
        ...seal,
        seal: (claims: SealedId.Claims) => {
          sealed.push(claims)
          return seal.seal(claims)
        }
      },
      records: {
        ...records,
        set: (id: string, record: SessionRecords.Record) => {
          written.push(record)
          return records.set(id, record)
        }
      }
    }
  }
}

const paramsOf = (bytes: number) => {
  const params = (text: string) => ({ ...initialize().params, capabilities: { experimental: { text: { text } } } })
  return params("x".repeat(bytes - Buffer.byteLength(JSON.stringify(params("")))))
}

const alone = (
  began: (client: Client) => Partial<Conversation> | void = () => undefined,
  limits: Partial<ConstructorParameters<typeof ClientSessions>[0]["limits"]> = {}
) => {
  const errors: Array<unknown> = []
  const { options, ...watching } = watched()
  const sessions = new ClientSessions({
    ...options,
    begin: (client) => Raw.conversing(() => undefined, began(client) ?? {}),
    limits: { ...Raw.fewest, ...limits },
    budget: Raw.budget(),
    open: Raw.plenty(),
    subscriptions: Raw.subscriptions(),
    onError: (error) => errors.push(error)
  })
  const born = (age: number) => Math.floor((Date.now() - age) / 1000)
  const id = (age: number, owner = "") =>
    options.seal.seal({ initialize: {}, version: "2025-11-25", lists: [], owner, born: born(age) })
  return { ...watching, ...options, errors, sessions, id }
}

describe("what the id of a session says, and what is kept beside it", () => {
  test.scopedLive("[G10] the lists of whose changes the server promised to tell, and when the session began", function*() {
    for (
      const [capabilities, lists] of [
        [{ tools: { listChanged: true }, prompts: {}, resources: { listChanged: false } }, ["tools"]],
        [{ tools: true, resources: { listChanged: true } }, ["resources"]],
        [undefined, []]
      ] as const
    ) {
      const { options, sealed } = watched()
      const before = Math.floor(Date.now() / 1000)
      const endpoint = yield* Raw.serve(undefined, {
        ...options,
        begin: () =>
          Raw.conversing(() => undefined, {
            request: (request) => request.answer({ result: { protocolVersion: "2025-11-25", capabilities } })
          })
      })
      yield* Effect.promise(async () => (await send(endpoint.url, "POST", {}, initialize())).body)
      expect(sealed).toMatchObject([{ lists }])
      expect(sealed[0]?.born).toBeGreaterThanOrEqual(before)
      expect(sealed[0]?.born).toBeLessThanOrEqual(Date.now() / 1000)
    }
  })

  test.scopedLive("[G10 G17] params of 3,000 bytes are in the id; longer ones in a record, which settings leave as they are", function*() {
    const { options, sealed, written } = watched()
    const { url } = yield* Raw.serve(undefined, options)
    yield* Effect.promise(async () => {
      for (const bytes of [3000, 3001]) {
        const before = Date.now()
        sealed.length = written.length = 0
        const params = paramsOf(bytes)
        const begun = await send(url, "POST", {}, { ...initialize(), params })
        expect(JSON.parse(await begun.body)).toHaveProperty("result")
        const isInId = bytes === 3000
        expect(sealed).toMatchObject([isInId ? { initialize: params } : {}])
        expect("initialize" in sealed[0]!).toBe(isInId)
        expect(written).toEqual(isInId ? [] : [{ usedAt: expect.any(Number), initialize: params }])
        for (const { usedAt } of written) expect(usedAt).toBeGreaterThanOrEqual(before)
        const session = { "Mcp-Session-Id": String(begun.headers["mcp-session-id"]) }
        const level = { id: 1, method: "logging/setLevel", params: { level: "error" } }
        await (await send(url, "POST", session, level)).body
        const wished = { usedAt: expect.any(Number), level: "error" }
        expect(written.at(-1)).toEqual(isInId ? wished : { ...wished, initialize: params })
      }
    })
  })

  test.scopedLive("[G17] params of 256 KiB are taken; longer ones are refused, and the connection is used again", function*() {
    const { conversations, url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const answered = (bytes: number) => send(url, "POST", {}, { ...initialize(), params: paramsOf(bytes) })
      expect((await answered(256 * 1024)).status).toBe(200)
      expect(conversations).toHaveLength(1)
      const refused = await fetch(url, {
        method: "POST",
        headers: { Accept: "application/json, text/event-stream", "Content-Type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", ...initialize(), params: paramsOf(256 * 1024 + 1) })
      })
      expect([refused.status, refused.headers.get("connection")]).toEqual([413, "keep-alive"])
      expect(await refused.json()).toMatchObject({
        id: 0,
        error: { message: expect.stringContaining("262144 bytes") }
      })
      expect(conversations).toHaveLength(1)
    })
  })

  it("[G10 G17] its last use is written once a day, beside what it asked for", async () => {
    const { id, records, sessions, written } = alone()
    const [old, recent, unwritten, long] = [id(9 * day), id(9 * day), id(hour), id(9 * day)] as const
    await records.set(old, { usedAt: Date.now() - day - hour, level: "error" })
    await records.set(recent, { usedAt: Date.now() - day + hour })
    written.length = 0
    const before = Date.now()
    for (const one of [recent, unwritten]) expect(await Raw.found(sessions, one)).toBeInstanceOf(ClientSession)
    expect(written).toEqual([])
    for (let use = 0; use < 3; use++) expect(await Raw.found(sessions, old)).toBeInstanceOf(ClientSession)
    expect(written).toEqual([{ usedAt: expect.any(Number), level: "error" }])
    expect(written[0]?.usedAt).toBeGreaterThanOrEqual(before)
    await Raw.found(sessions, long)
    expect(written).toHaveLength(2)
  })

  it("[G10] what was asked for in a session that has gone on is written; what is asked for before one or after it is not", async () => {
    const clients: Array<Client> = []
    const { id, records, sessions, written } = alone((client) => {
      clients.push(client)
      void client.saveSetting({ level: "info" })
    })
    const one = id(hour)
    await Raw.found(sessions, one)
    expect(written).toEqual([])
    await clients[0]?.saveSetting({ level: "error" })
    await clients[0]?.saveSetting({ subscribed: "file:///a" })
    expect(await records.get(one)).toMatchObject({ level: "error", subscriptions: ["file:///a"] })
    await sessions.end(one)
    await clients[0]?.saveSetting({ level: "debug" })
    expect(await records.get(one)).toMatchObject({ hasEnded: true })
  })
})

describe("which sessions are found", () => {
  it("[G10] those of somebody else, of whom nothing is known, or that are ended without having been found are not", async () => {
    const { errors, id, sessions, written } = alone()
    expect(await Raw.found(sessions, id(hour, "one"), "other")).toBe(sessionNotFound)
    expect(await Raw.found(sessions, "nobody's")).toBe(sessionNotFound)
    await sessions.end("nobody's")
    expect([sessions.size, errors, written]).toEqual([0, [], []])
  })

  it("[G10] one that began a month ago and was used since, or was used a month ago and began since", async () => {
    const { id, records, sessions } = alone()
    const [used, born, neither] = [id(40 * day), id(day), id(31 * day)] as const
    await records.set(used, { usedAt: Date.now() - day })
    await records.set(born, { usedAt: Date.now() - 40 * day })
    await records.set(neither, { usedAt: Date.now() - 40 * day })
    for (const one of [used, born]) expect(await Raw.found(sessions, one)).toBeInstanceOf(ClientSession)
    expect(await Raw.found(sessions, neither)).toBe(sessionNotFound)
  })

  it("[G10 G21] one that is restored for several requests of its caller has the credentials of the last one", async () => {
    const { id, sessions } = alone()
    const one = id(hour, Caller.ownerOf({ subject: "ann", claims: {} }))
    const callers = [1, 2].map((expiresAt) => ({ subject: "ann", claims: {}, expiresAt }))
    const found = await Promise.all(
      callers.map((caller) => new Promise<unknown>((resolve) => sessions.find(one, caller, resolve)))
    )
    expect(found[0]).toBe(found[1])
    expect((found[0] as ClientSession).caller).toBe(callers[1])
    // Each request renews them.
    sessions.find(one, callers[0]!, () => undefined)
    expect((found[0] as ClientSession).caller).toBe(callers[0])
  })

  it("[X1 G10] where one cannot be restored, the request is answered, and so is the next one", async () => {
    let isBroken = true
    const { errors, id, sessions } = alone(() => {
      if (isBroken) throw new Error("broken")
    })
    const one = id(hour)
    expect(await Raw.found(sessions, one)).toMatchObject({
      status: 500,
      message: expect.stringContaining("Internal error")
    })
    expect(errors).toEqual([new Error("broken")])
    isBroken = false
    expect(await Raw.found(sessions, one)).toBeInstanceOf(ClientSession)
  })
})

describe("sessions that leave the memory", () => {
  it("[G17] to make room, the one that was used before the others does", async () => {
    const { id, sessions } = alone(undefined, { maxSessions: 2 })
    const [one, two, three] = [id(hour), id(2 * hour), id(3 * hour)] as const
    for (const each of [one, two, one, three]) expect(await Raw.found(sessions, each)).toBeInstanceOf(ClientSession)
    expect([one, two, three].map((each) => sessions.has(each))).toEqual([true, false, true])
  })

  it("[X5] give back their places, and those of their servers, and start none any more, however they end", async () => {
    const clients: Array<Client> = []
    const { id, sessions } = alone((client) => void clients.push(client), { maxSessions: 2 })
    const ann = { subject: "ann", claims: {} }
    const endAll = () => {
      // A server that answers all the same.
      for (const { requests } of clients) for (const one of requests) one.work = { stop: () => undefined }
      for (const one of [ann, Caller.anyone]) sessions.endOf(one, "enough")
      for (const { requests } of clients) requests.get(0)?.answer({ result: Raw.introduction })
    }
    for (const end of [endAll, () => sessions.forget("enough")]) {
      expect(sessions.begin({ jsonrpc: "2.0", ...initialize() }, ann, Reader.make().response)).toBeUndefined()
      expect(await Raw.found(sessions, id(hour))).toBeInstanceOf(ClientSession)
      const starts = () => clients.map(({ startsServers }) => startsServers?.(1)).slice(-2)
      expect([starts(), sessions.ownServers.total]).toEqual([[true, true], 2])
      await end()
      expect([sessions.ownServers.total, starts(), sessions.ownServers.total]).toEqual([0, [false, false], 0])
    }
    expect(sessions.begin({ jsonrpc: "2.0", ...initialize() }, ann, Reader.make().response)).toBeUndefined()
  })

  it("[G10 X5] a record that is first written after that says whose it is, and that it began then", async () => {
    const clients: Array<Client> = []
    const owner = Caller.ownerOf({ subject: "ann", claims: {} })
    const { id, records, sessions } = alone((client) => void clients.push(client))
    const one = id(hour, owner)
    expect(await Raw.found(sessions, one, "ann")).toBeInstanceOf(ClientSession)
    await clients[0]?.saveSetting({ level: "error" })
    expect(await records.get(one)).toMatchObject({ owner, level: "error" })
    const before = Math.floor((Date.now() - hour) / 1000)
    await sessions.end(one)
    const ended = await records.get(one)
    expect(ended).toMatchObject({ owner, hasEnded: true })
    expect(Math.abs(Number(ended !== "unknown" && ended?.born) - before)).toBeLessThanOrEqual(5)
  })

  it("[G7] none goes on once all have ended, and the client is not told that its own has ended for good", async () => {
    let count = 0
    const { id, sessions } = alone(() => void count++)
    await sessions.close()
    expect(await Raw.found(sessions, id(hour))).toMatchObject({ status: 503 })
    expect([count, sessions.size]).toEqual([0, 0])
  })
})

describe("sessions that end before their first answer", () => {
  const callers = ["ann", "ben"].map((subject) => ({ subject, claims: {} }))
  const two = () => {
    const clients: Array<Client> = []
    const closed: Array<string> = []
    const known = alone((client) => {
      clients.push(client)
      const { subject } = client.caller?.() ?? Caller.anyone
      return { close: async () => void closed.push(subject) }
    })
    const readers = callers.map((caller) => {
      const reader = Reader.make()
      const request = { jsonrpc: "2.0" as const, ...initialize() }
      expect(known.sessions.begin(request, caller, reader.response)).toBeUndefined()
      return reader
    })
    const answer = () => {
      for (const { requests } of clients) requests.get(0)?.answer({ result: Raw.introduction })
    }
    const goOn = () => {
      for (const { requests } of clients) requests.get(0)!.work = { stop: () => undefined }
    }
    return { ...known, clients, closed, readers, answer, goOn }
  }
  const idOf = (reader: Reader.Reader): string => reader.headers()["Mcp-Session-Id"] ?? ""

  it("[G22] end with those of their caller, and no other one does", async () => {
    const { answer, closed, readers, sessions } = two()
    sessions.endOf(callers[0]!, "the client was removed")
    await setImmediate()
    expect(closed).toEqual(["ann"])
    expect(JSON.parse(readers[0]!.text())).toMatchObject({
      error: { message: expect.stringMatching(/^the client was removed/) }
    })
    expect(idOf(readers[0]!)).toBe("")
    answer()
    expect(JSON.parse(readers[1]!.text())).toHaveProperty("result")
    expect([sessions.size, sessions.has(idOf(readers[1]!))]).toEqual([1, true])
  })

  it("[G22] have ended, also if their server answers all the same: the id is of no use", async () => {
    const { answer, closed, goOn, readers, sessions } = two()
    goOn()
    sessions.endOf(callers[0]!, "the client was removed")
    answer()
    await setImmediate()
    expect([closed, sessions.size]).toEqual([["ann"], 1])
    const [ended, other] = readers.map(idOf) as [string, string]
    expect(await Raw.found(sessions, ended, "ann")).toBe(sessionNotFound)
    expect(await Raw.found(sessions, other, "ben")).toBeInstanceOf(ClientSession)
  })

  it("[D11] are not in memory when all were forgotten meanwhile; the id of one that is answered all the same is good", async () => {
    const { answer, clients, closed, goOn, readers, sessions } = two()
    goOn()
    const forgotten = sessions.forget("this replica is lost")
    answer()
    await forgotten
    expect([closed, sessions.size]).toEqual([["ann", "ben"], 0])
    expect(await Raw.found(sessions, idOf(readers[0]!), "ann")).toBeInstanceOf(ClientSession)
    expect(clients).toHaveLength(3)
  })
})

describe("sessions that begin", () => {
  test.scopedLive("[G17] count as long as they are not answered; who is refused counts no more, and his conversation ends", function*() {
    const open: Array<{ readonly client: Raw.Scripted; isClosed: boolean }> = []
    const { url } = yield* Raw.serve(undefined, {
      limits: { maxSessions: 1 },
      begin: (client) => {
        const one = { client: Raw.scripted(client), isClosed: false }
        open.push(one)
        return Raw.conversing(() => undefined, { close: async () => void (one.isClosed = true) })
      }
    })
    yield* Effect.promise(async () => {
      const first = send(url, "POST", {}, initialize())
      await expect.poll(() => open.length).toBe(1)
      const refused = await fetch(url, {
        method: "POST",
        headers: { Accept: "application/json, text/event-stream", "Content-Type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", ...initialize() })
      })
      expect([refused.status, refused.headers.get("connection")]).toEqual([503, "keep-alive"])
      await refused.arrayBuffer()
      open[0]?.client.write({ jsonrpc: "2.0", id: 0, error: { code: -32_602, message: "no" } })
      expect(JSON.parse(await (await first).body)).toMatchObject({ error: { message: "no" } })
      await setImmediate()
      expect(open.map(({ isClosed }) => isClosed)).toEqual([true])
      const second = send(url, "POST", {}, initialize())
      await expect.poll(() => open.length).toBe(2)
      open[1]?.client.writeResult(0, `{"protocolVersion":"2025-11-25","capabilities":{}}`)
      expect((await second).headers["mcp-session-id"]).toBeDefined()
      expect(open.map(({ isClosed }) => isClosed)).toEqual([true, false])
      // The one that is there makes room for the next.
      const third = send(url, "POST", {}, initialize())
      await expect.poll(() => open.length).toBe(3)
      expect(open.map(({ isClosed }) => isClosed)).toEqual([true, true, false])
      open[2]?.client.write({ jsonrpc: "2.0", id: 0, error: { code: -32_602, message: "no" } })
      await (await third).body
    })
  })
})
