import { Backend } from "@mcp-lifeline/core"
import { HttpExchange, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { setImmediate } from "node:timers/promises"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import * as OlderServer from "./fixtures/OlderServer.js"
import { reconnect, until } from "./fixtures/Supervised.js"

const { fault } = HttpExchange

const wires = ["Streamable HTTP 2025", "Streamable HTTP 2026", "HTTP+SSE"] as const

/** Sockets for calls. So many of them arrive, and the others wait. */
const maxSockets = 4

const counting = (wire: typeof wires[number]) =>
  Effect.gen(function*() {
    const server = yield* HttpFaultServer.make({ era: wire.endsWith("2026") ? "2026" : "2025" })
    const arrived: Array<string> = []
    const state = { holds: true }
    const intercept = ({ message }: HttpExchange.Turn): boolean => {
      if (message?.method !== "tools/call") return false
      arrived.push(String(message.params?.["arguments"]?.message))
      return state.holds
    }
    if (wire === "HTTP+SSE") OlderServer.speak(server, intercept)
    else server.hook = intercept
    const backend = yield* Backend.make("counting", {
      connector: HttpConnector.make({
        url: server.url,
        transport: wire === "HTTP+SSE" ? "sse" : "streamable",
        maxSockets
      }),
      keepalive: { method: "none" },
      reconnect
    })
    yield* backend.firstOutcome
    const call = (message: number, timeout = 60_000) =>
      backend.callTool({ name: "echo", arguments: { message: `${message}` } }, { timeout, wait: "1 minute" })
    return {
      server,
      backend,
      arrived,
      state,
      call,
      crowd: Effect.tap(
        Effect.forEach(Array.from({ length: 20 }, (_, i) => i), (i) => Effect.fork(Effect.either(call(i)))),
        () => Effect.promise(() => server.until(() => arrived.length === maxSockets))
      )
    }
  })

type Counting = Effect.Effect.Success<ReturnType<typeof counting>>
type Crowd = Effect.Effect.Success<Counting["crowd"]>

const outcomes = (crowd: Crowd, arrived: ReadonlyArray<string>) =>
  Effect.map(Effect.forEach(crowd, (fiber) => Fiber.join(fiber)), (ended) => {
    const kinds = ended.map((one) => one._tag === "Left" ? one.left._tag : "answered")
    const had = (i: number) => arrived.slice(0, maxSockets).includes(`${i}`)
    return { arrived: kinds.filter((_, i) => had(i)), waited: kinds.filter((_, i) => !had(i)) }
  })

const all = (kind: string, count: number): ReadonlyArray<string> => Array.from({ length: count }, () => kind)

describe.concurrent("calls that wait for a socket", () => {
  for (const wire of wires) {
    test.scopedLive(`[C19:real] ${wire}: the server dies: those that arrived are unknown, the others are held and sent to the next`, function*() {
      const { arrived, backend, crowd, server, state } = yield* counting(wire)
      const calls = yield* crowd
      yield* Effect.promise(() => server.stop())
      yield* until(backend, ({ state }) => state !== "Connected")
      state.holds = false
      server.sessions.clear()
      yield* Effect.promise(() => server.start())
      const { waited, ...others } = yield* outcomes(calls, arrived)
      assert.deepStrictEqual(others.arrived, all("ResultUnknown", maxSockets))
      assert.deepStrictEqual(waited, all("answered", 20 - maxSockets))
      assert.deepStrictEqual(new Set(arrived).size, arrived.length)
    })

    test.live(`[C19:real] ${wire}: at the close those that arrived are unknown, the others were never sent`, function*() {
      const scope = yield* Scope.make()
      const { arrived, crowd } = yield* Scope.extend(counting(wire), scope)
      const calls = yield* crowd
      yield* Scope.close(scope, Exit.void)
      const { waited, ...others } = yield* outcomes(calls, arrived)
      assert.deepStrictEqual(others.arrived, all("ResultUnknown", maxSockets))
      assert.deepStrictEqual(waited, all("BackendUnavailable", 20 - maxSockets))
      assert.strictEqual(arrived.length, maxSockets)
    })

    test.scopedLive(`[C19:real] ${wire}: those that are cancelled or whose time is over are taken out, and are never sent`, function*() {
      const { arrived, call, crowd, server, state } = yield* counting(wire)
      const calls = yield* crowd
      const late = yield* Effect.flip(call(50, 100))
      assert.strictEqual(late._tag, "BackendUnavailable")
      assert.include(late.message, "was not sent, because its 100 ms were over")
      const cancelled = () => server.count("notifications/cancelled")
      const waiting = calls.filter((_, i) => !arrived.includes(`${i}`))
      yield* Fiber.interruptAll(waiting)
      assert.strictEqual(cancelled(), 0)
      state.holds = false
      yield* Fiber.interruptAll(calls)
      yield* call(100)
      assert.strictEqual(arrived.length, maxSockets + 1)
      assert.strictEqual(arrived.at(-1), "100")
    })
  }
})

describe("a session that the stream from the server finds forgotten first", () => {
  // Under a virtual clock, so that no machine is too slow for what the calls are given to hear their answers.
  test.scoped("[C2:real] each call hears its own refusal and is sent again; new ones do not wait for that", function*() {
    const server = yield* Harness.server
    const held: Array<HttpExchange.Turn> = []
    let holds = false
    server.hook = (turn) => holds && turn.rpc === "tools/call" && (turn.session === first) && held.push(turn) > 0
    const backend = yield* Backend.make("test", {
      connector: HttpConnector.make({ url: server.url, transport: "streamable" }),
      keepalive: { method: "none" }
    })
    yield* backend.firstOutcome
    yield* Effect.promise(() => server.until(() => server.streams.size === 1))
    const [first] = [...server.sessions.keys()]
    holds = true
    const calls = yield* Effect.forEach(
      [1, 2, 3],
      (i) => Effect.fork(backend.callTool({ name: "echo", arguments: { message: `${i}` } }))
    )
    yield* Effect.promise(() => server.until(() => held.length === 3))
    // The stream is opened again, to which the server answers 404.
    server.sessions.clear()
    server.dropStreams()
    yield* Effect.repeat(
      Effect.zipRight(TestClock.adjust(100), Effect.promise(() => setImmediate())),
      { until: () => server.count("GET") === 2 }
    )
    yield* until(backend, ({ generation, state }) => generation === 2 && state === "Connected")
    yield* backend.callTool({ name: "echo" })
    for (const { response } of held) fault(response, 404)
    yield* Effect.forEach(calls, (fiber) => Fiber.join(fiber))
    assert.strictEqual(server.applied.length, 4)
  })
})
