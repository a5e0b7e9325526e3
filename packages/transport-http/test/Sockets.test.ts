import { assert, describe, it } from "@effect/vitest"
import { HttpFault } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Fiber } from "effect"
import { inFull } from "../../testing/test/support/Full.js"
import * as Harness from "./fixtures/Harness.js"

/** The sockets that calls share by default, and those for what does not wait behind them. */
const [forCalls, prompt] = [64, 8]

/** Many more than that. */
const many = inFull(2000, 300)

describe("sockets", () => {
  it.scopedLive(
    `[T14:real] ${many} requests at once share a bounded number of sockets, and all are answered`,
    () =>
      Effect.gen(function*() {
        const server = yield* Harness.server
        const { connection, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url }))
        let most = 0
        server.hook = () => {
          most = Math.max(most, server.sockets.size)
          return undefined
        }
        const calls = Array.from(
          { length: many },
          (_, i) =>
            connection.request("tools/call", { name: "echo", arguments: { message: `${i}` } }, { timeout: 500_000 })
        )
        const results = yield* Effect.all(calls, { concurrency: "unbounded" })
        const texts = results.map(({ content }) => (content[0] as { readonly text: string }).text)
        assert.deepStrictEqual(texts, calls.map((_, i) => `${i}`))
        assert.isAtMost(most, forCalls + prompt)
        assert.deepStrictEqual(losses, [])
      }),
    600_000
  )

  it.scopedLive("[T14:real K8 C19] a ping, a cancellation and the stream from the server wait behind no call", () =>
    Effect.gen(function*() {
      const server = yield* Harness.server
      server.fail("tools/call", HttpFault.hang())
      const { call, connection } = yield* Harness.connect(HttpConnector.make({ url: server.url, maxSockets: 2 }))
      const calls = yield* Effect.fork(Effect.all([call(), call(), call()], { concurrency: "unbounded" }))
      yield* Effect.promise(() => server.until(() => server.count("tools/call") === 2))
      yield* connection.request("ping", undefined, { timeout: 20_000 })
      server.dropStreams()
      yield* Effect.promise(() => server.until(() => server.count("GET") === 2 && server.streams.size === 1))
      assert.strictEqual(server.count("tools/call"), 2)
      yield* Fiber.interrupt(calls)
      // The third has never left.
      yield* Effect.promise(() => server.until(() => server.count("notifications/cancelled") === 2))
      server.heal()
      yield* call()
      assert.strictEqual(server.count("tools/call"), 3)
    }))

  it("[T14] the bound is checked like other options", () => {
    const make = (options: object) => () => HttpConnector.make({ url: "http://127.0.0.1/mcp", ...options })
    for (const maxSockets of [0, -1, 1.5, Number.NaN, "8"]) assert.throws(make({ maxSockets }), /maxSockets/)
    assert.throws(make({ maxSockets: 8, fetch }), /maxSockets.*fetch/)
    make({ maxSockets: 1 })()
  })
})
