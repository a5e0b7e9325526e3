import { assert, describe, it } from "@effect/vitest"
import { Backend } from "@mcp-lifeline/core"
import { HttpFault, HttpFaultServer, TcpProxy } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Cause, Effect, Exit, Fiber, TestClock } from "effect"
import { Readable } from "node:stream"
import type { Answer } from "../src/Answer.js"
import * as Hedge from "../src/Hedge.js"
import { NetworkFailure } from "../src/HttpFailure.js"
import { eras, requestsOf, seen, textOf } from "./fixtures/Supervised.js"

const answerOf = (status: number, headers: Answer["headers"] = {}): Answer => ({
  status,
  headers,
  body: Object.assign(Readable.from([]), { dump: () => Promise.resolve() })
})

const gone = new NetworkFailure({
  kind: "reset",
  sent: true,
  code: "ECONNRESET",
  proxy: undefined,
  proxyStatus: undefined,
  cause: undefined
})

/** What one of the requests of a test gets, so many milliseconds after it was sent; `undefined`: nothing. */
type Fate = { readonly after: number; readonly gets: Answer | NetworkFailure } | undefined

/** Sends as scripted, the last fate again and again; says when each was sent and which were interrupted. */
const play = (fates: ReadonlyArray<Fate>, options: Partial<Hedge.Hedge> = {}) =>
  Effect.gen(function*() {
    const sent: Array<number> = []
    const ended: Array<number> = []
    const world = { sent, ended, isAwaited: true }
    const clock = yield* Effect.clock
    const began = clock.unsafeCurrentTimeMillis()
    const fiber = yield* Effect.fork(Hedge.send(
      {
        beside: (work) => Effect.suspend(() => world.isAwaited ? Effect.asSome(work) : Effect.succeedNone),
        ...options
      },
      () =>
        Effect.suspend(() => {
          const at = clock.unsafeCurrentTimeMillis() - began
          const fate = fates[Math.min(sent.length, fates.length - 1)]
          sent.push(at)
          const outcome = fate === undefined
            ? Effect.never
            : Effect.delay("status" in fate.gets ? Effect.succeed(fate.gets) : Effect.fail(fate.gets), fate.after)
          return Effect.onInterrupt(outcome, () => Effect.sync(() => void ended.push(at)))
        })
    ))
    yield* TestClock.adjust(0)
    return { ...world, world, fiber }
  })

const ok = answerOf(200)

describe("what is sent beside a request without an answer", () => {
  it.effect("[V10:virtual] one each second, at most three at once: the first stays, and one of the others has 4 s", () =>
    Effect.gen(function*() {
      const { ended, fiber, sent } = yield* play([undefined])
      yield* TestClock.adjust(9999)
      assert.deepStrictEqual(sent, [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000])
      assert.deepStrictEqual(ended, [2000, 3000, 1000, 5000, 6000, 4000, 8000])
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([sent.length, ended.length], [10, 10])
    }))

  it.effect("[V10:virtual] none while no call waits, and none once one is answered", () =>
    Effect.gen(function*() {
      const { fiber, sent, world } = yield* play([undefined, undefined, { after: 400, gets: ok }])
      world.isAwaited = false
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(sent, [0])
      world.isAwaited = true
      yield* TestClock.adjust(2400)
      assert.strictEqual(yield* Fiber.join(fiber), ok)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(sent, [0, 21_000, 22_000])
    }))

  it.effect("[V10:virtual] the time in which this process stands still does not count", () =>
    Effect.gen(function*() {
      let late = 0
      const clock = yield* Effect.clock
      const slow: typeof clock = Object.assign(Object.create(clock), {
        unsafeCurrentTimeMillis: () => clock.unsafeCurrentTimeMillis() + late
      })
      const { fiber, sent } = yield* Effect.withClock(play([undefined]), slow)
      yield* TestClock.adjust(500)
      late = 60
      yield* TestClock.adjust(749)
      assert.deepStrictEqual(sent, [0])
      yield* TestClock.adjust(1)
      assert.strictEqual(sent.length, 2)
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("[V10:virtual] what answers within a second is asked once, and so is what fails", () =>
    Effect.gen(function*() {
      for (const gets of [ok, answerOf(503), gone]) {
        const { fiber, sent } = yield* play([{ after: 999, gets }])
        yield* TestClock.adjust("1 minute")
        const exit = yield* Fiber.await(fiber)
        if (gets instanceof NetworkFailure) assert.deepStrictEqual(exit, Exit.fail(gone))
        else assert.deepStrictEqual(exit, Exit.succeed(gets))
        assert.deepStrictEqual(sent, [0])
      }
    }))

  it.effect("[V10:virtual] a failure of one counts when no other may be answered", () =>
    Effect.gen(function*() {
      const { fiber, sent } = yield* play([{ after: 2500, gets: gone }, { after: 100, gets: gone }, undefined, {
        after: 100,
        gets: ok
      }])
      yield* TestClock.adjust(3099)
      assert.isNull(fiber.unsafePoll())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(fiber), ok)
      assert.deepStrictEqual(sent, [0, 1000, 2000, 3000])
      const all = yield* play([{ after: 1500, gets: gone }, { after: 700, gets: gone }])
      yield* TestClock.adjust(1700)
      assert.deepStrictEqual(yield* Fiber.await(all.fiber), Exit.fail(gone))
    }))

  it.effect("[V10:virtual] a busy server is asked less and less, and not before its Retry-After; its answer counts where it is the only one", () =>
    Effect.gen(function*() {
      const busy = answerOf(503)
      const slow = yield* play([undefined, { after: 0, gets: busy }])
      yield* TestClock.adjust(15_000)
      assert.deepStrictEqual(slow.sent, [0, 1000, 3000, 7000, 11_000, 15_000])
      yield* Fiber.interrupt(slow.fiber)

      const asked = answerOf(429, { "retry-after": "10" })
      const told = yield* play([{ after: 20_000, gets: gone }, { after: 0, gets: asked }])
      yield* TestClock.adjust(19_999)
      assert.deepStrictEqual(told.sent, [0, 1000, 11_000])
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(told.fiber), asked)

      const other = yield* play([{ after: 5000, gets: ok }, { after: 0, gets: busy }])
      yield* TestClock.adjust(5000)
      assert.strictEqual(yield* Fiber.join(other.fiber), ok)
    }))

  it.effect("[V10:virtual] another refusal counts at once, unless the request says that it may be due to the first", () =>
    Effect.gen(function*() {
      const refusal = answerOf(400)
      const fates: ReadonlyArray<Fate> = [{ after: 5000, gets: ok }, { after: 0, gets: refusal }]
      const at = yield* play(fates)
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* Fiber.join(at.fiber), refusal)
      const ours = yield* play(fates, { mayBeOurs: ({ status }) => status >= 300 })
      yield* TestClock.adjust(5000)
      assert.strictEqual(yield* Fiber.join(ours.fiber), ok)
    }))

  it.effect("[V10:virtual] those that lose are interrupted, or given to who ends them", () =>
    Effect.gen(function*() {
      const fates: ReadonlyArray<Fate> = [undefined, { after: 500, gets: ok }]
      const alone = yield* play(fates)
      yield* TestClock.adjust(1500)
      yield* Fiber.join(alone.fiber)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(alone.ended, [0])
      const losers: Array<Hedge.Copy> = []
      const given = yield* play(fates, { onLoser: (loser) => void losers.push(loser) })
      yield* TestClock.adjust(1500)
      yield* Fiber.join(given.fiber)
      assert.deepStrictEqual([given.ended, losers.length], [[], 1])
      const exit = yield* Fiber.interrupt(losers[0]!)
      assert.isTrue(Exit.isFailure(exit) && Cause.isInterrupted(exit.cause))
      assert.deepStrictEqual(given.ended, [0])
    }))
})

/** Without keepalive nothing but calls asks for a connection. */
const options = { keepalive: { method: "none" }, reconnect: { initialDelay: "1 hour", maxDelay: "1 hour" } } as const

describe.concurrent.each(eras)("an attempt without an answer, %s", (era) => {
  const { first } = requestsOf[era]

  /** A backend that connects when it is called. */
  const backendTo = (url: string, more: Omit<Backend.BackendOptions, "connector"> = {}) =>
    Backend.make("test", {
      connector: HttpConnector.make({ url, transport: "streamable", protocol: era, closeTimeout: "30 seconds" }),
      timeouts: { wait: "2 minutes", connect: "2 minutes" },
      lifecycle: { lazy: true },
      ...options,
      ...more
    })

  const call = (backend: Backend.Backend) =>
    Effect.map(backend.callTool({ name: "echo", arguments: { message: "here" } }), textOf)

  it.scopedLive("[V10:real] one that hangs for ever is overtaken by the next, which is prepared once; nothing is left", () =>
    Effect.gen(function*() {
      const server = yield* HttpFaultServer.make({ era })
      server.fail(first, HttpFault.hang(), 1)
      let prepared = 0
      const backend = yield* backendTo(server.url, { onConnected: () => Effect.sync(() => void prepared++) })
      assert.include(yield* call(backend), "here")
      const { connectionCount, generation, state } = yield* backend.status
      assert.deepStrictEqual([prepared, generation, connectionCount, state], [1, 1, 1, "Connected"])
      // A busy machine may need more than one.
      assert.isAtLeast(server.count(first), 2)
      yield* backend.disconnect
      yield* seen(server, () => server.sockets.size === 0 && server.sessions.size === 0)
    }))

  it.scopedLive("[V10:real] a slow one that another has overtaken leaves no session", () =>
    Effect.gen(function*() {
      const server = yield* HttpFaultServer.make({ era })
      const slow: HttpFault.HttpFault = async (turn, carryOut) => {
        await server.until(() => server.count(first) > 1)
        await HttpFault.late(500)(turn, carryOut)
      }
      server.fail(first, slow, 1)
      const backend = yield* backendTo(server.url)
      assert.include(yield* call(backend), "here")
      if (era === "2025") yield* seen(server, () => server.count("DELETE") >= 1 && server.sessions.size === 1)
      assert.include(yield* call(backend), "here")
      assert.strictEqual((yield* backend.status).connectionCount, 1)
    }))

  it.scopedLive("[V10:real] the first start of a backend is waited for, too", () =>
    Effect.gen(function*() {
      const server = yield* HttpFaultServer.make({ era })
      server.fail(first, HttpFault.hang(), 1)
      const backend = yield* backendTo(server.url, { lifecycle: {} })
      yield* backend.firstOutcome
      assert.strictEqual((yield* backend.status).state, "Connected")
      assert.isAtLeast(server.count(first), 2)
    }))

  it.scopedLive("[V10:real] a backend that closes while two hang leaves nothing", () =>
    Effect.gen(function*() {
      const server = yield* HttpFaultServer.make({ era })
      server.fail(first, HttpFault.hang())
      yield* Effect.scoped(Effect.gen(function*() {
        const backend = yield* backendTo(server.url)
        yield* Effect.fork(call(backend))
        yield* seen(server, () => server.count(first) >= 2)
      }))
      yield* seen(server, () => server.sockets.size === 0)
    }))

  it.scopedLive("[V10:real] after a loss, what a network swallows is sent again until one arrives", () =>
    Effect.gen(function*() {
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
    }))
})
