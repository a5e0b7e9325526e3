import { HttpExchange, HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Fiber } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import { eras, requestsOf, seen, supervise, textOf } from "./fixtures/Supervised.js"

const make = (era: typeof eras[number], stateful: boolean) =>
  HttpFaultServer.make({ era, stateful, tools: { add: { run: () => HttpExchange.text("added") } } })

const html = { "content-type": "text/html" }
const page = "<html><h1>Not here</h1></html>"

const refusals: Readonly<Record<string, HttpFault.HttpFault>> = {
  "404, in words": HttpFault.status(404, { body: "404 page not found" }),
  "404 with JSON of its own": HttpFault.status(404, {
    headers: { "content-type": "application/json" },
    body: '{"message":"no Route matched with those values"}'
  }),
  ...Object.fromEntries(
    [404, 405, 410, 421, 425, 521, 523, 525, 526, 530].map((status) => [
      `${status} with a page`,
      HttpFault.status(status, { headers: html, body: page })
    ])
  )
}

const kinds = eras.flatMap((era) =>
  Object.entries(refusals).flatMap(([what, fault]) => [
    { era, what, fault, stateful: false },
    // 404 and 410 say that a session is lost.
    ...(era === "2026" || /^4(04|10)/.test(what) ? [] : [{ era, what, fault, stateful: true }])
  ])
)

describe.concurrent("an address whose server is gone for a while", () => {
  for (const { era, fault, stateful, what } of kinds) {
    test.scopedLive(`[C2:real] ${era}${stateful ? " in a session" : ""}, ${what}: a call waits, and is carried out once`, function*() {
      const server = yield* make(era, stateful)
      const backend = yield* supervise(server)
      let refused = 0
      server.hook = (turn) => {
        if (turn.tool !== undefined) refused++
        void fault(turn, () => Promise.reject(new Error("not carried out")))
        return true
      }
      const calling = yield* Effect.fork(backend.callTool({ name: "add" }, { timeout: 60_000 }))
      yield* seen(server, () => refused > 3)
      server.hook = undefined
      assert.strictEqual(textOf(yield* Fiber.join(calling)), "added")
      assert.strictEqual(server.applied.length, 1)
    })
  }

  for (const era of eras) {
    test.scopedLive(`[C2:real] ${era}: a call that is not sent again was not carried out, and is told why`, function*() {
      const server = yield* make(era, false)
      const backend = yield* supervise(server, { calls: { retry: "never" } })
      server.fail(() => true, refusals["404, in words"]!)
      const error = yield* Effect.flip(backend.callTool({ name: "add" }))
      assert.strictEqual(error._tag, "ConnectionLost")
      assert.match(
        error.message,
        /HTTP 404 \(404 page not found\): no MCP server gave this answer.*safe to call again/
      )
      assert.notInclude(error.message, "check the URL")
    })

    test.scopedLive(`[C2:real] ${era}: what refuses one request while the server gives its lists is believed after three times`, function*() {
      const server = yield* make(era, false)
      const backend = yield* supervise(server)
      server.fail("tool:add", refusals["404, in words"]!)
      const error = yield* Effect.flip(backend.callTool({ name: "add" }, { timeout: 60_000 }))
      assert.strictEqual(error._tag, "ProtocolError")
      assert.strictEqual(server.count("tool:add"), 3)
      assert.strictEqual((yield* backend.status).generation, 1)
    })

    test.scopedLive(`[T3:real] ${era}: an address where no server has answered is an error at once`, function*() {
      const server = yield* make(era, false)
      server.fail(() => true, refusals["404, in words"]!)
      const connector = HttpConnector.make({ url: server.url, protocol: era, transport: "streamable" })
      const error = yield* Effect.flip(Harness.connect(connector))
      assert.strictEqual(error._tag, "ConnectError")
      assert.match(error.message, /HTTP 404 .*check the URL/)
      assert.strictEqual(server.count(requestsOf[era].first), 1)
    })
  }
})
