import { describe, expect, it } from "@effect/vitest"
import { Nesting } from "@mcp-lifeline/core/internal"
import { Effect } from "effect"
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http"
import * as Body from "../src/Body.js"
import { Shares } from "../src/Shares.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, send } = Raw

const headers = { Accept: "application/json, text/event-stream", "Content-Type": "application/json" }

/** A POST with a text as it is, on a connection that may be kept; `isKept`: whether it is. */
const post = async (url: string, session: Readonly<Record<string, string>>, body: string) => {
  const answered = await fetch(url, { method: "POST", headers: { ...headers, ...session }, body })
  const { error, id } = await answered.json() as Raw.Message
  return { status: answered.status, code: error?.code, id, isKept: answered.headers.get("connection") !== "close" }
}

/** A ping whose params have this text in them, two levels deep. */
const ping = (text: string) => `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${text}}}`

/** A POST whose body the test writes in pieces. */
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
        /** Resolves once the system has taken it. */
        write: (text: string) => new Promise<void>((resolve) => sent.write(text, () => resolve()))
      }
    }),
    ({ close }) => Effect.sync(close)
  )

describe("the body of a request", () => {
  it.scopedLive("[G18 X1] is nested as deeply as it may be, or one level more, in arrays and objects", () =>
    Effect.gen(function*() {
      const { url } = yield* Raw.serve()
      yield* Effect.promise(async () => {
        const session = await begin(url)
        const arrays = (levels: number) => ping("[".repeat(levels) + "]".repeat(levels))
        const objects = (levels: number) => ping(`${`{"a":`.repeat(levels)}1${"}".repeat(levels)}`)
        for (const nested of [arrays, objects]) {
          expect((await post(url, session, nested(Nesting.defaultDepth - 2))).status).toBe(200)
          expect(await post(url, session, nested(Nesting.defaultDepth - 1))).toEqual({
            status: 400,
            code: -32_600,
            id: 1,
            isKept: true
          })
        }
      })
    }))

  it.scopedLive("[G18 X1] may be as wide as it likes, and have any bracket in a text", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[X1 G18] is refused where it is no JSON, also where a text in it has no end", () =>
    Effect.gen(function*() {
      const { conversations, url } = yield* Raw.serve()
      yield* Effect.promise(async () => {
        const session = await begin(url)
        for (const text of ["", "{", `{"a`, `{"a\\`, `"`, "\\"]) {
          expect(await post(url, session, text)).toEqual({ status: 400, code: -32_700, id: null, isKept: true })
        }
        expect(conversations).toHaveLength(1)
      })
    }))

  it.scopedLive("[G17] has as many bytes as it may have, or one more", () =>
    Effect.gen(function*() {
      const { url } = yield* Raw.serve(undefined, { limits: { maxBodyBytes: 1000 } })
      yield* Effect.promise(async () => {
        const session = await begin(url)
        const long = (bytes: number) => ping(`"${"x".repeat(bytes - ping(`""`).length)}"`)
        expect((await post(url, session, long(1000))).status).toBe(200)
        expect(await post(url, session, long(1001))).toEqual({ status: 413, code: -32_000, id: 1, isKept: true })
      })
    }))

  it.scopedLive("[G18 X5] that is too long is looked through for the id of its request, up to four times as much, and kept no more", () =>
    Effect.gen(function*() {
      const { url } = yield* Raw.serve(undefined, { limits: { maxBodyBytes: 20_000 } })
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
    }))

  it.scopedLive("[G18] that nobody reads to its end ends its connection, and one that was read does not", () =>
    Effect.gen(function*() {
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
        // A body that is read, and a request like that on the same connection.
        expect((await send(url, "POST", session, { id: 2, method: "ping" })).status).toBe(200)
      })
    }))

  it("[X5:unit] takes of the memory of its client, of whose name no more than 200 characters count", () => {
    const shares = new Shares(100)
    const room = (agent: string, address = "a", session?: string) =>
      Body.roomFor(shares, { headers: { "user-agent": agent }, socket: { remoteAddress: address } } as never, session)
    const long = "x".repeat(200)
    expect([`${long}a`, `${long}b`].map((agent) => room(agent).take(30))).toEqual([true, false])
    expect([room("y").take(20), room(long, "b").take(10), room(long, "a", "session").take(10)]).toEqual([
      true,
      true,
      true
    ])
    room(`${long}c`).release(30)
    expect(shares.total).toBe(40)
  })
})
