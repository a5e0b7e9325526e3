import type { ServerNotification } from "@mcp-lifeline/core"
import { Backend, Sending } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Stream } from "effect"
import { fileURLToPath } from "node:url"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { connect } from "./support.js"

/** Speaks 2026-07-28 only. `add` gives it a tool more, `touch` changes a resource, `methods` says what it was asked. */
const source = `
import { Server } from "@modelcontextprotocol/server"
import { serveStdio } from "@modelcontextprotocol/server/stdio"
const methods = []
process.stdin.on("data", (chunk) => {
  for (const [, method] of chunk.toString().matchAll(/"method":"([^"]+)"/g)) methods.push(method)
})
const tools = ["add"]
serveStdio(() => {
  const capabilities = { tools: { listChanged: true }, resources: { subscribe: true } }
  const server = new Server({ name: "announcing", version: "1" }, { capabilities })
  server.setRequestHandler("tools/list", () => ({ tools: tools.map((name) => ({ name, inputSchema: { type: "object" } })) }))
  server.setRequestHandler("resources/list", () => ({ resources: [] }))
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: [] }))
  server.setRequestHandler("tools/call", async ({ params }) => {
    if (params.name === "add") {
      tools.push("added-" + process.pid)
      await server.sendToolListChanged()
    }
    if (params.name === "touch") for (const uri of ["test:b", "test:a"]) await server.sendResourceUpdated({ uri })
    return { content: [{ type: "text", text: params.name === "pid" ? String(process.pid) : JSON.stringify(methods) }] }
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

const supervise = (more: Omit<Backend.BackendOptions, "connector"> = {}) =>
  Effect.gen(function*() {
    const backend = yield* Backend.make("test", {
      connector: StdioConnector.make(options),
      reconnect: { initialDelay: 20, demandInterval: 20, stableAfter: 0 },
      ...more
    })
    const heard: Array<ServerNotification> = []
    yield* Effect.forkScoped(Stream.runForEach(backend.notifications, (one) => Effect.sync(() => heard.push(one))))
    yield* backend.firstOutcome
    const call = (name: string) => Effect.map(backend.callTool({ name }, { idempotent: name === "pid" }), textOf)
    const methods = Effect.map(call("methods"), (text) => JSON.parse(text) as ReadonlyArray<string>)
    return { backend, call, heard, methods }
  })

const untilTool = (backend: Backend.Backend, name: string) =>
  backend.catalog.changes.pipe(
    Stream.filter((snapshot) => snapshot?.tools.some((tool) => tool.name === name) === true),
    Stream.runHead
  )

describe("changes that a server without sessions announces over stdio", () => {
  test.scopedLive("[E4:real] changed lists and resources come; a process that is killed is replaced, and announces as before", function*() {
    const { backend, call, heard, methods } = yield* supervise()
    yield* backend.subscribeResource("test:a")
    for (let round = 0; round < 2; round++) {
      const pid = yield* call("pid")
      heard.length = 0
      yield* call("touch")
      yield* call("add")
      yield* untilTool(backend, `added-${pid}`)
      assert.deepStrictEqual(heard.map(({ method, params }) => [method, params]), [
        ["notifications/resources/updated", { uri: "test:a" }],
        ["notifications/tools/list_changed", {}]
      ])
      process.kill(Number(pid), "SIGKILL")
      yield* Effect.iterate(pid, { while: (now) => now === pid, body: () => call("pid") })
    }
    const asked = yield* methods
    assert.isFalse(asked.includes("resources/subscribe"))
    assert.isFalse(asked.includes("initialize"))
  })

  test.scopedLive("[E4:real] the stream is cancelled with a notification before another is opened", function*() {
    const { backend, methods } = yield* supervise()
    yield* backend.subscribeResource("test:a")
    const own = (yield* methods).filter((method) => method.includes("listen") || method.includes("cancelled"))
    assert.deepStrictEqual(own, ["subscriptions/listen", "notifications/cancelled", "subscriptions/listen"])
  })

  test.scopedLive("[E5:real] heartbeats are server/discover, at the interval", function*() {
    const { backend, methods } = yield* supervise({ keepalive: { interval: "1 second" } })
    const before = (yield* methods).filter((method) => method === "server/discover").length
    // Asking is a sign of life, too: a heartbeat comes a whole interval later.
    const asked = yield* Effect.repeat(Effect.delay(methods, "3500 millis"), {
      until: (asked) => asked.filter((method) => method === "server/discover").length >= before + 2
    })
    assert.isFalse(asked.includes("ping"))
    assert.strictEqual((yield* backend.status).keepalive.state, "running")
  })

  test.scopedLive("[E4:real] a subscription that the server does not promise fails", function*() {
    const connection = yield* connect({
      ...options,
      args: ["--input-type=module", "-e", source.replace("resources: { subscribe: true }", "resources: {}")]
    })
    const error = yield* Effect.flip(
      Sending.ask(connection, "resources/subscribe", { uri: "test:a" }, { timeout: 20_000 })
    )
    assert.strictEqual(error.fate, "answered")
    assert.include(error.message, "test:a")
  })
})
