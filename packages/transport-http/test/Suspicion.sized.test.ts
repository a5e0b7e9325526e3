import { HttpFault, HttpFaultServer, TcpProxy } from "@mcp-lifeline/testing"
import { Effect, Fiber, Option } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { erasBySize, requestsOf, seen, supervise, textOf, until } from "./fixtures/Supervised.js"

const { hang, status } = HttpFault

const tools: HttpFaultServer.Options["tools"] = {
  echo: { run: ({ arguments: { text } }) => ({ content: [{ type: "text", text: String(text) }] }) }
}

const keepalive = { method: "none" } as const

/** What a proxy answers whose server is gone for a moment. */
const badGateway = status(502)

describe.concurrent("suspicion", () => {
  for (const era of erasBySize) {
    const { first, probe } = requestsOf[era]

    test.scopedLive(`[H9:real] ${era}: a server that hangs is given up because the callers are impatient, and used again once it answers`, function*() {
      const server = yield* HttpFaultServer.make({ era, tools })
      const backend = yield* supervise(server, {
        keepalive: { ...keepalive, timeout: 1000, suspectInterval: 100, failureThreshold: 2 },
        timeouts: { request: "10 minutes", wait: "2 minutes" }
      })
      const say = (text: string) => backend.callTool({ name: "echo", arguments: { text } })
      assert.strictEqual(textOf(yield* say("before")), "before")
      server.fail(() => true, hang())
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(say("in vain"), 2500)))
      assert.strictEqual((yield* backend.status).calls.givenUp, 1)
      const { lastError } = yield* until(backend, ({ state }) => state !== "Connected")
      assert.match(lastError ?? "", /2 probes in a row failed/)
      server.heal()
      assert.strictEqual(textOf(yield* say("after")), "after")
      assert.strictEqual((yield* backend.status).generation, 2)
    })

    test.scopedLive(`[H4:real] ${era}: a probe goes over no connection that idles since before the network lost all there were`, function*() {
      // It would keep idle connections for ten minutes.
      const server = yield* HttpFaultServer.make({ era, tools })
      const network = yield* TcpProxy.make(server.url)
      const backend = yield* supervise(network, { keepalive: { ...keepalive, timeout: "1 hour" } })
      assert.isUndefined((yield* backend.healthCheck).error)
      const probes = server.count(probe)
      const first = network.made
      // After a pause the call has a connection of its own.
      network.treat = ({ connection, text }) => connection < first || text.includes("in vain") ? "lose" : "pass"
      const call = backend.callTool({ name: "echo", arguments: { text: "in vain" } }, { timeout: "1 hour" })
      assert.isTrue(Option.isNone(yield* Effect.timeoutOption(call, 2500)))
      yield* seen(server, () => server.count(probe) > probes)
    })

    test.scopedLive(`[H4:real] ${era}: a moment of 502, however many calls it meets, ends no connection, and the call of another client is answered`, function*() {
      const server = yield* HttpFaultServer.make({ era, tools })
      const backend = yield* supervise(server, { keepalive: { ...keepalive, suspectInterval: "1 minute" } })
      const say = (text: string) => backend.callTool({ name: "echo", arguments: { text } }, { timeout: "1 hour" })
      let release: (() => void) | undefined
      const released = new Promise<void>((resolve) => (release = resolve))
      const stopHolding = server.fail("tool:echo", async ({ response }, carryOut) => {
        const { body, headers, status } = await carryOut()
        await released
        response.writeHead(status, headers).end(body)
      }, 1)
      const long = yield* Effect.fork(say("long"))
      yield* seen(server, () => server.count("tool:echo") === 1)
      stopHolding()
      const probes = server.count(probe)
      server.fail(() => true, badGateway)
      for (let i = 0; i < 20; i++) {
        assert.strictEqual((yield* Effect.flip(say("lost")))._tag, "ResultUnknown")
      }
      yield* seen(server, () => server.count(probe) > probes)
      server.heal()
      release?.()
      assert.strictEqual(textOf(yield* Fiber.join(long)), "long")
      assert.strictEqual(textOf(yield* say("after")), "after")
      assert.strictEqual(server.count(probe), probes + 1)
      assert.strictEqual((yield* backend.status).generation, 1)
    })

    test.scopedLive(`[K19:real] ${era}: 200 calls that meet 503 and Retry-After wait, and are sent again at the named time`, function*() {
      const server = yield* HttpFaultServer.make({ era, tools })
      const backend = yield* supervise(server, { keepalive })
      const before = server.count(probe) + server.count(first)
      server.fail(() => true, status(503, { retryAfter: 1 }))
      const calling = yield* Effect.fork(
        Effect.forEach(
          Array.from({ length: 200 }, (_, i) => String(i)),
          (text) => backend.callTool({ name: "echo", arguments: { text } }, { timeout: "2 minutes" }),
          { concurrency: "unbounded" }
        )
      )
      // Each is refused at least twice.
      yield* seen(server, () => server.count("tool:echo") >= 600)
      server.heal()
      assert.deepStrictEqual((yield* Fiber.join(calling)).map(textOf), Array.from({ length: 200 }, (_, i) => `${i}`))
      assert.strictEqual(server.applied.length, 200)
      assert.strictEqual(server.count(probe) + server.count(first), before)
      assert.strictEqual((yield* backend.status).generation, 1)
    })
  }
})
