import { Backend } from "@mcp-lifeline/core"
import { HttpFault, HttpFaultServer, TcpProxy } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Cause, Effect, Exit, Fiber, TestClock } from "effect"
import { Readable } from "node:stream"
import { setTimeout } from "node:timers/promises"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import type { Answer } from "../src/Answer.js"
import * as Hedge from "../src/Hedge.js"
import type { NetworkFailure } from "../src/HttpFailure.js"
import { reset as gone } from "./fixtures/Played.js"
import { eras, requestsOf, seen, textOf } from "./fixtures/Supervised.js"

const answerOf = (status: number, headers: Answer["headers"] = {}): Answer => ({
  status,
  headers,
  body: Object.assign(Readable.from([]), { dump: () => Promise.resolve() })
})

/** What one of the requests of a test gets, so many milliseconds after it was sent; `undefined`: nothing. */
type Fate = { readonly after: number; readonly gets: Answer | NetworkFailure } | undefined

const second = 1000

const endOf = (copy: Hedge.Copy): void => copy.unsafeInterruptAsFork(copy.id())

/** What questions get: the status of an answer, so many milliseconds later, or nothing. */
interface Server {
  status: number | undefined
  delay: number
}

const play = (fates: ReadonlyArray<Fate>, options: Partial<Hedge.Hedge> = {}) =>
  Effect.gen(function*() {
    const sent: Array<number> = []
    const asked: Array<number> = []
    const ended: Array<number> = []
    const server: Server = { status: 405, delay: 0 }
    const world = { isAwaited: true }
    const clock = yield* Effect.clock
    const began = clock.unsafeCurrentTimeMillis()
    const time = () => clock.unsafeCurrentTimeMillis() - began
    const fiber = yield* Effect.fork(Hedge.send(
      {
        beside: (work) => Effect.suspend(() => world.isAwaited ? Effect.asSome(work) : Effect.succeedNone),
        ...options
      },
      Effect.suspend(() => {
        asked.push(time())
        const { delay, status } = server
        return status === undefined ? Effect.never : Effect.delay(Effect.succeed(answerOf(status)), delay)
      }),
      () =>
        Effect.suspend(() => {
          const at = time()
          const fate = fates[Math.min(sent.length, fates.length - 1)]
          sent.push(at)
          const outcome = fate === undefined
            ? Effect.never
            : Effect.delay("status" in fate.gets ? Effect.succeed(fate.gets) : Effect.fail(fate.gets), fate.after)
          return Effect.onInterrupt(outcome, () => Effect.sync(() => void ended.push(at)))
        })
    ))
    yield* TestClock.adjust(0)
    return { asked, sent, ended, server, world, fiber }
  })

const ok = answerOf(200)
const busy = answerOf(503)

const swallowed = (millis: number, fates: ReadonlyArray<Fate>, options?: Partial<Hedge.Hedge>) =>
  Effect.gen(function*() {
    const played = yield* play([undefined, ...fates], options)
    played.server.status = undefined
    yield* TestClock.adjust(millis)
    played.server.status = 405
    return played
  })

describe("what is sent beside a request without an answer", () => {
  test.effect("[V10:virtual] to a server that answers questions and is slow: one after a minute, or 10 s if it leaves nothing there", function*() {
    for (const [wait, onLoser] of [[60, endOf], [10, undefined]] as const) {
      const { fiber, sent } = yield* play([{ after: wait * second, gets: ok }], { onLoser })
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Fiber.join(fiber), ok)
      assert.deepStrictEqual(sent, [0])
      const other = yield* play([undefined], { onLoser })
      yield* TestClock.adjust((2 * wait + 8) * second)
      assert.strictEqual(other.sent.length, 3)
      assert.isTrue(other.sent.every((at, index) => at >= index * wait * second && at <= index * (wait + 2) * second))
      assert.deepStrictEqual(other.ended, [])
      yield* Fiber.interrupt(other.fiber)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([other.sent.length, other.ended.length], [3, 3])
    }
  })

  test.effect("[V10:virtual] one, within a second of the first answer after a silence, however long that was", function*() {
    for (const millis of [1000, 1600, 3000, 7000, 9000]) {
      const { fiber, sent } = yield* swallowed(millis, [{ after: 0, gets: ok }])
      assert.deepStrictEqual(sent, [0])
      yield* TestClock.adjust(850)
      assert.strictEqual(yield* Fiber.join(fiber), ok)
    }
  })

  test.effect("[V10:virtual] none where the first is answered as the silence ends, as by a server that was busy", function*() {
    const { fiber, sent, server } = yield* play([{ after: 8050, gets: ok }])
    server.status = undefined
    yield* TestClock.adjust(7990)
    server.status = 200
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(yield* Fiber.join(fiber), ok)
    assert.deepStrictEqual(sent, [0])
  })

  test.effect("[V10:virtual] where a router answers questions, one when the server does", function*() {
    for (const status of [404, 502, 503]) {
      const { fiber, sent, server } = yield* play([undefined, { after: 0, gets: ok }])
      server.status = status
      yield* TestClock.adjust(6000)
      assert.deepStrictEqual(sent, [0])
      server.status = 401
      yield* TestClock.adjust(850)
      assert.strictEqual(yield* Fiber.join(fiber), ok)
    }
  })

  test.effect("[V10:virtual] without a sign of the server: one after 10 s, one after 20 s, and no more", function*() {
    const { fiber, sent, server } = yield* play([undefined])
    server.status = undefined
    yield* TestClock.adjust(10_000)
    assert.deepStrictEqual(sent, [0])
    yield* TestClock.adjust("1 minute")
    assert.strictEqual(sent.length, 3)
    assert.isTrue(sent[1]! < 11_000 && sent[2]! < 22_000)
    yield* Fiber.interrupt(fiber)
  })

  test.effect("[V10:virtual] while no call waits, nothing; for one that comes then, 10 s after the first", function*() {
    const { asked, fiber, sent, world } = yield* play([undefined, { after: 400, gets: ok }])
    world.isAwaited = false
    yield* TestClock.adjust("9 seconds")
    world.isAwaited = true
    assert.deepStrictEqual([sent, asked], [[0], []])
    yield* TestClock.adjust(3000)
    assert.strictEqual(yield* Fiber.join(fiber), ok)
    const all = asked.length
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual([sent.length, asked.length], [2, all])
    assert.isAtLeast(sent[1]!, 10_000)
  })

  test.effect("[V10:virtual] a question that this process was too busy to hear of proves nothing", function*() {
    let late = 0
    const clock = yield* Effect.clock
    const slow: typeof clock = Object.assign(Object.create(clock), {
      unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + late
    })
    const { fiber, sent, server } = yield* Effect.withClock(play([undefined]), slow)
    server.status = undefined
    yield* TestClock.adjust(300)
    late = 60
    server.status = 405
    yield* TestClock.adjust(8000)
    assert.deepStrictEqual(sent, [0])
    yield* Fiber.interrupt(fiber)
  })

  test.effect("[V10:virtual] a failure of one counts when no other may be answered", function*() {
    const first = yield* play([{ after: 999, gets: gone }])
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual([yield* Fiber.await(first.fiber), first.sent], [Exit.fail(gone), [0]])
    const { fiber } = yield* swallowed(3000, [{ after: 100, gets: gone }, { after: 100, gets: ok }])
    yield* TestClock.adjust(5000)
    assert.isNull(fiber.unsafePoll())
    yield* Fiber.interrupt(fiber)
  })

  test.effect("[V10:virtual] a busy server that has lost the first is asked twice, not before its Retry-After; then its answer counts", function*() {
    const { fiber, sent } = yield* swallowed(3000, [{ after: 0, gets: busy }])
    yield* TestClock.adjust(5000)
    assert.strictEqual(yield* Fiber.join(fiber), busy)
    assert.strictEqual(sent.length, 3)
    const asked = answerOf(429, { "retry-after": "10" })
    const told = yield* swallowed(3000, [{ after: 0, gets: asked }])
    yield* TestClock.adjust(5000)
    assert.strictEqual(yield* Fiber.join(told.fiber), asked)
    assert.strictEqual(told.sent.length, 2)
  })

  test.effect("[V10:virtual] a refusal of another says nothing of the first where it may be due to that: 'there is one already'", function*() {
    const refusal = answerOf(400)
    const at = yield* swallowed(3000, [{ after: 0, gets: refusal }])
    yield* TestClock.adjust(1000)
    assert.strictEqual(yield* Fiber.join(at.fiber), refusal)
    const { fiber } = yield* play(
      [{ after: 25_000, gets: ok }, { after: 0, gets: refusal }],
      { mayBeOurs: ({ status }) => status >= 300 }
    )
    yield* TestClock.adjust(25_000)
    assert.strictEqual(yield* Fiber.join(fiber), ok)
  })

  test.effect("[V10:virtual] those that lose, or are given up while the server is there, are interrupted, or given to who ends them", function*() {
    const fates: ReadonlyArray<Fate> = [{ after: 500, gets: ok }]
    const alone = yield* swallowed(3000, fates)
    yield* TestClock.adjust(2000)
    yield* Fiber.join(alone.fiber)
    assert.deepStrictEqual(alone.ended, [0])
    const losers: Array<Hedge.Copy> = []
    const onLoser = (loser: Hedge.Copy) => void losers.push(loser)
    const given = yield* swallowed(3000, fates, { onLoser })
    yield* TestClock.adjust(2000)
    yield* Fiber.join(given.fiber)
    assert.deepStrictEqual([given.ended, losers.length], [[], 1])
    const exit = yield* Fiber.interrupt(losers[0]!)
    assert.isTrue(Exit.isFailure(exit) && Cause.isInterrupted(exit.cause))
    assert.deepStrictEqual(given.ended, [0])
    for (const [status, ended, count] of [[405, [], 2], [undefined, [0], 2]] as const) {
      const up = yield* play([undefined], { onLoser })
      up.server.status = status
      yield* TestClock.adjust(1500)
      yield* Fiber.interrupt(up.fiber)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual([up.ended, losers.length], [ended, count])
    }
  })
})

/** Without keepalive nothing but calls asks for a connection. */
const options = { keepalive: { method: "none" }, reconnect: { initialDelay: "1 hour", maxDelay: "1 hour" } } as const

describe.concurrent.each(eras)("an attempt without an answer, %s", (era) => {
  const { first } = requestsOf[era]

  const hangs = (server: HttpFaultServer.HttpFaultServer) => {
    server.fail(first, HttpFault.hang(), 1)
    server.fail("OPTIONS", HttpFault.hang(), 2)
  }

  const backendTo = (url: string, more: Omit<Backend.BackendOptions, "connector"> = {}) =>
    Backend.make("test", {
      connector: HttpConnector.make({ url, transport: "streamable", protocol: era, closeTimeout: "1 second" }),
      timeouts: { wait: "2 minutes", connect: "2 minutes" },
      lifecycle: { lazy: true },
      ...options,
      ...more
    })

  const call = (backend: Backend.Backend) =>
    Effect.map(backend.callTool({ name: "echo", arguments: { message: "here" } }), textOf)

  for (const lazy of [true, false]) {
    const when = lazy ? "by a call" : "by the first start"
    test.scopedLive(`[V10:real] begun ${when}: one that hangs for ever is overtaken by the next, which is prepared once; nothing is left`, function*() {
      const server = yield* HttpFaultServer.make({ era })
      hangs(server)
      let prepared = 0
      const onConnected = () => Effect.sync(() => void prepared++)
      const backend = yield* backendTo(server.url, { onConnected, lifecycle: { lazy } })
      yield* lazy ? call(backend) : backend.firstOutcome
      const { connectionCount, generation, state } = yield* backend.status
      assert.deepStrictEqual([prepared, generation, connectionCount, state], [1, 1, 1, "Connected"])
      // A busy machine may need more than one.
      assert.isAtLeast(server.count(first), 2)
      assert.include(yield* call(backend), "here")
      yield* backend.disconnect
      yield* seen(server, () => server.sockets.size === 0 && server.sessions.size === 0)
    })
  }

  test.scopedLive("[V10:real] a slow one that another has overtaken leaves no session, and no answer that nobody reads", function*() {
    const server = yield* HttpFaultServer.make({ era })
    let isOpen = true
    const slow: HttpFault.HttpFault = async ({ response }, carryOut) => {
      response.on("close", () => isOpen = false)
      await server.until(() => server.count(first) > 1)
      const { headers, status } = await carryOut()
      await setTimeout(500)
      if (isOpen) response.writeHead(status, headers).write("an answer without an end")
    }
    server.fail(first, slow, 1)
    server.fail("OPTIONS", HttpFault.hang(), 2)
    const backend = yield* backendTo(server.url)
    assert.include(yield* call(backend), "here")
    if (era === "2025") yield* seen(server, () => server.count("DELETE") >= 1 && server.sessions.size === 1)
    yield* Effect.repeat(Effect.sleep("50 millis"), { until: () => !isOpen })
    assert.include(yield* call(backend), "here")
    assert.strictEqual((yield* backend.status).connectionCount, 1)
  })

  test.scopedLive("[V10:real] a backend that closes while it hangs leaves nothing", function*() {
    const server = yield* HttpFaultServer.make({ era })
    server.fail(first, HttpFault.hang())
    yield* Effect.scoped(Effect.gen(function*() {
      const backend = yield* backendTo(server.url)
      yield* Effect.fork(call(backend))
      yield* seen(server, () => server.count("OPTIONS") >= 2)
    }))
    yield* seen(server, () => server.sockets.size === 0)
  })

  test.scopedLive("[V10:real] after a loss, what a network swallows is sent again until one arrives", function*() {
    const server = yield* HttpFaultServer.make({ era })
    const proxy = yield* TcpProxy.make(server.url)
    const backend = yield* backendTo(proxy.url)
    assert.include(yield* call(backend), "here")
    const { sessionId } = yield* backend.status
    yield* Effect.promise(() => proxy.refuse())
    proxy.cut("client")
    const asked = Effect.zipRight(Effect.ignore(backend.healthCheck), backend.status)
    yield* Effect.repeat(asked, { until: ({ state }) => state !== "Connected" })
    const lost = proxy.made + 2
    proxy.treat = ({ connection }) => connection < lost ? "lose" : "pass"
    yield* Effect.promise(() => proxy.accept())
    assert.include(yield* call(backend), "here")
    assert.isAbove(proxy.made, lost)
    const after = yield* backend.status
    assert.deepStrictEqual([after.sessionId, after.generation], [sessionId, 2])
    yield* seen(server, () => server.sessions.size === (era === "2025" ? 1 : 0))
  })
})
