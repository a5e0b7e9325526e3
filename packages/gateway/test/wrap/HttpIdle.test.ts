import { describe, expect, it } from "@effect/vitest"
import { layerAt } from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import { vi } from "vitest"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as HttpHost from "../../src/wrap/HttpHost.js"

const { begin, send } = Raw

const minutes = 60_000
const key = (name: string): string => `io.modelcontextprotocol/${name}`

/** `wrap --http`, whose conversations with the server are written down; each stands for a server that runs. */
const serve = Effect.gen(function*() {
  const conversations: Array<{ readonly heard: Array<Raw.Message>; isClosed: boolean }> = []
  const { url } = yield* HttpHost.serve({ port: 0, token: undefined }, () => {
    const one = { heard: [] as Array<Raw.Message>, isClosed: false }
    conversations.push(one)
    return {
      introduce: () => Promise.resolve(Raw.introduction as never),
      request: (request) => {
        const { id, method, params } = request
        one.heard.push({ id, method, params })
        if (params?.["uri"] === "test://refused") request.answer({ error: { code: -32_602, message: "no" } })
        else request.answer({ result: method === "initialize" ? { ...Raw.introduction } : {} })
      },
      receive: (message) => void one.heard.push(message as Raw.Message),
      isIdle: () => true,
      tick: () => undefined,
      close: async () => void (one.isClosed = true)
    }
  }).pipe(Effect.provide(layerAt(yield* folder)))
  /** Which servers have been stopped. */
  const stopped = () => conversations.map(({ isClosed }) => isClosed)
  return { conversations, stopped, url }
})

/** Time as the gateway measures how long something is unused. */
const virtual = Effect.acquireRelease(
  Effect.sync(() => vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] })),
  () => Effect.sync(() => vi.useRealTimers())
)

describe("the servers of wrap --http", () => {
  it.scopedLive("[X5 W3] stop after half an hour without a request or a stream; the session goes on with another one", () =>
    Effect.gen(function*() {
      yield* virtual
      const { conversations, stopped, url } = yield* serve
      yield* Effect.promise(async () => {
        const [left, there] = [await begin(url), await begin(url)] as const
        const post = async (id: number, method: string, params?: object) => {
          const answered = await send(url, "POST", left, { id, method, params })
          const text = await answered.body
          // The client that comes back is told that lists may have changed, too.
          return text.startsWith("{") ? JSON.parse(text) as Raw.Message : Raw.events(text).at(-1)?.message
        }
        await post(1, "logging/setLevel", { level: "error" })
        for (const uri of ["test://one", "test://two", "test://refused"]) await post(2, "resources/subscribe", { uri })
        await post(3, "resources/unsubscribe", { uri: "test://one" })
        const stream = await send(url, "GET", there)
        vi.advanceTimersByTime(29 * minutes)
        expect(stopped()).toEqual([false, false])
        vi.advanceTimersByTime(2 * minutes)
        expect(stopped()).toEqual([true, false])
        expect(await post(4, "tools/list")).toMatchObject({ id: 4, result: {} })
        expect(stopped()).toEqual([true, false, false])
        expect(conversations[2]?.heard.map(({ method, params }) => [method, params?.level ?? params?.uri])).toEqual([
          ["initialize", undefined],
          ["notifications/initialized", undefined],
          ["logging/setLevel", "error"],
          ["resources/subscribe", "test://two"],
          ["tools/list", undefined]
        ])
        stream.cut()
      })
    }))

  it.scopedLive("[X5 W3] so does that of a client without sessions", () =>
    Effect.gen(function*() {
      yield* virtual
      const { stopped, url } = yield* serve
      yield* Effect.promise(async () => {
        const _meta = { [key("protocolVersion")]: "2026-07-28", [key("clientCapabilities")]: {} }
        const headers = { "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list" }
        const ask = async () =>
          (await send(url, "POST", headers, { id: 1, method: "tools/list", params: { _meta } })).status
        expect([await ask(), await ask()]).toEqual([200, 200])
        vi.advanceTimersByTime(29 * minutes)
        expect([await ask(), stopped()]).toEqual([200, [false]])
        vi.advanceTimersByTime(29 * minutes)
        expect(stopped()).toEqual([false])
        vi.advanceTimersByTime(2 * minutes)
        expect(stopped()).toEqual([true])
        expect([await ask(), stopped()]).toEqual([200, [true, false]])
      })
    }))
})

describe("a session of wrap --http", () => {
  it.scopedLive("[E8 W3] progress that comes after the answer, of a task, is on no stream of another request", () =>
    Effect.gen(function*() {
      const { url } = yield* HttpHost.serve({ port: 0, token: undefined }, (write) => ({
        introduce: () => Promise.resolve(Raw.introduction as never),
        request: (request) => {
          if (request.method === "initialize") return request.answer({ result: { ...Raw.introduction } })
          if (request.method === "tools/call") return
          request.answer({ result: {} })
          write({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 7, progress: 1 } })
          write({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
        },
        receive: () => undefined,
        isIdle: () => true,
        tick: () => undefined,
        close: () => Promise.resolve()
      })).pipe(Effect.provide(layerAt(yield* folder)))
      yield* Effect.promise(async () => {
        const session = await begin(url)
        const stream = await send(url, "GET", session)
        const open = send(url, "POST", session, { id: 1, method: "tools/call", params: { name: "x" } })
        await (await send(url, "POST", session, { id: 2, method: "ping" })).body
        const told = Raw.events(await stream.until("list_changed")).map(({ message }) => message.method)
        expect(told).toEqual(["notifications/progress", "notifications/tools/list_changed"])
        stream.cut()
        await (await send(url, "DELETE", session)).body
        await (await open).body
      })
    }))
})
