import { Effect } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, events, lastId, send } = Raw

const call = (id: number | string, name = "x") => ({ id, method: "tools/call", params: { name } })

interface Session extends Pick<Raw.Begun, "client" | "received"> {
  readonly session: Readonly<Record<string, string>>
  readonly url: string
}

const inSession = (test: (session: Session) => Promise<void>, version?: string) =>
  Effect.gen(function*() {
    const { conversations, url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const session = await begin(url, version)
      const { client, received } = conversations[0]!
      await test({ client, received, session, url })
    })
  })

describe("what a request is answered over HTTP", () => {
  test.scopedLive("[G13] a result that is encoded already is passed on as it is", function*() {
    const { url } = yield* Raw.serve(({ id }, { client }) => {
      if (id !== undefined) client.writeResult(id!, `{"tools": []}`)
    })
    yield* Effect.promise(async () => {
      const answered = await send(url, "POST", await begin(url), { id: "a", method: "tools/list" })
      expect(await answered.body).toBe(`{"jsonrpc":"2.0","id":"a","result":{"tools": []}}`)
    })
  })

  test.scopedLive("[G3] what is said during a request comes on its stream, before its answer, and nowhere else", function*() {
    const { url } = yield* Raw.serve(({ id }, { client }) => {
      if (id === undefined) return
      client.write(
        { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: id!, progress: 1 } },
        id!
      )
      client.write({ jsonrpc: "2.0", id: id!, result: {} })
    })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const own = await send(url, "GET", session)
      const answered = await Promise.all([send(url, "POST", session, call(1)), send(url, "POST", session, call(2))])
      for (const [index, { body, headers }] of answered.entries()) {
        expect(headers["content-type"]).toBe("text/event-stream")
        const id = index + 1
        expect(events(await body).map(({ message }) => message.id ?? message.params.progressToken)).toEqual([id, id])
      }
      expect(own.text()).not.toContain("progress")
    })
  })

  it.scopedLive("[G11] a call that takes long has its headers in time, with an id of an event to come back with", () =>
    inSession(async ({ client, session, url }) => {
      const answered = await send(url, "POST", session, call(1))
      expect(answered.headers["content-type"]).toBe("text/event-stream")
      expect(lastId(await answered.until("id: "))).not.toBe("")
      client.write({ jsonrpc: "2.0", id: 1, result: { late: true } })
      expect(events(await answered.body).at(-1)?.message.result).toEqual({ late: true })
    }))

  it.scopedLive("[G11] a client of an older version is sent no event without data", () =>
    inSession(async ({ client, session, url }) => {
      const answered = await send(url, "POST", session, call(1))
      client.write({ jsonrpc: "2.0", id: 1, result: {} })
      expect(await answered.body).not.toMatch(/^data: ?$/m)
      const own = await send(url, "GET", session)
      client.write({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
      await own.until("list_changed")
      expect(own.text()).not.toMatch(/^data: ?$/m)
    }, "2025-06-18"))

  it.scopedLive("[G11] a client whose stream drops in the middle of a call gets the answer by Last-Event-ID", () =>
    inSession(async ({ client, received, session, url }) => {
      const sent = send(url, "POST", session, call(1))
      await expect.poll(() => received.at(-1)?.id).toBe(1)
      const progress = (n: number) =>
        client.write(
          { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 1, progress: n } },
          1
        )
      progress(1)
      const first = await sent
      await first.until('"progress":1')
      first.cut()
      await first.body
      progress(2)
      const again = await send(url, "GET", { ...session, "Last-Event-ID": lastId(first.text()) })
      await again.until('"progress":2')
      client.write({ jsonrpc: "2.0", id: 1, result: { done: true } })
      const seen = events(await again.body).map(({ message }) => message.params?.progress ?? message.result)
      expect(seen).toEqual([2, { done: true }])
      const whole = await send(url, "GET", { ...session, "Last-Event-ID": lastId(first.text()) })
      expect(events(await whole.body)).toHaveLength(2)
      expect(received.some(({ method }) => method === "notifications/cancelled")).toBe(false)
    }))

  it.scopedLive("[G11 G18] of a stream that is forgotten, who has the answer gets nothing more, and who has not is told that its fate is unknown", () =>
    inSession(async ({ client, received, session, url }) => {
      const streamed = async (id: number) => {
        const sent = send(url, "POST", session, call(id))
        await expect.poll(() => received.at(-1)?.id).toBe(id)
        client.write(
          { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: id, progress: 1 } },
          id
        )
        client.write({ jsonrpc: "2.0", id, error: { code: -1, message: "refused" } })
        return (await sent).body
      }
      const read = lastId(await streamed(1))
      // As many as are kept, and one more.
      for (let id = 2; id <= 102; id++) await streamed(id)
      const missedOf = async (id: string) => {
        const again = await send(url, "GET", { ...session, "Last-Event-ID": id })
        return [again.status, ...events(await again.body).map(({ message }) => message.error?.data)]
      }
      expect(read).toMatch(/\.2$/)
      expect(await missedOf(read)).toEqual([405])
      expect(await missedOf(read.replace(/2$/, "1"))).toEqual([200, { tag: "ResultUnknown", fate: "unknown" }])
    }))

  it.scopedLive("[G11] a Last-Event-ID that nobody knows gives the session's own stream", () =>
    inSession(async ({ client, session, url }) => {
      for (const id of ["", "x", "0123456789ab.1.5", "a.b.c.d", "9".repeat(500)]) {
        const own = await send(url, "GET", { ...session, "Last-Event-ID": id })
        expect(own.status).toBe(200)
        client.write({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
        await own.until("list_changed")
      }
    }))

  it.scopedLive("[G10 G18] who comes back to a stream of an earlier process for answers is told that their fate is unknown", () =>
    inSession(async ({ client, session, url }) => {
      const own = await send(url, "GET", session)
      const ids = [7, "a"]
      const key = Buffer.from(JSON.stringify(ids)).toString("base64url")
      const again = await send(url, "GET", { ...session, "Last-Event-ID": `0123456789ab.1~${key}.5` })
      const told = events(await again.body).map(({ message: { error, id } }) => [id, (error?.data as any)?.fate])
      expect(told).toEqual(ids.map((id) => [id, "unknown"]))
      // An error does not keep the official Client from coming back.
      const over = await send(url, "GET", { ...session, "Last-Event-ID": lastId(again.text()) })
      expect(over.status).toBe(405)
      for (const broken of ["", "!", "e30", "bnVsbA"]) {
        const nothing = await send(url, "GET", { ...session, "Last-Event-ID": `0123456789ab.1~${broken}.5` })
        expect(nothing.status).toBe(405)
      }
      client.write({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
      await own.until("list_changed")
    }))

  it.scopedLive("[G11] a second stream of the session takes the place of the first, and goes on where that was", () =>
    inSession(async ({ client, session, url }) => {
      const message = (data: number) =>
        client.write({
          jsonrpc: "2.0",
          method: "notifications/message",
          params: { level: "info", data }
        })
      message(1)
      const first = await send(url, "GET", session)
      await first.until('"data":1')
      const second = await send(url, "GET", { ...session, "Last-Event-ID": lastId(first.text()) })
      await first.body
      message(2)
      await second.until('"data":2')
      expect(second.text()).not.toContain('"data":1')
    }))

  it.scopedLive("[G17] a stream that nobody reads is ended when too much waits for it, and can be resumed", () =>
    inSession(async ({ client, session, url }) => {
      const own = await send(url, "GET", session)
      Raw.pause(own)
      const padding = "x".repeat(100_000)
      const say = (n: number) =>
        client.write({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: n, reason: padding } })
      const count = 400
      for (let n = 1; n <= count; n++) {
        say(n)
        if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      Raw.resume(own)
      await expect(own.until(`"requestId":${count},`)).rejects.toThrow("ended without")
      const again = await send(url, "GET", { ...session, "Last-Event-ID": lastId(own.text()) })
      const text = await again.until(`"requestId":${count}`)
      expect(events(text).length).toBeLessThan(100)
    }))
})
