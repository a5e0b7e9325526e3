import { Backend, ResultUnknown } from "@mcp-lifeline/effect4"
import { adjust } from "@mcp-lifeline/effect4/testing"
import { layer, layerClient, make, Supervised, type TransportOptions } from "@mcp-lifeline/effect4/transport"
import { HttpFault, HttpFaultServer, StdioFaultServer } from "@mcp-lifeline/testing"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { McpClient, McpProtocol } from "effect/ai"
import { TestClock } from "effect/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { alive } from "../../testing/test/support/Processes.js"

const identity = { name: "reports", version: "1.2.3" }
const protocols = [McpProtocol.v2025_11_25, McpProtocol.v2026_07_28]
const [legacy] = protocols as [TransportOptions["protocol"]]

const run = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(test))

const newJournal = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lifeline-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  ),
  (path) => join(path, "journal")
)

const httpServer = Effect.acquireRelease(
  Effect.promise(() => HttpFaultServer.open()),
  (server) => Effect.promise(() => server[Symbol.asyncDispose]())
)

const open = (server: Parameters<typeof layerClient>[1], protocol = legacy, options: object = {}) =>
  Effect.map(
    Layer.build(layerClient("docs", server, { ...identity, protocol, ...options })),
    (built) => ({ client: Context.get(built, McpClient.McpClient), backend: Context.get(built, Supervised) })
  )

const tool = (name: string) => ({ name, inputSchema: { type: "object" as const } })

const text = (result: { readonly content: ReadonlyArray<object> }) =>
  String((result.content[0] as { readonly text?: string } | undefined)?.text)

const generation = (backend: Backend.Backend, least: number) =>
  Stream.runDrain(
    Stream.takeUntil(backend.status.changes, (status) => status.state === "Connected" && status.generation >= least)
  )

describe("Effect's client over a supervised transport", () => {
  for (const protocol of protocols) {
    for (const era of ["2025", "2026"] as const) {
      it(`[N3:real] of ${protocol.protocolVersion} lists and calls tools of a process of ${era}, killed between two calls`, async () => {
        await run(Effect.gen(function*() {
          const journal = yield* newJournal
          const { backend, client } = yield* open(StdioFaultServer.command({ era, journal }), protocol)
          assert.strictEqual(client.protocolVersion, protocol.protocolVersion)
          const pid = (yield* client.listTools()).find(({ name }) => name === "pid") ?? assert.fail("no tool")
          const before = Number(text(yield* client.callTool({ tool: pid })))
          process.kill(before, "SIGKILL")
          const after = Number(text(yield* client.callTool({ tool: pid })))
          assert.notStrictEqual(after, before)
          assert.strictEqual((yield* backend.status.get).generation, 2)
          const failed = yield* Effect.flip(client.callTool({ tool: tool("none") }))
          assert.deepInclude({ ...failed.reason }, { _tag: "ProtocolError", code: -32602 })
          assert.strictEqual(failed.message, "there is no tool none (code -32602)")
        }))
      })
    }

    it(`[N3:real] of ${protocol.protocolVersion} goes on in a new session where a server over HTTP answers 404`, async () => {
      await run(Effect.gen(function*() {
        const server = yield* httpServer
        const { client } = yield* open({ url: server.url }, protocol)
        const [echo] = yield* client.listTools()
        server.sessions.clear()
        assert.strictEqual(text(yield* client.callTool({ tool: echo!, arguments: { message: "hi" } })), "hi")
        assert.strictEqual(server.count("initialize"), 2)
        const sent = server.requests("tools/call").map(({ message }) => JSON.stringify(message))
        assert.notInclude(sent.join(), "io.modelcontextprotocol")
        assert.deepInclude(server.requests("initialize")[1]?.message?.params?.["clientInfo"], identity)
      }))
    })
  }

  it("[N3:real] a call under way at a kill is not made twice, and says that it may have been carried out", async () => {
    await run(Effect.gen(function*() {
      const journal = yield* newJournal
      const crashes = [{ at: "call", nth: 1, point: "applied", signal: "SIGKILL" }] as const
      const { client } = yield* open(StdioFaultServer.command({ journal, crashes }))
      const failed = yield* Effect.flip(client.callTool({ tool: tool("count"), arguments: { key: "a" } }))
      const { reason } = failed
      assert.isTrue(reason._tag === "TransportError" && reason.cause instanceof ResultUnknown)
      assert.include(failed.message, "its result is unknown")
      assert.strictEqual(StdioFaultServer.count(journal, "apply"), 1)
      assert.strictEqual(text(yield* client.callTool({ tool: tool("count"), arguments: { key: "a" } })), "2")
    }))
  })

  it("[N3:real] the end of the scope ends the process, and later calls say that the connection is closed", async () => {
    await run(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const transport = Effect.map(
        Layer.build(layer("docs", StdioFaultServer.command(), { protocol: legacy })),
        Context.get(McpClient.Transport)
      )
      const held = yield* Scope.provide(transport, scope)
      const call = (id: number) =>
        held.request({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "pid", arguments: {} } })
      const answer = yield* call(7)
      assert.isTrue("result" in answer && answer.id === 7)
      const pid = Number(text((answer as unknown as { readonly result: { readonly content: [] } }).result))
      yield* Scope.close(scope, Exit.void)
      assert.isFalse(alive(pid))
      const failed = yield* Effect.flip(call(8))
      assert.strictEqual(failed.reason._tag, "ClosedError")
    }))
  })

  it("[N3:real] the handshake says why where waiting does not help, and the layer which option is refused", async () => {
    await run(Effect.gen(function*() {
      const spawned = yield* Effect.flip(open({ command: "/no/such/program" }))
      assert.strictEqual(spawned.reason._tag, "TransportError")
      assert.include(spawned.message, "/no/such/program")
      const server = yield* httpServer
      server.fail("POST", HttpFault.status(401))
      const refused = yield* Effect.flip(open({ url: server.url, headers: { authorization: "Bearer old" } }))
      assert.deepInclude({ ...refused.reason }, { _tag: "HttpError", status: 401 })
      const wrong = yield* Effect.flip(open({ command: "a" }, legacy, { keepalive: { interval: -1 } }))
      assert.strictEqual(wrong.reason._tag, "ConfigurationError")
      assert.include(wrong.message, "keepalive.interval")
    }))
  })
})

const inMemory = (prepare: (server: McpServer) => void) => {
  const servers: Array<McpServer> = []
  const transport = async () => {
    const [here, there] = InMemoryTransport.createLinkedPair()
    const server = new McpServer({ name: "docs", version: "1.0.0" }, { instructions: "Search first" })
    prepare(server)
    servers.push(server)
    await server.connect(there)
    return here
  }
  return { servers, transport }
}

describe("a transport of Effect's client", () => {
  it("[N3] an interrupted call is cancelled at the server", async () => {
    const [begun, cancelled] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
    const { transport } = inMemory((server) =>
      server.registerTool("wait", {}, ({ signal }) => {
        signal.addEventListener("abort", () => Deferred.doneUnsafe(cancelled, Effect.void))
        Deferred.doneUnsafe(begun, Effect.void)
        return new Promise<never>(() => undefined)
      })
    )
    await run(Effect.gen(function*() {
      const { client } = yield* open({ transport })
      const calling = yield* Effect.forkChild(client.callTool({ tool: tool("wait") }))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(calling)
      yield* Deferred.await(cancelled)
    }))
  })

  it("[N3] several clients share it, each with the handshake that it speaks, also while the server is down", async () => {
    const { servers, transport } = inMemory((server) => {
      server.registerTool("search", {}, () => ({ content: [{ type: "text", text: "found" }] }))
      server.registerPrompt("ask", {}, () => ({ messages: [] }))
      server.registerResource("page", "docs://page", {}, () => ({ contents: [{ uri: "docs://page", text: "a page" }] }))
    })
    await run(Effect.gen(function*() {
      const backend = yield* Backend.make("docs", { transport })
      const client = (protocol: TransportOptions["protocol"]) =>
        Effect.provideService(McpClient.make(identity), McpClient.Transport, make(backend, { protocol }))
      for (const protocol of protocols) {
        const one = yield* client(protocol)
        assert.strictEqual(one.instructions, "Search first")
        assert.deepInclude({ ...one.serverInfo }, { name: "docs", version: "1.0.0" })
        assert.strictEqual(text(yield* one.callTool({ tool: tool("search") })), "found")
        const [prompt] = yield* one.listPrompts()
        assert.deepEqual((yield* one.getPrompt({ prompt: prompt! })).messages, [])
        const [resource] = yield* one.listResources()
        assert.deepInclude((yield* one.readResource(resource!)).contents[0], { text: "a page" })
      }
      assert.lengthOf(servers, 1)
      yield* backend.disconnect
      const again = yield* client(legacy)
      const failed = yield* Effect.flip(again.listTools())
      assert.strictEqual(failed.reason._tag, "TransportError")
      yield* backend.reconnect
      assert.lengthOf(yield* again.listTools(), 1)
    }))
  })

  it("[N3] the service beside it has the lists whenever they change, and the next connection", async () => {
    const { servers, transport } = inMemory((server) => server.registerTool("search", {}, () => ({ content: [] })))
    await run(Effect.gen(function*() {
      const { backend, client } = yield* open({ transport })
      const two = Stream.runDrain(Stream.takeUntil(backend.catalog.changes, (all) => all?.tools.length === 2))
      const changed = yield* Effect.forkChild(two)
      servers[0]?.registerTool("added", {}, () => ({ content: [] }))
      yield* Fiber.join(changed)
      assert.deepEqual((yield* client.listTools()).map(({ name }) => name), ["search", "added"])
      yield* backend.reconnect
      yield* generation(backend, 2)
      assert.lengthOf(yield* client.listTools(), 1)
    }))
  })

  it("[N3:virtual] the handshake waits for a server that starts slowly, and for one that is down", async () => {
    const { transport } = inMemory((server) => server.registerTool("search", {}, () => ({ content: [] })))
    const started = Deferred.makeUnsafe<void>()
    const slow = () => Effect.runPromise(Deferred.await(started)).then(transport)
    await Effect.runPromise(
      Effect.gen(function*() {
        const opening = yield* Effect.forkChild(open({ transport: slow }))
        yield* adjust("25 seconds")
        yield* Deferred.succeed(started, undefined)
        assert.lengthOf(yield* (yield* Fiber.join(opening)).client.listTools(), 1)
        let attempts = 0
        const down = () => ++attempts < 3 ? Promise.reject(new Error("down")) : transport()
        const waiting = yield* Effect.forkChild(open({ transport: down }))
        yield* adjust("9 seconds")
        assert.lengthOf(yield* (yield* Fiber.join(waiting)).client.listTools(), 1)
      }).pipe(Effect.scoped, Effect.provide(TestClock.layer()))
    )
  })

  it("[N3:virtual] a call may take as long as the client allows, and no longer than the transport's own limit", async () => {
    const { transport } = inMemory((server) =>
      server.registerTool("wait", {}, () => new Promise<never>(() => undefined))
    )
    await Effect.runPromise(
      Effect.gen(function*() {
        const { backend, client } = yield* open({ transport }, legacy, { keepalive: { method: "none" } })
        const call = (client: McpClient.McpClient, timeout?: "2 hours") =>
          Effect.forkChild(Effect.flip(client.callTool({ tool: tool("wait") }, { timeout })))
        const bounded = make(backend, { protocol: legacy, call: {} })
        const other = yield* Effect.provideService(McpClient.make(identity), McpClient.Transport, bounded)
        const calls = [yield* call(client), yield* call(client, "2 hours"), yield* call(other)]
        yield* adjust("1 minute")
        assert.deepInclude({ ...(yield* Fiber.join(calls[2]!)).reason }, {
          _tag: "TimeoutError",
          operation: "tools/call"
        })
        yield* adjust("119 minutes")
        assert.strictEqual((yield* Fiber.join(calls[1]!)).reason._tag, "TimeoutError")
        assert.isUndefined(calls[0]!.pollUnsafe())
      }).pipe(Effect.scoped, Effect.provide(TestClock.layer()))
    )
  })
})
