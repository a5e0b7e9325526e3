import { Sending } from "@mcp-lifeline/core"
import { HttpFault } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Fiber } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

/** The sockets that calls share by default, those for what does not wait behind them, and those for what has no answer. */
const [forCalls, prompt, answerless] = [64, 8, 32]

const many = 300

describe("sockets", () => {
  test.scopedLive(
    `[T14:real] ${many} requests at once share a bounded number of sockets, and all are answered`,
    function*() {
      const { connection, losses, server } = yield* Harness.connected()
      let most = 0
      server.hook = () => {
        most = Math.max(most, server.sockets.size)
        return undefined
      }
      const calls = Array.from(
        { length: many },
        (_, i) =>
          Sending.ask(connection, "tools/call", { name: "echo", arguments: { message: `${i}` } }, {
            timeout: 500_000
          })
      )
      const results = yield* Effect.all(calls, { concurrency: "unbounded" })
      const texts = results.map(({ content }) => (content[0] as { readonly text: string }).text)
      assert.deepStrictEqual(texts, calls.map((_, i) => `${i}`))
      assert.isAtMost(most, forCalls + prompt + answerless)
      assert.deepStrictEqual(losses, [])
    },
    600_000
  )

  test.scopedLive("[T14:real K8 C19] a ping, a cancellation and the stream from the server wait behind no call", function*() {
    const server = yield* Harness.server
    server.fail("tools/call", HttpFault.hang())
    const { call, connection } = yield* Harness.connect(HttpConnector.make({ url: server.url, maxSockets: 2 }))
    const calls = yield* Effect.fork(Effect.all([call(), call(), call()], { concurrency: "unbounded" }))
    yield* Effect.promise(() => server.until(() => server.count("tools/call") === 2))
    yield* Sending.ask(connection, "ping", undefined, { timeout: 20_000 })
    server.dropStreams()
    yield* Effect.promise(() => server.until(() => server.count("GET") === 2 && server.streams.size === 1))
    assert.strictEqual(server.count("tools/call"), 2)
    yield* Fiber.interrupt(calls)
    // The third has never left.
    yield* Effect.promise(() => server.until(() => server.count("notifications/cancelled") === 2))
    server.heal()
    yield* call()
    assert.strictEqual(server.count("tools/call"), 3)
  })

  test.scopedLive(
    "[T14:real] an idle socket is closed, however long the server promises to keep it",
    function*() {
      const server = yield* Harness.server
      server.offersStream = false
      server.hook = ({ socket }) => void Harness.keepIdle(socket)
      const { call, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url, protocol: "2025" }))
      yield* call()
      yield* Effect.promise(() => server.until(() => server.sockets.size === 0))
      yield* call()
      assert.deepStrictEqual(losses, [])
    },
    300_000
  )

  it("[T14] the bound is checked like other options", () => {
    const make = (options: object) => () => HttpConnector.make({ url: "http://127.0.0.1/mcp", ...options })
    for (const maxSockets of [0, -1, 1.5, Number.NaN, "8"]) assert.throws(make({ maxSockets }), /maxSockets/)
    assert.throws(make({ maxSockets: 8, fetch }), /maxSockets.*fetch/)
    make({ maxSockets: 1 })()
  })
})
