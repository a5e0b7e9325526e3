import { Effect } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as SealedId from "../src/SealedId.js"
import * as SessionRecords from "../src/SessionRecords.js"
import * as Raw from "./support/RawEndpoint.js"

const { events, initialize, send } = Raw

const twice = Effect.gen(function*() {
  const options = { seal: SealedId.make(SealedId.randomSecret()), records: SessionRecords.inMemory() }
  return [yield* Raw.serve(undefined, options), yield* Raw.serve(undefined, options)] as const
})

describe("a session that goes on in another process", () => {
  test.scopedLive("[G10] what the client has said and asked for is there again, also where that is too long for an id", function*() {
    const [first, second] = yield* twice
    yield* Effect.promise(async () => {
      const capabilities = { experimental: { padding: { text: "x".repeat(50_000) } } }
      const begun = await send(first.url, "POST", {}, initialize("2025-06-18", capabilities))
      const id = String(begun.headers["mcp-session-id"])
      expect(id.length).toBeLessThan(1000)
      const session = { "Mcp-Session-Id": id }
      await send(first.url, "POST", session, { id: 1, method: "logging/setLevel", params: { level: "error" } })
      await send(first.url, "POST", session, { id: 2, method: "resources/subscribe", params: { uri: "test://one" } })
      const pings = [3, 4, 5].map((id) => send(second.url, "POST", session, { id, method: "ping" }))
      expect((await Promise.all(pings)).map(({ status }) => status)).toEqual([200, 200, 200])
      expect(second.conversations).toHaveLength(1)
      expect(second.conversations[0]?.resumed).toMatchObject({
        initialize: { protocolVersion: "2025-06-18", capabilities, clientInfo: { name: "raw" } },
        settings: { level: "error", subscriptions: ["test://one"] }
      })
    })
  })

  test.scopedLive("[G10] the answers to a long initialize and to DELETE come once the record is written; a short one needs none", function*() {
    const writing: Array<() => void> = []
    const memory = SessionRecords.inMemory()
    const records: SessionRecords.SessionRecords = {
      ...memory,
      set: (id, record) =>
        Promise.all([memory.set(id, record), new Promise<void>((resolve) => writing.push(resolve))]).then(() =>
          undefined
        )
    }
    const { url } = yield* Raw.serve(undefined, { records })
    const order: Array<string> = []
    const sent = (name: string, ...args: Parameters<typeof send>) =>
      send(...args).then((answered) => {
        order.push(name)
        return answered
      })
    yield* Effect.promise(async () => {
      const short = await Raw.begin(url)
      expect(writing).toEqual([])
      const capabilities = { experimental: { padding: { text: "x".repeat(50_000) } } }
      for (
        const [name, answer] of [
          ["long", () => sent("long", url, "POST", {}, initialize("2025-06-18", capabilities))],
          ["DELETE", () => sent("DELETE", url, "DELETE", short)]
        ] as const
      ) {
        const answered = answer()
        await expect.poll(() => writing.length).toBe(1)
        await sent("ping", url, "POST", await Raw.begin(url), { id: 1, method: "ping" })
        writing.pop()?.()
        expect((await answered).status).toBe(200)
        expect(order.splice(0)).toEqual(["ping", name])
      }
      expect((await send(url, "POST", short, { id: 1, method: "ping" })).status).toBe(404)
    })
  })

  test.scopedLive("[G10] the client is told once that lists may have changed, on the first stream that there is", function*() {
    const [first, second] = yield* twice
    yield* Effect.promise(async () => {
      const lists = ["notifications/tools/list_changed", "notifications/resources/list_changed"]
      const [one, two] = [await Raw.begin(first.url), await Raw.begin(first.url)]
      const own = await send(second.url, "GET", one)
      const text = await own.until('resources/list_changed"}')
      expect(events(`${text}\n\n`).map(({ message }) => message.method)).toEqual(lists)
      // The other client has no stream: it is told with its next call.
      const called = await (await send(second.url, "POST", two, { id: 1, method: "ping" })).body
      expect(events(called).map(({ message }) => message.method ?? message.id)).toEqual([...lists, 1])
      const again = await send(second.url, "POST", two, { id: 2, method: "ping" })
      expect(again.headers["content-type"]).toBe("application/json")
    })
  })

  test.scopedLive("[G10] [X5] one that was ended stays so, also where its record has made room for another's", function*() {
    const options = {
      seal: SealedId.make(SealedId.randomSecret()),
      records: SessionRecords.inMemory({ maxSessions: 1, maxChars: 1000 })
    }
    const [first, second] = [yield* Raw.serve(undefined, options), yield* Raw.serve(undefined, options)]
    yield* Effect.promise(async () => {
      const [ended, other] = [await Raw.begin(first.url), await Raw.begin(first.url)]
      expect((await send(first.url, "DELETE", ended)).status).toBe(200)
      await send(first.url, "POST", other, { id: 1, method: "logging/setLevel", params: { level: "error" } })
      const status = async (session: Record<string, string>) =>
        (await send(second.url, "POST", session, { id: 2, method: "ping" })).status
      expect(await status(ended)).toBe(404)
      expect(await status(other)).toBe(200)
    })
  })
})
