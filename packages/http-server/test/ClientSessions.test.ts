import { Effect } from "effect"
import { request as httpRequest } from "node:http"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { ClientSession } from "../src/ClientSession.js"
import { ClientSessions } from "../src/ClientSessions.js"
import * as SealedId from "../src/SealedId.js"
import * as SessionRecords from "../src/SessionRecords.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, initialize, send } = Raw

const ping = { id: 1, method: "ping" }

const status = async (url: string, session: Readonly<Record<string, string>>, method = "POST") =>
  (await send(url, method, session, method === "POST" ? ping : undefined)).status

const shared = () => ({ seal: SealedId.make(SealedId.randomSecret()), records: SessionRecords.inMemory() })

describe("whose a session is", () => {
  test.scopedLive("[G6 G10] the session belongs to the caller, however the header is written", function*() {
    const options = shared()
    const [first, second] = [yield* Raw.serve(undefined, options), yield* Raw.serve(undefined, options)]
    yield* Effect.promise(async () => {
      const session = await begin(first.url, undefined, { Authorization: "Bearer one" })
      expect(await status(second.url, { ...session, Authorization: "Bearer two" })).toBe(404)
      expect(second.conversations).toHaveLength(0)
      for (const { url } of [first, second]) {
        const as = (authorization: string) => status(url, { ...session, Authorization: authorization })
        expect([await as("bearer one"), await as("BEARER  one"), await as("Bearer one")]).toEqual([200, 200, 200])
        expect([await as("Bearer two"), await as("Bearer"), await as("one")]).toEqual([404, 404, 404])
        const { Authorization: _, ...nobody } = session
        expect(await status(url, nobody)).toBe(404)
        expect(await status(url, { ...session, Authorization: "Bearer two" }, "DELETE")).toBe(404)
        expect(await status(url, { ...session, Authorization: "Bearer two" }, "GET")).toBe(404)
      }
      expect(await status(first.url, session)).toBe(200)
      expect(second.conversations).toHaveLength(1)
    })
  })
})

describe("how long a session goes on", () => {
  const day = 24 * 60 * 60
  const id = (seal: SealedId.Seal, age: number) =>
    seal.seal({
      initialize: initialize().params,
      version: "2025-11-25",
      lists: [],
      owner: "",
      born: Math.floor(Date.now() / 1000) - age
    })

  test.scopedLive("[G10] an id that was born 30 days ago is not found, unless the session was used since", function*() {
    const options = shared()
    const { conversations, errors, url } = yield* Raw.serve(undefined, options)
    yield* Effect.promise(async () => {
      const find = (id: string) => status(url, { "Mcp-Session-Id": id })
      expect(await find(id(options.seal, 30 * day + 60))).toBe(404)
      expect(await find(id(options.seal, 30 * day - 60))).toBe(200)
      const used = id(options.seal, 40 * day)
      await options.records.set(used, { usedAt: Date.now() - 1000 })
      expect(await find(used)).toBe(200)
      const ended = id(options.seal, 1)
      await options.records.set(ended, { usedAt: Date.now(), hasEnded: true })
      expect(await find(ended)).toBe(404)
      const incomplete = options.seal.seal({
        version: "2025-11-25",
        lists: [],
        owner: "",
        born: Date.now() / 1000
      })
      expect(await find(incomplete)).toBe(404)
      expect(conversations).toHaveLength(2)
      expect(errors).toEqual([])
    })
  })

  test.scopedLive("[G10] the id of a client with much text outside of ASCII is good after a restart", function*() {
    const options = shared()
    const [first, second] = [yield* Raw.serve(undefined, options), yield* Raw.serve(undefined, options)]
    yield* Effect.promise(async () => {
      for (const count of [900, 2800, 20_000]) {
        const begun = await send(
          first.url,
          "POST",
          {},
          initialize(undefined, { experimental: { text: "語".repeat(count) } })
        )
        const id = String(begun.headers["mcp-session-id"])
        expect(id.length).toBeLessThan(8192)
        expect(await status(second.url, { "Mcp-Session-Id": id })).toBe(200)
      }
      expect(second.conversations.at(-1)?.resumed?.initialize).toMatchObject({
        capabilities: { experimental: { text: "語".repeat(20_000) } }
      })
      const tooLong = await send(
        first.url,
        "POST",
        {},
        initialize(undefined, { experimental: { text: "語".repeat(90_000) } })
      )
      expect(tooLong.status).toBe(413)
    })
  })
})

describe("sessions that take turns in memory", () => {
  test.scopedLive("[G10 G17] each turn goes on anew, and more than there is room for wait or are refused", function*() {
    const { conversations, requests, url } = yield* Raw.serve(undefined, { ...shared(), limits: { maxSessions: 1 } })
    yield* Effect.promise(async () => {
      const sessions = [await begin(url), await begin(url)]
      for (let turn = 0; turn < 6; turn++) {
        expect(await status(url, sessions[turn % 2]!)).toBe(200)
        expect(requests.sessions()).toBe(1)
      }
      expect(conversations).toHaveLength(8)
      expect(conversations.slice(0, -1).every(({ isClosed }) => isClosed)).toBe(true)
      // While one is in use, the other is refused, and told when to come back.
      const stream = await send(url, "GET", sessions[1])
      const refused = await send(url, "POST", sessions[0], ping)
      expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "5"])
      const begun = await send(url, "POST", {}, initialize())
      expect([begun.status, begun.headers["retry-after"]]).toEqual([503, "5"])
      stream.cut()
      await expect.poll(() => status(url, sessions[0]!)).toBe(200)
    })
  })

  test.scopedLive("[G10 G17] one that is restored by several requests at once is restored once", function*() {
    const options = shared()
    const [first, second] = [yield* Raw.serve(undefined, options), yield* Raw.serve(undefined, options)]
    yield* Effect.promise(async () => {
      const session = await begin(first.url)
      expect(
        await Promise.all(
          [1, 2, 3].map((id) => send(second.url, "POST", session, { ...ping, id }).then((one) => one.status))
        )
      )
        .toEqual([200, 200, 200])
      expect(second.conversations).toHaveLength(1)
    })
  })
})

describe("servers that run for single sessions", () => {
  test.scopedLive("[X5 G15] are bounded for all together: those of the longest unused session end, and its id stays valid", function*() {
    const { conversations, url } = yield* Raw.serve(Raw.startingServers, { limits: { maxOwnServers: () => 4 } })
    yield* Effect.promise(async () => {
      // A session without servers has nothing to give.
      await begin(url)
      const [one, two, three] = [await begin(url), await begin(url), await begin(url)] as const
      expect([await Raw.startServers(url, one, 2), await Raw.startServers(url, two, 2)]).toEqual([true, true])
      // Who was there again is not the one that has been unused the longest; asked again, one's own do not count.
      expect(await Raw.startServers(url, one, 2)).toBe(true)
      expect(conversations.some(({ isClosed }) => isClosed)).toBe(false)
      expect(await Raw.startServers(url, three, 1)).toBe(true)
      expect(conversations.map(({ isClosed }) => isClosed)).toEqual([false, false, true, false])
      expect(await status(url, two)).toBe(200)
      expect(conversations[4]?.resumed).toBeDefined()
    })
  })

  test.scopedLive("[X5 G15] are as many as the configuration says when they are needed, and 128 where it says nothing", function*() {
    let most: number | undefined
    const { conversations, url } = yield* Raw.serve(Raw.startingServers, { limits: { maxOwnServers: () => most } })
    yield* Effect.promise(async () => {
      const [one, two] = [await begin(url), await begin(url)] as const
      expect([await Raw.startServers(url, one, 64), await Raw.startServers(url, two, 64)]).toEqual([true, true])
      expect(conversations.map(({ isClosed }) => isClosed)).toEqual([false, false])
      most = 127
      expect(await Raw.startServers(url, two, 64)).toBe(true)
      expect(conversations.map(({ isClosed }) => isClosed)).toEqual([true, false])
    })
  })

  test.scopedLive("[X5 G15] whoever is there keeps them, and a client that is alone has them however many they are", function*() {
    const { conversations, url } = yield* Raw.serve(Raw.startingServers, { limits: { maxOwnServers: () => 4 } })
    yield* Effect.promise(async () => {
      const [one, two] = [await begin(url), await begin(url)] as const
      expect(await Raw.startServers(url, one, 5)).toBe(true)
      const stream = await send(url, "GET", one)
      expect(await Raw.startServers(url, two, 1)).toBe(false)
      expect(conversations.some(({ isClosed }) => isClosed)).toBe(false)
      stream.cut()
      await expect.poll(() => Raw.startServers(url, two, 1)).toBe(true)
      expect(conversations[0]?.isClosed).toBe(true)
    })
  })

  it("[X5 G17] end after half an hour without a request or a stream; a session without any stays for a day", async () => {
    const minute = 60_000
    const options = shared()
    const ended: Array<number> = []
    let count = 0
    const sessions = new ClientSessions({
      ...options,
      begin: ({ startsServers }) => {
        const number = count++
        if (number > 0) startsServers?.(1)
        return Raw.conversing(() => undefined, { close: async () => void ended.push(number) })
      },
      limits: Raw.fewest,
      budget: Raw.budget(),
      open: Raw.plenty(),
      subscriptions: Raw.subscriptions(),
      onError: (error) => {
        throw error
      }
    })
    const used = (session: unknown, minutes: number): void => {
      if (!(session instanceof ClientSession)) throw new Error("no session")
      session.usedAt = performance.now() - minutes * minute
    }
    const ids = [0, 1, 2].map(() =>
      options.seal.seal({ initialize: {}, version: "2025-11-25", lists: [], owner: "", born: Date.now() / 1000 })
    )
    const all = await Promise.all(ids.map((id) => Raw.found(sessions, id)))
    used(all[0], 31)
    used(all[1], 31)
    used(all[2], 29)
    sessions.tick()
    expect(ended).toEqual([1])
    used(all[0], 24 * 60 + 1)
    sessions.tick()
    expect([ended, sessions.size]).toEqual([[1, 0], 1])
  })
})

describe("sessions that are restored in the same moment", () => {
  test.scopedLive("[G17] none is ended to make room for another before the request that it is restored for", function*() {
    const { records, seal } = shared()
    const first = yield* Raw.serve(undefined, { seal, records })
    const sessions = 3
    let asked = 0
    let release = (): void => undefined
    const allAsked = new Promise<void>((resolve) => release = resolve)
    const toldAfterEnd: Array<boolean> = []
    const second = yield* Raw.serve(({ id }, { client, isClosed }) => {
      toldAfterEnd.push(isClosed)
      client.writeResult(id!, "{}")
    }, {
      seal,
      limits: { maxSessions: 1 },
      records: {
        ...records,
        get: async (id, born) => {
          if (++asked === sessions) release()
          await allAsked
          return await records.get(id, born)
        }
      }
    })
    yield* Effect.promise(async () => {
      const all = await Promise.all(Array.from({ length: sessions }, () => begin(first.url)))
      const list = { id: 1, method: "tools/list" }
      const answers = await Promise.all(all.map((session) => send(second.url, "POST", session, list)))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
      expect(toldAfterEnd).toEqual([false, false, false])
    })
  })
})

describe("while the endpoint is closed", () => {
  test.scopedLive("[G7] a request whose body is on its way is refused, and begins nothing", function*() {
    const { conversations, requests, url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const answered = await new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
        const text = JSON.stringify({ jsonrpc: "2.0", ...initialize() })
        const sent = httpRequest(url, {
          method: "POST",
          headers: {
            Accept: "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Content-Length": text.length
          }
        }, (response) => {
          let body = ""
          response.on("data", (chunk) => (body += chunk))
          response.on("end", () => resolve({ status: response.statusCode ?? 0, text: body }))
        })
        sent.on("error", reject)
        sent.write(text.slice(0, 20), () =>
          void send(url, "GET").then(async () => {
            await requests.close()
            sent.end(text.slice(20))
          }))
      })
      expect(answered.status).toBe(503)
      expect(answered.text).toContain("shutting down")
      expect(conversations).toHaveLength(0)
    })
  })

  test.scopedLive("[G7] no session goes on", function*() {
    const options = shared()
    const [first, second] = [yield* Raw.serve(undefined, options), yield* Raw.serve(undefined, options)]
    yield* Effect.promise(async () => {
      const session = await begin(first.url)
      await second.requests.close()
      expect(await status(second.url, session)).toBe(503)
      expect(second.conversations).toHaveLength(0)
    })
  })
})
