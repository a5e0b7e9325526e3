import { RequestError, Sending } from "@mcp-lifeline/core"
import { Bytes } from "@mcp-lifeline/core/text"
import { Oversized } from "@mcp-lifeline/protocol"
import { Effect, Fiber } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { scripted, transportOf } from "./scripted.js"

describe("what ends with a request", () => {
  test.scopedLive("[C5] its timer: an answered request is not cancelled later", function*() {
    const { answer, connection, sent } = yield* scripted({ report: () => {} })
    const fiber = yield* Effect.fork(Sending.ask(connection, "ping", undefined, { timeout: 20 }))
    yield* Effect.yieldNow()
    answer({ result: {} })
    yield* Fiber.join(fiber)
    yield* Effect.sleep(60)
    assert.isUndefined(sent.find((message) => "method" in message && message.method === "notifications/cancelled"))
  })

  test.scopedLive("[C5] a time that is longer than any timer holds is not over at once", function*() {
    const { answer, connection } = yield* scripted({ report: () => {} })
    const fiber = yield* Effect.fork(Sending.ask(connection, "ping", undefined, { timeout: 2 ** 31 + 1000 }))
    yield* Effect.sleep(20)
    assert.isNull(fiber.unsafePoll())
    answer({ result: {} })
    yield* Fiber.join(fiber)
  })

  test.scopedLive("[C8] a request of the server that comes after the end is given to nobody", function*() {
    let asked = 0
    const { connection, receive, sent } = yield* scripted({
      report: () => {},
      handlers: { roots: Effect.sync(() => ({ roots: [], _meta: { asked: ++asked } })) }
    })
    const ask = (id: number) => receive({ jsonrpc: "2.0", id, method: "roots/list" })
    const answers = () => sent.filter((message) => "result" in message).length
    ask(1)
    yield* Effect.repeat(Effect.sleep(1), { until: () => answers() === 1 })
    connection.fail({ kind: "closed", message: "it is over" })
    ask(2)
    yield* Effect.sleep(20)
    assert.deepStrictEqual([asked, answers()], [1, 1])
  })
})

describe("a message of the server that is too long", () => {
  const adapter = (send: (message: unknown) => Promise<void>) => {
    const failed: Array<readonly [unknown, RequestError]> = []
    const { transport } = transportOf(send)
    transport.onfailed = (id, error) => void failed.push([id, error])
    return { transport, failed }
  }

  it("[S4 T12] an answer fails its request, a notification nothing", () => {
    const { failed, transport } = adapter(() => assert.fail("nothing is sent"))
    Oversized.answer(transport, { id: undefined, isResponse: false }, Bytes(1024))
    Oversized.answer(transport, { id: 7, isResponse: true }, Bytes(1024))
    assert.deepStrictEqual(failed.map(([id, { fate, reason }]) => [id, fate, reason]), [[7, "answered", "protocol"]])
  })

  // What is rejected and nobody handles fails the run of the tests.
  it("[S4 T12] a request is refused, and where that cannot be sent any more, nothing follows", async () => {
    let refusals = 0
    const said: Array<unknown> = []
    const { failed, transport } = adapter((message) => {
      refusals++
      said.push(message)
      return Promise.reject(new RequestError({ fate: "notSent", reason: "lost", message: "gone" }))
    })
    Oversized.answer(transport, { id: 7, isResponse: false }, Bytes(1024))
    assert.deepStrictEqual(said, [{
      jsonrpc: "2.0",
      id: 7,
      error: { code: -32600, message: "the request is longer than 1024 bytes (maxMessageBytes)" }
    }])
    await new Promise((resolve) => setTimeout(resolve, 10))
    assert.deepStrictEqual([refusals, failed], [1, []])
  })
})
