import { HttpExchange } from "@mcp-lifeline/testing"
import { Effect, Fiber } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import { supervise, until } from "./fixtures/Supervised.js"

const words = [
  "MCP session not found",
  "the mail server said: 550 no such user, MCP session not found",
  "Server not initialized",
  "Mcp-Session-Id is missing",
  "handler not found for resource URI 'x://mcp-session-not-found': resource not found"
]

/** Longer than what is read of a refusal. */
const long = `session not found ${"x".repeat(200_000)}`

const codes = [undefined, -32000, -32001, -32002, -32600, -32601, -32602, -32603, 0, 404]

interface Refusal {
  readonly status: number
  readonly code: number | undefined
  readonly said: string
}

const refusals: ReadonlyArray<Refusal> = [200, 400, 401, 403, 404, 409, 410, 422, 500, 503].flatMap((status) =>
  codes.filter((code) => code !== undefined || (status !== 200 && status !== 404 && status !== 410))
    .map((code, index) => ({ status, code, said: code === 0 ? long : words[(status + index) % words.length]! }))
)

const bodyOf = ({ code, said }: Refusal, id: unknown): string =>
  code === undefined ? said : JSON.stringify({ jsonrpc: "2.0", id, error: { code, message: said } })

const json = { "content-type": "application/json" }

const unknownMethod = (id: unknown): string =>
  JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } })

describe("what others say of a session", () => {
  test.scopedLive("[R7:real R12:real C3] whatever an error says, its session lives, and its call is carried out once", function*() {
    const server = yield* Harness.server
    const backend = yield* supervise(server)
    for (const method of ["tools/call", "resources/read"] as const) {
      // A resource is read again after 5xx, which takes its time.
      for (const refusal of refusals.filter(({ status }) => method === "tools/call" || status < 500)) {
        let carriedOut = 0
        server.hook = ({ message, response, rpc }) => {
          if (rpc !== method) return undefined
          carriedOut++
          const { status } = refusal
          HttpExchange.fault(
            response,
            status,
            { "content-type": refusal.code === undefined ? "text/plain" : "application/json" },
            bodyOf(refusal, message?.id)
          )
          return true
        }
        const call: Effect.Effect<unknown, unknown> = method === "tools/call"
          ? backend.callTool({ name: "echo" })
          : backend.readResource({ uri: `x://${refusal.said.slice(0, 30)}` })
        assert.isTrue((yield* Effect.exit(call))._tag === "Failure")
        const what = `${method}: ${JSON.stringify(refusal).slice(0, 120)}`
        if (method === "tools/call") assert.strictEqual(carriedOut, 1, what)
        assert.strictEqual(server.count("initialize"), 1, what)
      }
    }
    assert.strictEqual((yield* backend.status).generation, 1)
  })

  test.scopedLive("[R7:real] a refused notification, and an answer to a ping, end no session", function*() {
    const server = yield* Harness.server
    const backend = yield* supervise(server)
    server.hook = ({ message, response, rpc }) => {
      if (rpc !== "notifications/cancelled" && rpc !== "ping" && rpc !== "notifications/progress") return undefined
      return HttpExchange.fault(response, 404, json, message?.id === undefined ? "" : unknownMethod(message.id))
    }
    for (let i = 0; i < 3; i++) {
      yield* Effect.ignore(backend.notify("notifications/progress", { progressToken: 1, progress: 1 }))
      yield* Effect.ignore(backend.request("ping", undefined))
      yield* backend.healthCheck
      yield* backend.callTool({ name: "echo" })
    }
    assert.strictEqual(server.count("initialize"), 1)
  })

  test.scopedLive("[R7:real T11:real] a session that answers a ping with an error goes on over the next connection", function*() {
    const server = yield* Harness.server
    const backend = yield* supervise(server)
    yield* backend.callTool({ name: "echo" })
    server.hook = ({ message, response, rpc }) =>
      rpc === "ping" ? HttpExchange.fault(response, 404, json, unknownMethod(String(message?.id))) : undefined
    yield* Effect.promise(() => server.stop())
    const call = yield* Effect.fork(backend.callTool({ name: "echo" }, { idempotent: true }))
    yield* until(backend, ({ state }) => state !== "Connected")
    yield* Effect.promise(() => server.start())
    yield* Fiber.join(call)
    yield* until(backend, ({ generation, state }) => generation === 2 && state === "Connected")
    assert.strictEqual(server.count("initialize"), 1)
  })

  test.scopedLive("[R7:real] a page in place of one call costs two sessions, and then fails the call with what came", function*() {
    const server = yield* Harness.server
    const backend = yield* supervise(server)
    server.hook = ({ response, rpc }) =>
      rpc === "tools/call"
        ? HttpExchange.fault(response, 404, { "content-type": "text/html" }, "<p>blocked")
        : undefined
    for (let call = 1; call <= 2; call++) {
      const error = yield* Effect.flip(backend.callTool({ name: "echo" }))
      assert.strictEqual(error._tag, "ConnectionLost")
      assert.include(error.message, "HTTP 404")
      assert.strictEqual(server.count("tools/call"), 2 * call)
    }
    yield* backend.request("tools/list", {})
    assert.strictEqual(server.count("initialize"), 5)
  })
})
