import type { Event, State } from "@mcp-lifeline/client"
import { Backend, RemoteError } from "@mcp-lifeline/effect4"
import { adjust } from "@mcp-lifeline/effect4/testing"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import {
  Cause,
  Config,
  ConfigProvider,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Scope,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, expect, it } from "vitest"

class Docs extends Backend.Service("docs")<Docs>() {}

const search = (query: string) =>
  Effect.gen(function*() {
    const docs = yield* Docs
    yield* docs.callTool({ name: "search", arguments: { query } })
    return "found"
  }).pipe(Effect.catchTag("BackendUnavailable", () => Effect.succeed("the docs are down")))

const inVirtualTime = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.provide(Effect.scoped(test), TestClock.layer()))

const run = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(test))

const inMemory = (prepare: (server: McpServer) => void) => {
  const servers: Array<McpServer> = []
  return {
    servers,
    server: {
      transport: async () => {
        const [here, there] = InMemoryTransport.createLinkedPair()
        const server = new McpServer({ name: "docs", version: "1.0.0" })
        prepare(server)
        servers.push(server)
        await server.connect(there)
        return here
      }
    }
  }
}

const reached = (backend: Backend.Backend, state: State, generation = 0) =>
  Stream.runDrain(
    Stream.takeUntil(backend.status.changes, (status) => status.state === state && status.generation >= generation)
  )

describe("a backend under Effect 4's TestClock", () => {
  it("[N2:virtual] adjust moves backoff, and the wait of calls", async () => {
    const connector = ScriptedConnector.make()
    const said = await inVirtualTime(
      Effect.gen(function*() {
        const first = yield* search("backoff")
        connector.failNext(1)
        connector.current.lose()
        const waiting = yield* Effect.forkChild(search("backoff"))
        yield* adjust("10 seconds")
        const second = yield* Fiber.join(waiting)
        connector.otherwise = { connect: "fail" }
        connector.current.lose()
        const inVain = yield* Effect.forkChild(search("backoff"))
        yield* adjust("9 seconds")
        assert.isUndefined(inVain.pollUnsafe())
        yield* adjust("1 second")
        return [first, second, yield* Fiber.join(inVain)]
      }).pipe(Effect.provide(Docs.layer({ connector, timeouts: { wait: "10 seconds" } })))
    )
    assert.deepEqual(said, ["found", "found", "the docs are down"])
  })

  it("[N2:virtual] a heartbeat is sent at each interval of one long adjust, and a silent server is given up", async () => {
    const connector = ScriptedConnector.make()
    await inVirtualTime(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", { connector, keepalive: { interval: "5 minutes" } })
      yield* docs.ping()
      yield* adjust("1 hour")
      const sent = connector.ledger.entries.filter((one) => one._tag === "Sent" && one.method === "ping")
      const gaps = sent.map(({ at }, index) => at - (sent[index - 1]?.at ?? at)).slice(1)
      // An interval is up to a quarter shorter.
      assert.isAtLeast(gaps.length, 12)
      for (const gap of gaps.slice(1)) assert.isTrue(gap >= 225_000 && gap <= 300_000, `${gap} ms`)
      connector.respond = (method) => method === "ping" || method.endsWith("/list") ? { answer: "never" } : undefined
      yield* adjust("1 hour")
      assert.isAbove((yield* docs.status.get).generation, 1)
    }))
  })

  it("[N2:virtual] the timeout of a request over a transport of the SDK passes with the clock", async () => {
    const { server } = inMemory((server) => server.registerTool("wait", {}, () => new Promise<never>(() => undefined)))
    await inVirtualTime(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", server)
      const calling = yield* Effect.forkChild(Effect.flip(docs.callTool({ name: "wait" }, { timeout: "1 hour" })))
      yield* adjust("59 minutes")
      assert.isUndefined(calling.pollUnsafe())
      yield* adjust("1 minute")
      const error = yield* Fiber.join(calling)
      assert.deepInclude({ ...error }, {
        _tag: "RequestTimeout",
        backend: "docs",
        method: "tools/call",
        timeout: 3_600_000
      })
    }))
  })
})

describe("a backend for programs with Effect 4", () => {
  it("[N1] interrupting a call cancels it at the server", async () => {
    const [begun, cancelled] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
    const { server } = inMemory((server) =>
      server.registerTool("wait", {}, ({ signal }) => {
        signal.addEventListener("abort", () => Deferred.doneUnsafe(cancelled, Effect.void))
        Deferred.doneUnsafe(begun, Effect.void)
        return new Promise<never>(() => undefined)
      })
    )
    await run(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", server)
      const calling = yield* Effect.forkChild(docs.callTool({ name: "wait" }))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(calling)
      yield* Deferred.await(cancelled)
      const exit = yield* Fiber.await(calling)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }))
  })

  it("[N1] closing the scope waits until the process has exited, and ends streams and calls", async () => {
    const program =
      "process.stdin.on('data', (line) => { const { id, method } = JSON.parse(line); if (method === 'initialize') process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'a', version: '1' } } }) + '\\n') })"
    await run(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const docs = yield* Scope.provide(
        Backend.make("docs", { command: process.execPath, args: ["-e", program], protocol: "2025" }),
        scope
      )
      yield* reached(docs, "Connected")
      const pid = (yield* docs.status.get).peer?.pid ?? assert.fail("no process")
      const states = yield* Effect.forkChild(Stream.runLast(docs.status.changes))
      const events = yield* Effect.forkChild(Stream.runCollect(docs.events))
      const calling = yield* Effect.forkChild(Effect.flip(docs.callTool({ name: "wait" })))
      yield* Effect.yieldNow
      yield* Scope.close(scope, Exit.void)
      assert.throws(() => process.kill(pid, 0))
      assert.include(["ResultUnknown", "BackendUnavailable"], (yield* Fiber.join(calling))._tag)
      assert.strictEqual(Option.getOrUndefined(yield* Fiber.join(states))?.state, "Closed")
      yield* Fiber.join(events)
      const after = yield* Effect.flip(docs.callTool({ name: "wait" }))
      assert.deepInclude({ ...after }, { _tag: "BackendUnavailable", state: "Closed" })
    }))
  })

  it("[N1] errors are yieldable, with the tags and fields of the core", async () => {
    const { server } = inMemory((server) => server.registerTool("search", {}, () => ({ content: [] })))
    await run(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", server)
      const error = yield* Effect.flip(docs.readResource({ uri: "docs://none" }))
      assert.instanceOf(error, RemoteError)
      assert.deepInclude({ ...error }, { _tag: "RemoteError", backend: "docs", method: "resources/read", code: -32601 })
      assert.strictEqual(yield* Effect.catchTag(error, "RemoteError", ({ code }) => Effect.succeed(code)), -32601)
      const refused = yield* Effect.flip(Backend.make("docs", server, { keepalive: { interval: -1 } }))
      assert.deepInclude({ ...refused }, { _tag: "InvalidOptions", field: "keepalive.interval" })
      const wrong = yield* Effect.exit(docs.ping({ timeout: -1 }))
      assert.isTrue(Exit.isFailure(wrong) && Cause.hasDies(wrong.cause))
      const down = yield* Backend.make("down", { command: "/no/such/program" })
      const failed = yield* Effect.flip(down.enable)
      assert.deepInclude({ ...failed }, { _tag: "ConnectError", reason: "spawn", permanent: true })
    }))
  })

  it("[N1] status and catalogue are values with streams of changes, and events a stream", async () => {
    const { server, servers } = inMemory((server) => server.registerTool("search", {}, () => ({ content: [] })))
    let begin = (): void => undefined
    const begun = new Promise<void>((resolve) => begin = resolve)
    const transport = () => begun.then(server.transport)
    await run(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", { transport, reconnect: { initialDelay: 10 } })
      const read = Stream.tap(docs.events, () => Effect.sync(begin))
      const events = yield* Effect.forkChild(Stream.runCollect(
        Stream.takeUntil(read, (event: Event) => event._tag === "Installed" && event.generation === 2)
      ))
      const named = (name: string) =>
        Stream.runHead(Stream.filter(
          docs.catalog.changes,
          (catalog) => catalog?.stale === false && catalog.tools.some((tool) => tool.name === name)
        ))
      yield* named("search")
      assert.deepEqual((yield* docs.catalog.get)?.tools.map(({ name }) => name), ["search"])
      servers[0]?.registerTool("added", {}, () => ({ content: [] }))
      yield* named("added")
      yield* Effect.promise(() => servers[0]?.close() ?? assert.fail("no server"))
      yield* reached(docs, "Connected", 2)
      const tags = (yield* Fiber.join(events)).map(({ _tag }) => _tag)
      assert.includeMembers(tags, ["AttemptStarted", "Installed", "CatalogChanged", "RuntimeLost"])
      assert.isTrue(yield* docs.isConnected)
    }))
  })

  it("[N1] handlers and onConnected use services of the program", async () => {
    class Model extends Context.Service<Model, { readonly says: string }>()("test/Model") {}
    const { server } = inMemory((server) =>
      server.registerTool("ask", {}, async () => {
        const { content } = await server.server.createMessage({ messages: [], maxTokens: 1 })
        return { content: [content as { type: "text"; text: string }] }
      })
    )
    const said: Array<string> = []
    const DocsLive = Docs.layer(server, {
      handlers: {
        sampling: () =>
          Effect.map(Model, ({ says }) => ({
            role: "assistant" as const,
            model: "a",
            content: { type: "text" as const, text: says }
          }))
      },
      onConnected: (session) =>
        Effect.gen(function*() {
          said.push(`${(yield* Model).says} ${session.generation}`)
        })
    })
    const program = Effect.gen(function*() {
      const docs = yield* Docs
      return (yield* docs.callTool({ name: "ask" })).content
    })
    const answer = await Effect.runPromise(
      Effect.provide(program, Layer.provide(DocsLive, Layer.succeed(Model, { says: "hello" })))
    )
    assert.deepEqual(answer, [{ type: "text", text: "hello" }])
    assert.deepEqual(said, ["hello 1"])
  })

  it("[N1] handlers and onConnected are interrupted when nobody waits for their answer any more", async () => {
    const abort = new AbortController()
    const interrupted: Array<string> = []
    const never = (name: string, begun: () => void) =>
      Effect.onInterrupt(
        Effect.andThen(Effect.sync(begun), Effect.never),
        () => Effect.sync(() => void interrupted.push(name))
      )
    const { server } = inMemory((server) =>
      server.registerTool("ask", {}, async () => {
        const { server: low } = server
        const options = { signal: abort.signal }
        const form = { message: "m", requestedSchema: { type: "object" as const, properties: {} } }
        const all = [
          low.createMessage({ messages: [], maxTokens: 1 }, options),
          low.elicitInput(form, options),
          low.listRoots(undefined, options)
        ]
        await Promise.allSettled(all)
        return { content: [] }
      })
    )
    let begun = 0
    const begins = () => void (++begun === 3 && abort.abort())
    await run(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", server, {
        handlers: {
          sampling: () => never("sampling", begins),
          elicitation: () => never("elicitation", begins),
          roots: never("roots", begins)
        }
      })
      yield* docs.callTool({ name: "ask" })
      yield* Effect.promise(() =>
        expect.poll(() => interrupted.toSorted()).toEqual(["elicitation", "roots", "sampling"])
      )
    }))
    interrupted.length = 0
    const preparing = Deferred.makeUnsafe<void>()
    await run(Effect.gen(function*() {
      const onConnected = () => never("onConnected", () => Deferred.doneUnsafe(preparing, Effect.void))
      yield* Backend.make("docs", server, { onConnected })
      yield* Deferred.await(preparing)
    }))
    assert.deepEqual(interrupted, ["onConnected"])
  })

  it("[N1] a server is read from the Config of Effect 4", async () => {
    const DocsLive = Docs.layerConfig(
      Config.map(Config.String("DOCS_COMMAND"), (command) => ({ command, disabled: true }))
    )
    const status = Effect.flatMap(Docs, (docs) => docs.status.get)
    const provider = ConfigProvider.fromUnknown({ DOCS_COMMAND: "docs-server" })
    const { state, target } = await Effect.runPromise(
      Effect.provide(status, Layer.provide(DocsLive, ConfigProvider.layer(provider)))
    )
    assert.strictEqual(state, "Disabled")
    assert.strictEqual(target, "docs-server")
    const missing = await Effect.runPromise(Effect.flip(
      Effect.provide(status, Layer.provide(DocsLive, ConfigProvider.layer(ConfigProvider.fromUnknown({}))))
    ))
    assert.strictEqual(missing._tag, "ConfigError")
  })
})
