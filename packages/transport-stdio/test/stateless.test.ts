import { Backend, Sending } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber } from "effect"
import { fileURLToPath } from "node:url"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { connect, isAlive, pidOf, server } from "./support.js"

const source = `
import { Server } from "@modelcontextprotocol/server"
import { serveStdio } from "@modelcontextprotocol/server/stdio"
let cancelled = 0
serveStdio(() => {
  const server = new Server({ name: "stateless", version: "1" }, { capabilities: { tools: {} } })
  server.setRequestHandler("tools/list", () => ({ tools: [{ name: "pid", inputSchema: { type: "object" } }] }))
  server.setRequestHandler("tools/call", async ({ params }, { mcpReq }) => {
    if (params.name === "hang") {
      await new Promise((resolve) => mcpReq.signal.addEventListener("abort", resolve))
      cancelled++
    }
    return { content: [{ type: "text", text: String(params.name === "pid" ? process.pid : cancelled) }] }
  })
  return server
}, { legacy: "reject" })
`

const options: StdioConnector.Options = {
  command: process.execPath,
  args: ["--input-type=module", "-e", source],
  cwd: fileURLToPath(new URL("..", import.meta.url)),
  protocol: "2026"
}

const textOf = (result: { readonly content: ReadonlyArray<unknown> }): string =>
  String((result.content[0] as { readonly text?: unknown }).text)

describe("a server without sessions over stdio", () => {
  test.scopedLive("[E2:real] calls, ping, and a cancellation by a notification", function*() {
    const connection = yield* connect(options)
    assert.strictEqual(connection.protocolVersion, "2026-07-28")
    assert.strictEqual(connection.stateful, true)
    yield* Sending.ask(connection, "ping", undefined, { timeout: 20_000 })
    const call = (name: string, timeout = 20_000) => Sending.ask(connection, "tools/call", { name }, { timeout })
    assert.strictEqual(textOf(yield* call("pid")), String(pidOf(connection)))
    assert.strictEqual((yield* Effect.flip(call("hang", 200))).reason, "timeout")
    assert.strictEqual(textOf(yield* call("count")), "1")
    const hanging = yield* Effect.fork(call("hang"))
    yield* call("pid")
    yield* Fiber.interrupt(hanging)
    assert.strictEqual(textOf(yield* call("count")), "2")
  })

  test.scopedLive("[E2:real] a process that is killed in the middle of a call is replaced", function*() {
    const backend = yield* Backend.make("test", {
      connector: StdioConnector.make(options),
      reconnect: { initialDelay: 20, demandInterval: 20, stableAfter: 0 }
    })
    const pid = Number(textOf(yield* backend.callTool({ name: "pid" })))
    const hanging = yield* Effect.fork(Effect.flip(backend.callTool({ name: "hang" })))
    // What was written after it and is answered shows that it was read.
    while ((yield* backend.status).inFlight === 0) yield* Effect.yieldNow()
    yield* backend.callTool({ name: "pid" })
    process.kill(pid, "SIGKILL")
    assert.strictEqual((yield* Fiber.join(hanging))._tag, "ResultUnknown")
    assert.notStrictEqual(textOf(yield* backend.callTool({ name: "pid" })), String(pid))
    assert.isFalse(isAlive(pid))
  })

  test.scopedLive("[E1:real] a server with sessions, and one that exits, fail as what they are", function*() {
    const older = yield* Effect.flip(connect(server({}, { protocol: "2026" })))
    assert.strictEqual(older.reason, "incompatible")
    assert.include(older.message, 'write protocol: "auto"')
    const exits = yield* Effect.flip(
      connect({ ...options, args: ["-e", "console.error('no key'); process.exit(3)"] })
    )
    assert.include(exits.message, "no key")
    assert.include(exits.message, "server/discover")
    assert.notStrictEqual(exits.reason, "incompatible")
  })
})
