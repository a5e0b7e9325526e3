import { Sending } from "@mcp-lifeline/core"
import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Fiber, type Scope } from "effect"
import { pairs } from "../../testing/test/support/pairs.js"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import * as OlderServer from "./fixtures/OlderServer.js"

const isAnswerless = ({ http, message }: { readonly http: string; readonly message: object | undefined }) =>
  http === "POST" && message !== undefined && !("id" in message && "method" in message)

const left: Readonly<Record<string, HttpFault.HttpFault>> = {
  "without a status": HttpFault.hang(),
  "with a body that does not end": HttpFault.hang("afterHeaders"),
  "with a refusal that does not end": ({ response }) => void response.writeHead(400).write("because")
}

const ways: Readonly<Record<string, Effect.Effect<Partial<HttpConnector.Options>, never, Scope.Scope>>> = {
  "sockets of Lifeline": Effect.succeed({}),
  "a dispatcher of the caller's": Effect.map(Harness.agent({ connections: 4 }), (dispatcher) => ({ dispatcher })),
  "a fetch of the caller's": Effect.succeed({ fetch })
}

/** More than there are sockets for them; a dispatcher of four sockets leaves all one way. */
const many = 40
const manyOver = (way: string): number => way.startsWith("a dispatcher") ? 8 : many

describe("messages that have no answer", () => {
  for (const [[how, fault], [way, options]] of pairs(Object.entries(left), Object.entries(ways))) {
    test.scopedLive(`[T14:real T4] left ${how}, over ${way}: the connection comes up, and nothing waits behind them`, function*() {
      const server = yield* Harness.server
      const isRefusal = how.includes("refusal")
      if (!isRefusal) server.fail(isAnswerless, fault)
      const { call, connection, losses } = yield* Harness.connect(
        HttpConnector.make({ url: server.url, protocol: "2025", ...(yield* options) })
      )
      assert.strictEqual(server.count("notifications/initialized"), 1)
      if (isRefusal) server.fail(isAnswerless, fault)
      const many = manyOver(way)
      const told = yield* Effect.fork(
        Effect.all(
          Array.from({ length: many }, () => Effect.either(connection.notify("notifications/x"))),
          {
            concurrency: "unbounded"
          }
        )
      )
      yield* Effect.promise(() => server.until(() => server.count("notifications/x") > 3))
      yield* Sending.ask(connection, "ping", undefined, { timeout: 20_000 })
      yield* call()
      yield* Fiber.join(told)
      yield* Effect.promise(() => server.until(() => server.count("notifications/x") === many))
      server.fail("tools/call", HttpFault.hang(), 1)
      const cancelled = yield* Effect.fork(call())
      yield* Effect.promise(() => server.until(() => server.count("tools/call") === 2))
      yield* Fiber.interrupt(cancelled)
      yield* Effect.promise(() => server.until(() => server.count("notifications/cancelled") === 1))
      yield* call()
      assert.deepStrictEqual(losses, [])
    })
  }

  const others = {
    "[T14:real E4] a server without sessions": { protocol: "2026" },
    "[T14:real] the older HTTP+SSE": { transport: "sse", protocol: "2025" }
  } as const
  for (const [what, options] of Object.entries(others)) {
    test.scopedLive(`${what}: one that leaves them without a status holds nothing up`, function*() {
      const server = yield* HttpFaultServer.make({ era: options.protocol })
      if ("transport" in options) OlderServer.speak(server, isAnswerless)
      else server.fail(isAnswerless, HttpFault.hang())
      const { call, connection, losses } = yield* Harness.connect(HttpConnector.make({ url: server.url, ...options }))
      const told = Array.from({ length: many }, () => connection.notify("notifications/x"))
      yield* Effect.all(told, { concurrency: "unbounded" })
      yield* Effect.promise(() => server.until(() => server.count("notifications/x") === many))
      yield* call()
      assert.deepStrictEqual(losses, [])
    })
  }
})
