import { Bytes } from "@mcp-lifeline/core/text"
import { Effect } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as SealedId from "../src/SealedId.js"
import * as SessionRecords from "../src/SessionRecords.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, send } = Raw

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
const session = (url: string, token: string) => begin(url, undefined, bearer(token))

const said = async (answered: Promise<Raw.Answered>) => {
  const { body, headers, status } = await answered
  const text = await body
  return { status, message: (JSON.parse(text || "{}") as Raw.Message).error?.message, again: headers["retry-after"] }
}

const ping = async (url: string, headers: Readonly<Record<string, string>>) =>
  (await send(url, "POST", headers, { id: 9, method: "ping" })).status

describe("sessions", () => {
  test.scopedLive("[X5 G17] one caller that uses all that it may have is refused, and others begin and keep theirs", function*() {
    const { url } = yield* Raw.serve(undefined, { limits: { maxSessions: 8 } })
    yield* Effect.promise(async () => {
      const modest = await session(url, "modest")
      // Whoever reads a stream is there, and keeps what it has.
      for (let n = 0; n < 3; n++) await send(url, "GET", await session(url, "greedy"))
      expect(await said(send(url, "POST", bearer("greedy"), Raw.initialize()))).toEqual({
        status: 503,
        again: "5",
        message:
          "This caller has 3 sessions, all in use, the maximum while all callers have 4 of 8: end some, or try again later"
      })
      // Although nothing of this one is open, it has made room for nobody.
      expect(await ping(url, modest)).toBe(200)
      await session(url, "modest")
      await session(url, "third")
    })
  })

  test.scopedLive("[X5 G17] one too many takes the place of the caller's own that was unused for longest, whose id stays valid", function*() {
    const { conversations, requests, url } = yield* Raw.serve(undefined, { limits: { maxSessions: 8 } })
    yield* Effect.promise(async () => {
      await session(url, "modest")
      const [first] = [await session(url, "greedy"), await session(url, "greedy"), await session(url, "greedy")]
      await session(url, "greedy")
      expect(conversations.map(({ isClosed }) => isClosed)).toEqual([false, true, false, false, false])
      expect(requests.sessions()).toBe(4)
      expect(await ping(url, first!)).toBe(200)
      expect(conversations.map(({ isClosed }) => isClosed)).toEqual([false, true, true, false, false, false])
    })
  })
})

describe("records of sessions", () => {
  test.scopedLive("[X5 G10] one caller that begins and ends sessions ends none of another one, also after a restart", function*() {
    const records = SessionRecords.inMemory({ maxSessions: 4, maxChars: 10_000 })
    const seal = SealedId.make(SealedId.randomSecret())
    const first = yield* Raw.serve(undefined, { records, seal })
    const [modest, plain] = yield* Effect.promise(async () => {
      const [modest, plain] = [await session(first.url, "modest"), await session(first.url, "modest")]
      await (await send(first.url, "POST", modest!, {
        id: 1,
        method: "logging/setLevel",
        params: { level: "error" }
      })).body
      for (let n = 0; n < 8; n++) {
        await (await send(first.url, "DELETE", await session(first.url, "greedy"))).body
      }
      return [modest!, plain!] as const
    })
    const second = yield* Raw.serve(undefined, { records, seal })
    yield* Effect.promise(async () => {
      expect([await ping(second.url, modest), await ping(second.url, plain)]).toEqual([200, 200])
      expect(second.conversations.map(({ resumed }) => resumed?.settings.level)).toEqual(["error", undefined])
    })
  })
})

describe("servers that run for single sessions", () => {
  test.scopedLive("[X5 G15] one caller cannot have those of all others, and loses its own first", function*() {
    const { conversations, url } = yield* Raw.serve(Raw.startingServers, { limits: { maxOwnServers: () => 8 } })
    yield* Effect.promise(async () => {
      const modest = await session(url, "modest")
      expect(await Raw.startServers(url, modest)).toBe(true)
      const greedy = [await session(url, "greedy"), await session(url, "greedy"), await session(url, "greedy")]
      for (const one of greedy) {
        expect(await Raw.startServers(url, one)).toBe(true)
        await send(url, "GET", one)
      }
      expect(await Raw.startServers(url, await session(url, "greedy"))).toBe(false)
      expect(conversations.some(({ isClosed }) => isClosed)).toBe(false)
      expect(await Raw.startServers(url, await session(url, "modest"))).toBe(true)
      expect(await Raw.startServers(url, await session(url, "third"))).toBe(true)
    })
  })
})

describe("requests that are not answered yet", () => {
  const opened = (conversations: ReadonlyArray<Raw.Begun>) =>
    conversations.flatMap(({ received }) => received.filter(({ method }) => method === "tools/call"))

  const three = async (url: string) =>
    [await session(url, "greedy"), await session(url, "greedy"), await session(url, "modest")] as const

  const call = (url: string, headers: Readonly<Record<string, string>>, id: number, bytes = 0) =>
    send(url, "POST", headers, { id, method: "tools/call", params: { name: "x", x: "x".repeat(bytes) } })

  test.scopedLive("[X5 G17] one caller cannot have all places by beginning many sessions, and gets them back", function*() {
    const { conversations, url } = yield* Raw.serve(undefined, { limits: { maxOpenCalls: 8 } })
    const isOpen = () => opened(conversations)
    yield* Effect.promise(async () => {
      const [one, two, other] = await three(url)
      const calls = [call(url, one, 1), call(url, one, 2), call(url, two, 1), call(url, two, 2)]
      await expect.poll(() => isOpen().length).toBe(4)
      expect(await said(call(url, two, 3))).toEqual({
        status: 429,
        again: "1",
        message:
          "This client has 4 requests that are not answered yet, the maximum while all clients have 4; send this one again when some are answered"
      })
      const theirs = call(url, other, 1)
      await expect.poll(() => isOpen().length).toBe(5)
      for (const { client } of conversations) client.write({ jsonrpc: "2.0", id: 1, result: {} })
      await Promise.all([calls[0], calls[2], theirs])
      const third = call(url, two, 3)
      await expect.poll(() => isOpen().length).toBe(6)
      void third
    })
  })

  test.scopedLive("[X5 G17] keep a bounded number of bytes, of which one client cannot have all", function*() {
    const { conversations, url } = yield* Raw.serve(undefined, { limits: { maxOpenBytes: Bytes(400_000) } })
    const isOpen = () => opened(conversations)
    yield* Effect.promise(async () => {
      const [one, two, other] = await three(url)
      void call(url, one, 1, 180_000)
      await expect.poll(() => isOpen().length).toBe(1)
      const refused = await said(call(url, two, 1, 90_000))
      expect(refused).toMatchObject({ status: 429, again: "1" })
      expect(refused.message).toMatch(
        /^The requests of this client that are not answered yet have 1\d{5} bytes, and those of all clients 1\d{5}: there is no room for this one; send/
      )
      // Small ones, and those of others, have room.
      void call(url, two, 2, 10_000)
      void call(url, other, 1, 90_000)
      await expect.poll(() => isOpen().length).toBe(3)
      conversations[0]!.client.write({ jsonrpc: "2.0", id: 1, result: {} })
      await expect.poll(async () => {
        void call(url, two, 3, 90_000).catch(() => undefined)
        return isOpen().length
      }).toBe(4)
    })
  })
})
