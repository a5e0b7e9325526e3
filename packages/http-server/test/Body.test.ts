import { Bytes, JsonValue } from "@mcp-lifeline/core/text"
import { JsonShape, Shares } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import { Agent, type ClientRequest, IncomingMessage, request as httpRequest } from "node:http"
import { Socket } from "node:net"
import { PassThrough } from "node:stream"
import { setImmediate } from "node:timers/promises"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import * as Arrival from "../src/Arrival.js"
import * as Body from "../src/Body.js"
import * as Caller from "../src/Caller.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, send } = Raw

const headers = { Accept: "application/json, text/event-stream", "Content-Type": "application/json" }

const post = async (url: string, session: Readonly<Record<string, string>>, body: string) => {
  const answered = await fetch(url, { method: "POST", headers: { ...headers, ...session }, body })
  const { error, id } = await answered.json() as Raw.Message
  return { status: answered.status, code: error?.code, id, isKept: answered.headers.get("connection") !== "close" }
}

const ping = (text: string) => `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${text}}}`

const pieces = (url: string, session: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const agent = new Agent({ keepAlive: true })
      const sent: ClientRequest = httpRequest(url, {
        method: "POST",
        agent,
        headers: { ...headers, ...session }
      })
      sent.on("error", () => undefined)
      const answer = new Promise<Raw.Message & { status: number | undefined; isKept: boolean }>((resolve) =>
        sent.once("response", (response: IncomingMessage) => {
          let text = ""
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk)).on(
            "end",
            () =>
              resolve({
                ...JSON.parse(text),
                status: response.statusCode,
                isKept: response.headers.connection !== "close"
              })
          )
        })
      )
      return {
        answer,
        end: () => sent.end(),
        close: () => agent.destroy(),
        write: (text: string) => new Promise<void>((resolve) => sent.write(text, () => resolve()))
      }
    }),
    ({ close }) => Effect.sync(close)
  )

describe("the body of a request", () => {
  test.scopedLive("[G18 X1] is nested as deeply as it may be, or one level more, in arrays and objects", function*() {
    const { url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const arrays = (levels: number) => ping("[".repeat(levels) + "]".repeat(levels))
      const objects = (levels: number) => ping(`${`{"a":`.repeat(levels)}1${"}".repeat(levels)}`)
      for (const nested of [arrays, objects]) {
        expect((await post(url, session, nested(JsonValue.defaultDepth - 2))).status).toBe(200)
        expect(await post(url, session, nested(JsonValue.defaultDepth - 1))).toEqual({
          status: 400,
          code: -32_600,
          id: 1,
          isKept: true
        })
      }
    })
  })

  test.scopedLive("[G18 X1] may be as wide as it likes, and have any bracket in a text", function*() {
    const { url } = yield* Raw.serve()
    const many = (text: string) => ping(`[${Array.from({ length: 2000 }, () => text).join()}]`)
    yield* Effect.promise(async () => {
      const session = await begin(url)
      for (const text of ["1", "[]", "{}", `"["`, `"{"`, `"\\""`, `"\\\\"`, `"\\\\\\"[["`, `{"[":"{["}`]) {
        expect([text, (await post(url, session, many(text))).status]).toEqual([text, 200])
      }
      // What closes in a text closes nothing.
      const deep = `${`["]",`.repeat(600)}1${"]".repeat(600)}`
      expect((await post(url, session, ping(deep))).status).toBe(400)
    })
  })

  test.scopedLive("[X1 X5 G18] has at most so many values, and counts as what it takes in memory", function*() {
    const { url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const session = await begin(url)
      for (const text of ["{}", "[]", "0", '{"a":0}', '""']) {
        const many = ping(`[${`${text},`.repeat(JsonShape.mostValues)}0]`)
        expect(await post(url, session, many)).toEqual({ status: 413, code: -32_600, id: 1, isKept: true })
      }
      const request = new PassThrough()
      const size = new Promise((resolve) =>
        Body.read(
          request as unknown as IncomingMessage,
          Bytes(16 * 1024 * 1024),
          (body) => resolve(body._tag === "Json" ? body.size : body)
        )
      )
      request.emit("data", Buffer.from(`[${"{},".repeat(99_999)}{}]`))
      request.emit("end")
      expect(await size).toBe(300_001 + 64 * 199_999 + 64)
    })
  })

  test.scopedLive("[X1 G18] is refused where it is no JSON, also where a text in it has no end", function*() {
    const { conversations, url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const session = await begin(url)
      for (const text of ["", "{", `{"a`, `{"a\\`, `"`, "\\"]) {
        expect(await post(url, session, text)).toEqual({ status: 400, code: -32_700, id: null, isKept: true })
      }
      expect(conversations).toHaveLength(1)
    })
  })

  test.scopedLive("[G17] has as many bytes as it may have, or one more", function*() {
    const { url } = yield* Raw.serve(undefined, { limits: { maxBodyBytes: Bytes(1000) } })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const long = (bytes: number) => ping(`"${"x".repeat(bytes - ping(`""`).length)}"`)
      expect((await post(url, session, long(1000))).status).toBe(200)
      expect(await post(url, session, long(1001))).toEqual({ status: 413, code: -32_000, id: 1, isKept: true })
    })
  })

  test.scopedLive("[G18 X5] that is too long is looked through for the id of its request, up to four times as much, and kept no more", function*() {
    const { url } = yield* Raw.serve(undefined, { limits: { maxBodyBytes: Bytes(20_000) } })
    const session = yield* Effect.promise(() => begin(url))
    const start = `{"jsonrpc":"2.0","method":"ping","params":{"a":"`.padEnd(21_000, "x")
    const found = yield* pieces(url, session)
    const endless = yield* pieces(url, session)
    yield* Effect.promise(async () => {
      await found.write(start)
      // Another request is answered meanwhile: what is there of this one has been read.
      expect((await post(url, session, ping("1"))).status).toBe(200)
      await found.write("x".repeat(50_000))
      expect((await post(url, session, ping("1"))).status).toBe(200)
      await found.write(`"},"id":"late"}`)
      found.end()
      expect(await found.answer).toMatchObject({ status: 413, id: "late", isKept: true })
      await endless.write(start)
      await endless.write("x".repeat(62_000))
      expect(await endless.answer).toMatchObject({ status: 413, id: null, isKept: false })
    })
  })

  test.scopedLive("[G18] that nobody reads to its end ends its connection, and one that was read does not", function*() {
    const { url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const body = ping("1")
      const asked = async (headers: Readonly<Record<string, string>>) => {
        const { isKept, status } = await post(url, headers, body)
        return [status, isKept]
      }
      expect(await asked({ ...session, "Content-Type": "text/plain" })).toEqual([415, false])
      expect(await asked({ "Mcp-Session-Id": "unknown" })).toEqual([404, true])
      expect(await asked({ ...session, "MCP-Protocol-Version": "1999-01-01" })).toEqual([400, true])
      expect(await asked({})).toEqual([400, true])
      expect(await asked({ "MCP-Protocol-Version": "2026-07-28" })).toEqual([400, true])
      expect(await post(url, session, `{"jsonrpc":"2.0","id":1,"method":7}`)).toMatchObject({
        status: 400,
        isKept: true
      })
      expect((await send(url, "POST", session, { id: 2, method: "ping" })).status).toBe(200)
    })
  })

  it("[X5:unit] takes of the memory of its client, of whose name no more than 200 characters count", () => {
    mayLeave("shares")
    const shares = new Shares(100)
    const room = (agent: string, address = "a", session?: string) =>
      Body.roomFor(shares, { headers: { "user-agent": agent }, socket: { remoteAddress: address } } as never, session)
    const long = "x".repeat(200)
    const first = room(`${long}a`)
    expect([first(30), room(`${long}b`)(30)]).toEqual([true, false])
    expect([room("y")(20), room(long, "b")(10), room(long, "a", "session")(10)]).toEqual([true, true, true])
    first(0)
    expect(shares.total).toBe(40)
  })

  describe("on its way", () => {
    const kib = 1024
    const reading = (most: number, maxBytes = 1_000_000) => {
      const request = new PassThrough()
      const listeners = () => ["data", "end", "close"].map((name) => request.listenerCount(name))
      const before = listeners()
      const taken: Array<number> = []
      const read: Array<Body.Whole> = []
      let held = 0
      const room = (bytes: number) => {
        if (bytes > most) return false
        if (bytes > held) taken.push(bytes - held)
        held = bytes
        return true
      }
      Body.readBytes(request as object as IncomingMessage, Bytes(maxBytes), (body) => void read.push(body), room)
      return {
        request,
        read,
        taken,
        held: () => held,
        isLetGo: () => listeners().every((count, index) => count === before[index]),
        write: async (bytes: number) => {
          request.write(Buffer.alloc(bytes, 0x20))
          await setImmediate()
        }
      }
    }

    it("[X5:unit G17] takes memory for what is beyond 16 KiB, and gives it back when it is there", async () => {
      const one = reading(100 * kib)
      for (const size of [10, 6, 1, 40]) await one.write(size * kib)
      expect([one.taken, one.held()]).toEqual([[kib, 40 * kib], 41 * kib])
      one.request.end()
      await expect.poll(() => one.read.length).toBe(1)
      expect([one.read[0]?._tag === "Whole" && one.read[0].bytes.length, one.held(), one.isLetGo()]).toEqual([
        57 * kib,
        0,
        true
      ])
      one.request.destroy()
      await setImmediate()
      expect([one.held(), one.read.length]).toEqual([0, 1])
    })

    it("[X5:unit G17] gives it back when its client has gone, and is never there", async () => {
      const one = reading(100 * kib)
      await one.write(30 * kib)
      expect(one.held()).toBe(14 * kib)
      one.request.destroy()
      await setImmediate()
      expect([one.held(), one.read, one.isLetGo()]).toEqual([0, [], true])
    })

    it.each([[503, 20 * kib, 1_000_000], [413, 100 * kib, 40 * kib]] as const)(
      "[X5:unit G17] gives it back when it is refused, once: with %i",
      async (status, most, maxBytes) => {
        const one = reading(most, maxBytes)
        await one.write(30 * kib)
        expect(one.held()).toBe(14 * kib)
        await one.write(30 * kib)
        expect(one.held()).toBe(0)
        one.request.end(`"id":7}`)
        await expect.poll(() => one.read.length).toBe(1)
        expect(one.read).toMatchObject([{ _tag: "Refused", refusal: { status, isRead: true } }])
        one.request.destroy()
        await setImmediate()
        expect([one.held(), one.read.length, one.isLetGo()]).toEqual([0, 1, true])
      }
    )
  })

  it("[G22:unit G26] that is read again is of the same caller, and has come in the same way", async () => {
    const request = new IncomingMessage(new Socket())
    Object.assign(request, { method: "POST", url: "/mcp", headers: { accept: "*/*" } })
    const [caller, arrival] = [{ subject: "ann", claims: {} }, { address: "203.0.113.7", host: "mcp.example.com" }]
    Caller.note(request, caller)
    Arrival.note(request, arrival)
    const copy = Body.returned(request, Buffer.from("again"))
    expect([copy.method, copy.url, copy.headers, copy.complete]).toEqual(["POST", "/mcp", { accept: "*/*" }, true])
    expect([Caller.of(copy), Arrival.of(copy)]).toEqual([caller, arrival])
    const chunks: Array<Buffer> = []
    for await (const chunk of copy) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).toString()).toBe("again")
    request.socket.destroy()
  })
})
