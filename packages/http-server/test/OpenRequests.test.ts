import { Effect } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, events, send } = Raw

const answered = async (sent: Promise<Raw.Answered>): Promise<Raw.Message | undefined> => {
  const text = await (await sent).body
  return text.startsWith("{") ? JSON.parse(text) as Raw.Message : events(text).at(-1)?.message
}

describe("requests of one session that are open", () => {
  test.scopedLive("[G17 G18] are so many; one under the id of another is refused, and all others are answered", function*() {
    const { conversations, url } = yield* Raw.serve(undefined, { limits: { maxCalls: 2 } })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const [{ client, received }] = conversations as [Raw.Begun]
      const call = (id: number) => send(url, "POST", session, { id, method: "tools/call" })
      const first = answered(call(1))
      await expect.poll(() => received.at(-1)?.id).toBe(1)
      const twin = await call(1)
      expect([twin.status, JSON.parse(await twin.body)]).toMatchObject([
        400,
        { id: 1, error: { code: -32_600, message: "The id 1 is that of a request which is not answered yet" } }
      ])
      const second = answered(call(2))
      await expect.poll(() => received.at(-1)?.id).toBe(2)
      const third = await call(3)
      expect([third.status, third.headers["retry-after"]]).toEqual([429, "1"])
      client.write({ jsonrpc: "2.0", id: 1, result: { n: 1 } })
      expect(await first).toMatchObject({ id: 1, result: { n: 1 } })
      const again = answered(call(1))
      await expect.poll(() => received.at(-1)?.id).toBe(1)
      for (const id of [1, 2]) client.write({ jsonrpc: "2.0", id, result: { n: id + 1 } })
      expect(await Promise.all([again, second])).toMatchObject([{ result: { n: 2 } }, { result: { n: 3 } }])
    })
  })

  test.scopedLive("[G18] a batch in which two have one id is refused whole", function*() {
    const { conversations, url } = yield* Raw.serve()
    yield* Effect.promise(async () => {
      const session = await begin(url, "2025-03-26")
      const count = conversations[0]?.received.length
      const batch = [1, 2, 1].map((id) => ({ jsonrpc: "2.0", id, method: "tools/call" }))
      const refused = await send(url, "POST", session, JSON.stringify(batch))
      expect([refused.status, JSON.parse(await refused.body)]).toMatchObject([400, { id: 1 }])
      expect(conversations[0]?.received).toHaveLength(count ?? 0)
    })
  })

  test.scopedLive("[G3 G17] what the client cancels is stopped with its reason, ends its POST, and gives its place to another", function*() {
    const { conversations, url } = yield* Raw.serve(undefined, { limits: { maxCalls: 1 } })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const [{ client, received }] = conversations as [Raw.Begun]
      const first = send(url, "POST", session, { id: 1, method: "tools/call" })
      await expect.poll(() => client.requests.size).toBe(1)
      const stopped: Array<unknown> = []
      const request = client.requests.get(1)!
      request.work = {
        stop: (reason) => {
          stopped.push(reason)
          return "unknown"
        }
      }
      const params = { requestId: 1, reason: "enough" }
      expect((await send(url, "POST", session, { method: "notifications/cancelled", params })).status).toBe(202)
      expect(events(await (await first).body)).toEqual([])
      expect([stopped, request.isOver, client.requests.size]).toEqual([["enough"], true, 0])
      // Who carries the messages cancels: the conversation hears nothing of it.
      expect(received.at(-1)?.method).toBe("tools/call")
      client.requests.get(1)?.answer({ result: {} })
      const next = answered(send(url, "POST", session, { id: 1, method: "ping" }))
      expect(await next).toMatchObject({ id: 1, result: {} })
    })
  })

  test.scopedLive("[X1 G18] one that the conversation throws at is answered with an error, and the next one is answered", function*() {
    const { errors, url } = yield* Raw.serve(({ method }) => {
      throw new Error(`broken at ${method}`)
    })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      expect(await answered(send(url, "POST", session, { id: 1, method: "tools/call" }))).toMatchObject({
        id: 1,
        error: { code: -32_603, message: "Internal error of the gateway; its log has more" }
      })
      expect((await send(url, "POST", session, { method: "notifications/odd" })).status).toBe(202)
      expect(await answered(send(url, "POST", session, { id: 2, method: "ping" }))).toMatchObject({
        id: 2,
        result: {}
      })
      expect(errors.map(String)).toEqual([
        "Error: broken at notifications/initialized",
        "Error: broken at tools/call",
        "Error: broken at notifications/odd"
      ])
    })
  })
})
