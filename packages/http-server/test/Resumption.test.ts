import { beforeEach, describe, expect, it } from "@effect/vitest"
import { type ClientRequest, ClientRequests } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import type { Resumed, SettingChange } from "../src/Conversation.js"
import { Holding } from "../src/Quota.js"
import * as Resumption from "../src/Resumption.js"
import * as SealedId from "../src/SealedId.js"
import * as SessionRecords from "../src/SessionRecords.js"
import { bytesOf, subscriptionLimits } from "../src/subscriptionLimits.js"
import * as Raw from "./support/RawEndpoint.js"

// What is tested here is a part, without the one who ends it.
beforeEach(() => mayLeave("quotas"))

const { events, initialize, send } = Raw

/** Two endpoints, one after the other, that have the same key and the same records. */
const twice = Effect.gen(function*() {
  const options = { seal: SealedId.make(SealedId.randomSecret()), records: SessionRecords.inMemory() }
  return [yield* Raw.serve(undefined, options), yield* Raw.serve(undefined, options)] as const
})

describe("a session that goes on in another process", () => {
  it.scopedLive("[G10] what the client has said and asked for is there again, also where that is too long for an id", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[G10] the answers to a long initialize and to DELETE come once the record is written; a short one needs none", () =>
    Effect.gen(function*() {
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
      /** What has come of two answers, in the order in which they came. */
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
    }))

  it.scopedLive("[G10] the client is told once that lists may have changed, on the first stream that there is", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[G10] an id that somebody has changed, or sealed with another key, is not found", () =>
    Effect.gen(function*() {
      const [first] = yield* twice
      const [other] = yield* twice
      yield* Effect.promise(async () => {
        const { "Mcp-Session-Id": id = "" } = await Raw.begin(first.url)
        const status = async (url: string, id: string) =>
          (await send(url, "POST", { "Mcp-Session-Id": id }, { id: 1, method: "ping" })).status
        expect(await status(first.url, id)).toBe(200)
        for (const wrong of [id.slice(0, -1), `${id}A`, `${id.slice(0, 40)}A${id.slice(41)}B`, "A".repeat(9000)]) {
          expect(await status(first.url, wrong)).toBe(404)
        }
        expect(await status(other.url, id)).toBe(404)
        expect(Buffer.from(id, "base64url").toString("latin1")).not.toContain("clientInfo")
      })
    }))

  it.scopedLive("[G10] [X5] one that was ended stays so, also where its record has made room for another's", () =>
    Effect.gen(function*() {
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
    }))
})

/** A conversation that can only begin, as a client of `replaying` has it. What it is told to keep is kept when the test says so. */
const replayed = (resumed?: Resumed) => {
  const heard: Array<Raw.Message> = []
  const told: Array<unknown> = []
  const kept: Array<SettingChange> = []
  const room = new Holding(subscriptionLimits.holder)
  room.takeAll((resumed?.settings.subscriptions ?? []).map(bytesOf))
  const keep: Array<() => void> = []
  /** What the server behind was asked, and has not answered. */
  const asked = new Map<unknown, ClientRequest>()
  const begin = Resumption.replaying(() =>
    Raw.conversing((message) => void heard.push(message), {
      request: (request) => {
        const { id, method, params } = request
        heard.push({ id, method, params })
        asked.set(id, request)
        request.work = { stop: () => "unknown" }
      }
    })
  )
  const requests = new ClientRequests()
  const conversation = begin({
    requests,
    write: (message) => void told.push(message),
    subscriptions: room,
    saveSetting: (change) => {
      kept.push(change)
      return new Promise((resolve) => keep.push(resolve))
    }
  }, resumed)
  return {
    conversation,
    room,
    heard,
    told,
    kept,
    keep,
    /** The server behind answers. */
    answer: (id: string | number, answer: object) => asked.get(id)?.answer(answer as never),
    /** The server behind says something during a request. */
    say: (id: number, message: object) => asked.get(id)?.say({ jsonrpc: "2.0", ...message } as never),
    cancel: (requestId: number) =>
      requests.cancel({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } }),
    interrupt: () => requests.interrupt("it is enough"),
    isOver: (id: number) => asked.get(id)?.isOver,
    /** The client asks for something, which is answered with a result or an error, or not at all. */
    ask: (id: number, method: string, params: unknown, answer: object | null = { result: {} }) => {
      conversation.request(
        requests.open({ jsonrpc: "2.0", id, method, params } as never, {
          say: ({ id }, message) => told.push([message, id]),
          answer: ({ id }, answer) => told.push({ jsonrpc: "2.0", id, ...answer })
        })
      )
      if (answer !== null) asked.get(id)?.answer(answer as never)
    }
  }
}

describe("what a client asks for beyond its requests", () => {
  it("[G10] is kept before it is answered: the level of logs, and resources it subscribes to or no longer", async () => {
    const { ask, heard, keep, kept, told } = replayed()
    expect(heard).toEqual([])
    ask(1, "logging/setLevel", { level: "error" })
    expect(kept).toEqual([{ level: "error" }])
    await Promise.resolve()
    expect(told).toEqual([])
    keep[0]?.()
    await Promise.resolve()
    expect(told).toEqual([{ jsonrpc: "2.0", id: 1, result: {} }])
    ask(2, "resources/subscribe", { uri: "test://a" })
    ask(3, "resources/subscribe", { uri: "test://b" })
    ask(4, "resources/subscribe", { uri: "test://a" })
    ask(5, "resources/unsubscribe", { uri: "test://b" })
    expect(kept.slice(1)).toEqual([
      { subscribed: "test://a" },
      { subscribed: "test://b" },
      { subscribed: "test://a" },
      { unsubscribed: "test://b" }
    ])
    ask(6, "logging/setLevel", { level: "info" })
    expect(kept.at(-1)).toEqual({ level: "info" })
    expect(heard.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6])
  })

  it("[G10] is not kept where it was refused, cancelled, or no wish: the answer comes at once", () => {
    const { answer, ask, cancel, conversation, heard, isOver, kept, room, told } = replayed()
    ask(1, "logging/setLevel", { level: "error" }, { error: { code: -32_602, message: "no" } })
    ask(2, "logging/setLevel", { level: 7 })
    ask(3, "logging/setLevel", undefined)
    ask(4, "resources/subscribe", {})
    ask(5, "resources/subscribe", undefined)
    ask(6, "tools/call", { name: "x", uri: "test://a", level: "error" })
    ask(7, "resources/subscribe", { uri: "test://a" }, null)
    cancel(7)
    expect(isOver(7)).toBe(true)
    answer(7, { result: {} })
    // It was answered: another answer to it is none.
    answer(1, { result: {} })
    // A level is no message: a notification of that name asks for nothing.
    conversation.receive({ jsonrpc: "2.0", method: "logging/setLevel", params: { level: "debug" } } as never)
    expect(kept).toEqual([])
    expect(told).toHaveLength(6)
    expect(heard).toHaveLength(8)
    expect(room.held).toEqual({ count: 0, bytes: 0 })
  })

  it("[G3 G18] what the server says during it comes through, and who interrupts it hears what is known of it", async () => {
    const { ask, interrupt, kept, say, told } = replayed()
    ask(1, "logging/setLevel", { level: "error" }, null)
    say(1, { method: "notifications/message", params: {} })
    expect(told).toEqual([[{ jsonrpc: "2.0", method: "notifications/message", params: {} }, 1]])
    const over = interrupt()
    // What was not answered with a result is not kept, so nothing waits for that.
    expect(kept).toEqual([])
    await over
    expect(told.slice(1)).toMatchObject([{ id: 1, error: { data: { fate: "unknown" } } }])
    expect(kept).toEqual([])
  })

  it("[G10 G17] is kept up to a number of resources; one more is refused, and reaches no server", async () => {
    const subscriptions = Array.from({ length: 9999 }, (_, index) => `test://${index}`)
    const { ask, heard, kept, room, told } = replayed({ initialize: {}, settings: { subscriptions } })
    ask(1, "resources/subscribe", { uri: "test://more" })
    heard.length = 0
    ask(2, "resources/subscribe", { uri: "test://too many" })
    expect(heard).toEqual([])
    expect(kept).toEqual([{ subscribed: "test://more" }])
    expect(told).toMatchObject([{
      id: 2,
      error: { message: expect.stringContaining("10000 resources are subscribed to") }
    }])
    // One that is there already needs no room.
    ask(3, "resources/subscribe", { uri: "test://0" })
    expect(kept.at(-1)).toEqual({ subscribed: "test://0" })
    expect(room.held.count).toBe(10_000)
  })

  it("[G10 G17 X5] counts from when it is asked for: what is not answered yet leaves as little room, and what is refused leaves it again", async () => {
    const subscriptions = Array.from({ length: 9998 }, (_, index) => `test://${index}`)
    const { answer, ask, cancel, heard, keep, kept, room, told } = replayed({
      initialize: {},
      settings: { subscriptions }
    })
    const asksFor = (id: number, uri: string) => ask(id, "resources/subscribe", { uri }, null)
    asksFor(1, "test://a")
    asksFor(2, "test://b")
    heard.length = 0
    asksFor(3, "test://c")
    expect([heard, kept]).toEqual([[], []])
    expect(told).toMatchObject([{ id: 3, error: { message: expect.stringContaining("10000 resources") } }])
    answer(1, { error: { code: -32_602, message: "no" } })
    asksFor(4, "test://c")
    asksFor(5, "test://d")
    cancel(2)
    asksFor(6, "test://d")
    expect(heard.map(({ id }) => id)).toEqual([4, 6])
    answer(4, { result: {} })
    answer(6, { result: {} })
    expect(kept).toEqual([{ subscribed: "test://c" }, { subscribed: "test://d" }])
    // One of those before makes room when its server has agreed, and that is kept.
    ask(7, "resources/unsubscribe", { uri: "test://0" }, { error: { code: -32_602, message: "no" } })
    expect(room.held.count).toBe(10_000)
    ask(8, "resources/unsubscribe", { uri: "test://0" })
    expect(room.held.count).toBe(10_000)
    keep.at(-1)?.()
    await new Promise((resolve) => setImmediate(resolve))
    expect(room.held.count).toBe(9999)
  })
})

describe("a conversation that goes on with what can only begin", () => {
  const initialize = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "n", version: "1" } }

  it("[G10] hears again what its client has said and asked for; the answers to that go nowhere, and it is kept already", () => {
    const { answer, heard, kept, told } = replayed({
      initialize,
      settings: { level: "error", subscriptions: ["test://a", "test://b"] }
    })
    expect(heard).toMatchObject([
      { method: "initialize", params: initialize },
      { method: "notifications/initialized" },
      { method: "logging/setLevel", params: { level: "error" } },
      { method: "resources/subscribe", params: { uri: "test://a" } },
      { method: "resources/subscribe", params: { uri: "test://b" } }
    ])
    expect(heard[1]).not.toHaveProperty("id")
    const ids = heard.flatMap(({ id }) => id ?? [])
    expect(new Set(ids).size).toBe(4)
    for (const id of ids) answer(id, { result: {} })
    expect([told, kept]).toEqual([[], []])
  })

  it("[G10] hears no level where its client asked for none, and goes on from what was kept", () => {
    const { ask, heard, kept } = replayed({ initialize, settings: { subscriptions: ["test://a"] } })
    expect(heard.map(({ method }) => method)).toEqual([
      "initialize",
      "notifications/initialized",
      "resources/subscribe"
    ])
    ask(1, "resources/subscribe", { uri: "test://b" })
    expect(kept).toEqual([{ subscribed: "test://b" }])
  })
})
