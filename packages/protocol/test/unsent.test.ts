import { Sending } from "@mcp-lifeline/core"
import type { RequestError } from "@mcp-lifeline/core"
import { Binding } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Fiber, Scope } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { parts } from "../src/sdkParts.js"
import { initializeResult, transportOf } from "./scripted.js"

type Sent = { readonly id: number; readonly method: string; readonly params?: { readonly requestId: number } }

const eras = ["2025", "2026"] as const

const connected = (era: typeof eras[number]) =>
  Effect.gen(function*() {
    const sent: Array<Sent> = []
    const waiting = new Set<number>()
    const receive = (message: unknown): void => transport.onmessage?.(message as JSONRPCMessage)
    const { transport } = transportOf((message) => {
      const request = message as unknown as Sent
      sent.push(request)
      const result = {
        "initialize": initializeResult,
        "server/discover": { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: {} }
      }[request.method]
      if (result !== undefined) queueMicrotask(() => receive({ jsonrpc: "2.0", id: request.id, result }))
      if (request.method !== "tools/call") return Promise.resolve()
      waiting.add(request.id)
      return new Promise(() => {})
    })
    const withdrawing = Object.assign(transport, { withdraw: (id: number) => waiting.delete(id) })
    const { connect, connectStateless } = Binding.make(parts)
    const options = { report: () => {} }
    const connection = yield* Effect.orDie(
      era === "2025" ? connect(withdrawing, options) : connectStateless(withdrawing, "http", options)
    )
    const call = (timeout = 60_000): Effect.Effect<unknown, RequestError> =>
      Sending.ask(connection, "tools/call", { name: "echo" }, { timeout })
    return {
      connection,
      transport,
      waiting,
      call,
      calls: () => sent.filter(({ method }) => method === "tools/call").map(({ id }) => id),
      cancelled: () =>
        sent.flatMap(({ method, params }) => method === "notifications/cancelled" ? [params?.requestId] : [])
    }
  })

describe("a request that is sent once more in its envelope", () => {
  test.scopedLive("[E3] refused with -32022 by a server that names our version, and then cancelled: the second is cancelled", function*() {
    const { call, calls, cancelled, transport, waiting } = yield* connected("2026")
    const fiber = yield* Effect.fork(call())
    yield* Effect.yieldNow()
    waiting.clear()
    const error = { code: -32022, message: "Unsupported", data: { supported: ["2026-07-28"] } }
    transport.onmessage?.({ jsonrpc: "2.0", id: calls()[0]!, error })
    assert.strictEqual(calls().length, 2)
    waiting.clear()
    yield* Fiber.interrupt(fiber)
    assert.deepStrictEqual(cancelled(), calls().slice(1))
  })
})

for (const era of eras) {
  describe(`${era}: requests of which nothing has left`, () => {
    test.scopedLive("[C19:virtual] one that its caller gives up is taken back, and nobody is told to cancel it", function*() {
      const { call, calls, cancelled, waiting } = yield* connected(era)
      const fibers = yield* Effect.all([Effect.fork(call()), Effect.fork(call())])
      yield* Effect.yieldNow()
      const [first, second] = calls() as [number, number]
      waiting.delete(second)
      yield* Fiber.interruptAll(fibers)
      assert.deepStrictEqual([...waiting], [])
      assert.deepStrictEqual(cancelled(), [second])
      assert.notStrictEqual(first, second)
    })

    test.scopedLive("[C19:virtual] one whose time is over is taken back, and its error says that it was not sent", function*() {
      const { call, calls, cancelled, waiting } = yield* connected(era)
      const unsent = yield* Effect.flip(call(10))
      assert.deepInclude(unsent, { fate: "notSent", reason: "timeout" })
      assert.include(unsent.message, "could not be sent")
      assert.deepStrictEqual([[...waiting], cancelled()], [[], []])
      const fiber = yield* Effect.fork(Effect.flip(call(10)))
      yield* Effect.yieldNow()
      waiting.clear()
      assert.deepInclude(yield* Fiber.join(fiber), { fate: "unknown", reason: "timeout" })
      assert.deepStrictEqual(cancelled(), calls().slice(1))
    })

    const ends = ["a closed transport", "a forgotten session", "fail", "close"] as const
    for (const end of ends) {
      test.live(`[C19:virtual] ${end} ends them as not sent, and those that have left as unknown`, function*() {
        const scope = yield* Scope.make()
        const { call, calls, cancelled, connection, transport, waiting } = yield* Scope.extend(connected(era), scope)
        connection.onLost((loss) => connection.fail(loss))
        const fibers = yield* Effect.all([1, 2, 3].map(() => Effect.fork(Effect.flip(call()))))
        yield* Effect.yieldNow()
        waiting.delete(calls()[1]!)
        const loss = { kind: end === "a forgotten session" ? "session" : "closed", message: "it is gone" } as const
        if (end === "close") yield* Scope.close(scope, Exit.void)
        else if (end === "fail") connection.fail(loss)
        else transport.onlost?.(loss)
        const errors = yield* Effect.all(fibers.map((fiber) => Fiber.join(fiber)))
        assert.deepStrictEqual(errors.map(({ fate }) => fate), ["notSent", "unknown", "notSent"])
        assert.deepStrictEqual(errors.map(({ reason }) => reason), ["lost", "lost", "lost"])
        assert.deepStrictEqual([...waiting], [])
        assert.deepStrictEqual(cancelled(), [])
        yield* Scope.close(scope, Exit.void)
      })
    }

    test.scopedLive("[C19:virtual] a forgotten session ends them at once; those that have left hear the server's own answer", function*() {
      const { call, calls, connection, transport, waiting } = yield* connected(era)
      const losses: Array<string> = []
      connection.onLost(({ kind }) => losses.push(kind))
      const fibers = yield* Effect.all([Effect.fork(Effect.flip(call())), Effect.fork(call())])
      yield* Effect.yieldNow()
      waiting.delete(calls()[1]!)
      transport.onlost?.({ kind: "session", message: "404" })
      assert.deepStrictEqual(losses, ["session"])
      assert.deepInclude(yield* Fiber.join(fibers[0]), { fate: "notSent", reason: "lost" })
      yield* Effect.sleep(20)
      assert.isNull(fibers[1].unsafePoll())
      const result = { content: [], resultType: "complete" }
      transport.onmessage?.({ jsonrpc: "2.0", id: calls()[1]!, result })
      assert.deepInclude(yield* Fiber.join(fibers[1]), { content: [] })
    })
  })
}
