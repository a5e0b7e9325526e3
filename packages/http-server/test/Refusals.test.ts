import { Bytes } from "@mcp-lifeline/core/text"
import { Effect } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, send } = Raw

const error = async (answered: Promise<Raw.Answered>) => {
  const { body, status } = await answered
  const text = await body
  const { error, id } = JSON.parse(text) as Raw.Message
  return { status, code: error?.code, id, message: error?.message }
}

describe("what is refused over HTTP", () => {
  test.scopedLive("[G18] each request that cannot be taken is answered under its id, with what is wrong", function*() {
    const { conversations, url } = yield* Raw.serve(undefined, { limits: { maxBodyBytes: Bytes(20_000) } })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const post = (body: string | object) => error(send(url, "POST", session, body))
      expect(await post("{nothing")).toMatchObject({ status: 400, code: -32_700, id: null })
      expect(await post({ id: 3, method: 5 })).toMatchObject({ status: 400, code: -32_600, id: 3 })
      const deep = `{"jsonrpc":"2.0","method":"ping","params":{"a":${"[".repeat(5000)}${"]".repeat(5000)}},"id":"deep"}`
      expect(await post(deep)).toMatchObject({
        status: 400,
        code: -32_600,
        id: "deep",
        message: expect.stringContaining("levels deep")
      })
      const large = `{"jsonrpc":"2.0","method":"ping","params":{"a":"${"x".repeat(30_000)}"},"id":9}`
      expect(await post(large)).toMatchObject({ status: 413, id: 9, message: expect.stringContaining("20000 bytes") })
      // Brackets in a text are no levels.
      const text = { id: 4, method: "ping", params: { a: `\\"${"[{".repeat(2000)}` } }
      expect((await send(url, "POST", session, text)).status).toBe(200)
      expect(conversations).toHaveLength(1)
    })
  })

  test.scopedLive("[G18] a request that the gateway fails at in a session is answered with an error, and harms nobody else", function*() {
    const { url } = yield* Raw.serve(({ method }) => {
      if (method === "tools/list") throw new Error("a bug")
    })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const failed = await send(url, "POST", session, { id: 2, method: "tools/list" })
      expect(JSON.parse(await failed.body)).toMatchObject({ id: 2, error: { code: -32_603 } })
      expect((await send(url, "POST", session, { id: 3, method: "ping" })).status).toBe(200)
    })
  })

  test.scopedLive("[G1] headers that the specification asks for are asked for", function*() {
    const { requests, url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const status = async (method: string, headers: Record<string, string>, body: object | undefined) =>
        (await send(url, method, headers, body)).status
      const ping = { id: 1, method: "ping" }
      expect(await status("POST", { ...session, Accept: "application/json" }, ping)).toBe(406)
      expect(await status("POST", { ...session, "Content-Type": "text/plain" }, ping)).toBe(415)
      expect(await status("POST", { ...session, "MCP-Protocol-Version": "1999-01-01" }, ping)).toBe(400)
      expect(await status("POST", { ...session, "MCP-Protocol-Version": "2025-06-18" }, ping)).toBe(200)
      expect(await status("POST", {}, ping)).toBe(400)
      expect(await status("POST", { "Mcp-Session-Id": "x" }, ping)).toBe(404)
      expect(await status("GET", { ...session, Accept: "application/json" }, undefined)).toBe(406)
      expect(await status("GET", {}, undefined)).toBe(400)
      expect(await status("PUT", session, ping)).toBe(405)
      expect(await status("POST", session, Raw.initialize())).toBe(400)
      expect(await status("POST", session, { method: "notifications/x" })).toBe(202)
      expect(requests.sessions()).toBe(1)
    })
  })

  test.scopedLive("[G1] batches are taken in the version that has them, and in no other", function*() {
    const { url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const batch = [{ id: 1, method: "ping" }, { id: 2, method: "ping" }, { method: "notifications/x" }]
      const body = JSON.stringify(batch.map((one) => ({ jsonrpc: "2.0", ...one })))
      const old = await send(url, "POST", await begin(url, "2025-03-26"), body)
      expect(JSON.parse(await old.body)).toMatchObject([{ id: 1, result: {} }, { id: 2, result: {} }])
      const session = await begin(url)
      expect(await error(send(url, "POST", session, body))).toMatchObject({ status: 400, code: -32_600 })
      const oldest = await begin(url, "2025-03-26")
      const many = (count: number) =>
        JSON.stringify(Array.from({ length: count }, (_, id) => ({ jsonrpc: "2.0", id, method: "ping" })))
      const status = async (headers: Record<string, string>, body: string) =>
        (await send(url, "POST", headers, body)).status
      expect(await status(oldest, many(100))).toBe(200)
      for (const wrong of ["[]", many(101), `[{"jsonrpc":"2.0","id":1,"method":"ping"},7]`]) {
        expect(await status(oldest, wrong)).toBe(400)
      }
      expect(await status({}, many(1))).toBe(400)
    })
  })

  test.scopedLive("[G1 G18] what is no message is refused as such, unless its session is none any more", function*() {
    const { url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const wrong = { id: 3, method: 5 }
      const asked = (method: string, headers: Record<string, string>, body?: object) =>
        error(send(url, method, headers, body))
      expect(await asked("POST", {}, wrong)).toMatchObject({ status: 400, code: -32_600, id: 3 })
      expect(await asked("POST", session, wrong)).toMatchObject({ status: 400, code: -32_600, id: 3 })
      expect(await asked("DELETE", {})).toMatchObject({
        status: 400,
        message: expect.stringContaining("Mcp-Session-Id")
      })
      expect((await send(url, "DELETE", session)).status).toBe(200)
      expect(await asked("POST", session, wrong)).toMatchObject({ status: 404 })
      expect((await send(url, "PUT")).headers["allow"]).toBe("GET, POST, DELETE")
      expect((await send(url, "GET", { "MCP-Protocol-Version": "2026-07-28" })).headers["allow"]).toBe("POST")
    })
  })

  test.scopedLive("[X1 G18] what the gateway fails at is answered with 500, and told to its log alone", function*() {
    const broken = new Error("a secret of ours")
    const { errors, url } = yield* Raw.serve(undefined, {
      begin: () => {
        throw broken
      }
    })
    yield* Effect.promise(async () => {
      const { code, message, status } = await error(send(url, "POST", {}, Raw.initialize()))
      expect([status, code, message]).toEqual([500, -32_603, expect.not.stringContaining("secret")])
      expect((await send(url, "POST", {}, { id: 1, method: "ping" })).status).toBe(400)
    })
    expect(errors).toEqual([broken])
  })
})
