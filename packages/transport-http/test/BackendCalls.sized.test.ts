import type { Backend } from "@mcp-lifeline/core"
import { HttpExchange, HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import type { Progress } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Either, Fiber, Random } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { erasBySize, seen, supervise, textOf, until } from "./fixtures/Supervised.js"

const { event, text } = HttpExchange

type Server = HttpFaultServer.HttpFaultServer

/** `add` must not be done twice; `set` may. Both answer with their key. */
const counting: Readonly<Record<string, HttpFaultServer.Tool>> = {
  add: { run: (call) => text(call.arguments["key"]) },
  set: { run: (call) => text(call.arguments["key"]), annotations: { idempotentHint: true } }
}

const call = (backend: Backend.Backend, name: "add" | "set", key: string, timeout = 20_000) =>
  backend.callTool({ name, arguments: { key } }, { timeout })

const times = (server: Server, key: string): number =>
  server.applied.filter((one) => one.arguments["key"] === key).length

describe.concurrent("calls", () => {
  for (const lostSession of [404, 400] as const) {
    test.scopedLive(`[C2:real] a session lost by ${lostSession}: the call is sent again, its progress handler with it`, function*() {
      const run = ({ progress }: HttpFaultServer.Call) => {
        progress(1, 2)
        progress(2, 2)
        return text("done")
      }
      const server = yield* HttpFaultServer.make({ lostSession, streaming: true, tools: { work: { run } } })
      // On a slow machine Lifeline itself would say that it connects.
      const backend = yield* supervise(server, { calls: { progressInterval: "never" } })
      for (const generation of [2, 3]) {
        // A stream that is still being opened would find the session lost before the call is sent.
        yield* seen(server, () => server.streams.size === 1)
        server.sessions.clear()
        const heard: Array<Progress> = []
        const answer = yield* backend.callTool({ name: "work" }, { onprogress: (one) => heard.push(one) })
        assert.strictEqual(textOf(answer), "done")
        assert.deepStrictEqual(heard.map(({ progress }) => progress), [1, 2])
        assert.strictEqual((yield* backend.status).generation, generation)
      }
      assert.strictEqual(server.count("tool:work"), 4)
      assert.strictEqual(server.applied.length, 2)
    })
  }

  for (const era of erasBySize) {
    test.scopedLive(`[C2:real] ${era}: a server that is down when the call is made, and up again within its time`, function*() {
      const server = yield* HttpFaultServer.make({ era, tools: counting })
      const backend = yield* supervise(server)
      yield* Effect.promise(() => server.stop())
      // Whatever is written now has to open a socket, and is refused.
      assert.isDefined((yield* backend.healthCheck).error)
      const calling = yield* Effect.fork(call(backend, "add", "k"))
      yield* until(backend, ({ failedAttempts }) => failedAttempts > 0)
      server.sessions.clear()
      yield* Effect.promise(() => server.start())
      assert.strictEqual(textOf(yield* Fiber.join(calling)), "k")
      assert.strictEqual(times(server, "k"), 1)
    })
  }

  const carriedOut = { carriedOut: true }
  const blows: Readonly<Record<string, HttpFault.HttpFault>> = {
    "a cut stream": HttpFault.cut(carriedOut),
    "a stream that ends": HttpFault.end(carriedOut),
    "a reset": HttpFault.reset(carriedOut),
    "a closed connection": HttpFault.close(carriedOut),
    "HTTP 500": HttpFault.status(500, carriedOut),
    "HTTP 502 with a page": HttpFault.status(502, {
      ...carriedOut,
      body: "<html>",
      headers: { "content-type": "text/html" }
    })
  }
  for (const era of erasBySize) {
    for (const [name, blow] of Object.entries(blows)) {
      test.scopedLive(`[C3:real] ${era}: ${name} after it was carried out: never done twice unless that does no harm`, function*() {
        const server = yield* HttpFaultServer.make({ era, tools: counting })
        const backend = yield* supervise(server)
        server.fail("tool:add", blow, 1)
        const error = yield* Effect.flip(call(backend, "add", "once"))
        assert.strictEqual(error._tag, "ResultUnknown")
        server.fail("tool:set", blow, 2)
        assert.strictEqual(textOf(yield* call(backend, "set", "often")), "often")
        server.fail("tool:add", blow, 1)
        const said = backend.callTool({ name: "add", arguments: { key: "allowed" } }, { idempotent: true })
        assert.strictEqual(textOf(yield* said), "allowed")
        server.fail("tools/list", blow, 1)
        assert.strictEqual((yield* backend.listTools()).tools.length, 2)
        yield* call(backend, "add", "after")
        assert.deepStrictEqual(
          ["once", "often", "allowed", "after"].map((key) => times(server, key)),
          [1, 3, 2, 1]
        )
        assert.strictEqual((yield* backend.status).generation, 1)
      })
    }
  }

  for (const era of erasBySize) {
    test.scopedLive(`[C3:real] ${era}: a call that times out, and one that a restart interrupts`, function*() {
      const server = yield* HttpFaultServer.make({ era, tools: counting })
      const backend = yield* supervise(server)
      server.fail(({ tool }) => tool !== undefined, HttpFault.hang("beforeHeaders", carriedOut), 3)
      for (const name of ["add", "set"] as const) {
        assert.strictEqual((yield* Effect.flip(call(backend, name, `late ${name}`, 2000)))._tag, "RequestTimeout")
      }
      const adding = yield* Effect.fork(Effect.flip(call(backend, "add", "restarted add")))
      yield* seen(server, () => times(server, "restarted add") === 1)
      server.fail("tool:set", HttpFault.hang("afterHeaders", carriedOut), 1)
      const setting = yield* Effect.fork(call(backend, "set", "restarted set"))
      yield* seen(server, () => times(server, "restarted set") === 1)
      yield* Effect.promise(() => server.restart())
      assert.strictEqual((yield* Fiber.join(adding))._tag, "ResultUnknown")
      assert.strictEqual(textOf(yield* Fiber.join(setting)), "restarted set")
      assert.deepStrictEqual(
        ["late add", "late set", "restarted add", "restarted set"].map((key) => times(server, key)),
        [1, 1, 1, 2]
      )
    })
  }

  test.scopedLive("[C3:real] a storm of faults, lost sessions and restarts: none is done twice, what may be is answered", function*() {
    const server = yield* HttpFaultServer.make({ tools: counting })
    const backend = yield* supervise(server)
    const storm = [
      ...Object.values(blows),
      HttpFault.reset(),
      HttpFault.cut(),
      HttpFault.status(503, { retryAfter: 0 }),
      HttpFault.status(429, { retryAfter: 0 }),
      HttpFault.status(404),
      HttpFault.status(503, carriedOut)
    ]
    const before = Array.from({ length: 150 }, (_, index) => index)
    const results = yield* Effect.forEach(before, (index) =>
      Effect.gen(function*() {
        const draw = yield* Random.nextIntBetween(0, storm.length * 2)
        const fault = storm[draw]
        const key = `k${index}`
        if (fault !== undefined) server.fail(({ message }) => message?.params?.["arguments"]?.key === key, fault, 1)
        if (index % 25 === 10) server.sessions.clear()
        if (index % 50 === 30) yield* Effect.promise(() => server.restart())
        return yield* Effect.either(call(backend, index % 2 === 0 ? "add" : "set", key))
      }), { concurrency: 10 }).pipe(Effect.withRandom(Random.make("storm")))
    for (const index of before) {
      const result = results[index]!
      const done = times(server, `k${index}`)
      const isTwiceLost = Either.isLeft(result) && /2 times|was lost, too/.test(result.left.message)
      if (index % 2 === 1) {
        assert.isTrue(Either.isRight(result) || isTwiceLost, `k${index}: ${JSON.stringify(result)}`)
      } else if (Either.isRight(result)) {
        assert.strictEqual(done, 1, `k${index}`)
      } else {
        assert.isAtMost(done, 1, `k${index}`)
        if (result.left._tag !== "ResultUnknown") assert.isTrue(isTwiceLost && done === 0, `k${index}`)
      }
    }
    assert.isAtLeast((yield* backend.status).generation, 6)
  })

  test.scopedLive("[C7] subscriptions, the logging level and roots are there on the new session, before a call is", function*() {
    const server = yield* HttpFaultServer.make({
      capabilities: { tools: {}, logging: {}, resources: { subscribe: true } }
    })
    const roots = [{ uri: "file:///project", name: "work" }]
    const backend = yield* supervise(server, { handlers: { roots: Effect.succeed({ roots }) } })
    yield* backend.subscribeResource("file:///a")
    yield* backend.subscribeResource("file:///b")
    yield* backend.subscribeResource("file:///c")
    yield* backend.unsubscribeResource("file:///b")
    yield* backend.setLoggingLevel("info")
    yield* backend.setLoggingLevel("warning")

    for (const generation of [2, 3]) {
      yield* seen(server, () => server.streams.size > 0)
      server.sessions.clear()
      server.seen.length = 0
      yield* backend.callTool({ name: "echo" })
      assert.strictEqual((yield* backend.status).generation, generation)
      const [session] = server.sessions.values()
      assert.deepStrictEqual([...session!.subscriptions].toSorted(), ["file:///a", "file:///c"])
      assert.strictEqual(session!.level, "warning")
      const order = server.seen.map(({ rpc, tool }) => tool ?? rpc)
      assert.isBelow(order.lastIndexOf("resources/subscribe"), order.lastIndexOf("echo"), order.join())
      assert.isBelow(order.indexOf("logging/setLevel"), order.lastIndexOf("echo"), order.join())
      assert.property(server.requests("initialize")[0]!.message!.params!["capabilities"], "roots")

      yield* seen(server, () => [...server.streams.values()].includes(session!.id))
      const [stream] = [...server.streams].find(([, of]) => of === session!.id)!
      stream.write(event({ jsonrpc: "2.0", id: "roots-1", method: "roots/list" }))
      const answer = () => server.seen.find(({ message }) => message?.id === "roots-1" && message.method === undefined)
      yield* seen(server, () => answer() !== undefined)
      assert.deepInclude(answer()!.message as object, { result: { roots } })
    }
  })
})

// Alone: each of the twenty has to be refused within half a second of the one before.
describe("calls", () => {
  test.scopedLive("[C2:real] calls in parallel on a lost session are each refused and sent again; one that hangs is cut off", function*() {
    const server = yield* HttpFaultServer.make({ tools: counting })
    const backend = yield* supervise(server)
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)
    const addAll = Effect.forEach(keys, (key) => call(backend, "add", key), { concurrency: "unbounded" })
    // A stream that is still being opened would find the session lost, too.
    const streams = seen(
      server,
      () => [...server.sessions.keys()].every((id) => [...server.streams.values()].includes(id))
    )
    yield* streams
    server.sessions.clear()
    assert.deepStrictEqual((yield* addAll).map(textOf), keys)

    server.fail("tool:add", HttpFault.hang("beforeHeaders", { carriedOut: true }), 1)
    const hanging = yield* Effect.fork(Effect.flip(call(backend, "add", "hanging")))
    yield* seen(server, () => times(server, "hanging") === 1)
    yield* streams
    server.sessions.clear()
    assert.deepStrictEqual((yield* addAll).map(textOf), keys)
    assert.strictEqual((yield* Fiber.join(hanging))._tag, "ResultUnknown")
    assert.deepStrictEqual(keys.map((key) => times(server, key)), keys.map(() => 2))
    assert.strictEqual(times(server, "hanging"), 1)
    assert.strictEqual((yield* backend.status).generation, 3)
  })
})
