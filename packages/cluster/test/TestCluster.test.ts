import { Backend, BackendUnavailable, ResultUnknown } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Context, Effect, Exit, Fiber, Layer, Scope, TestClock, TestContext } from "effect"
import { describe, expect, it } from "vitest"
import * as ClusterBackend from "../src/ClusterBackend.js"
import * as TestCluster from "../src/testing/TestCluster.js"

class Notes extends Backend.Tag("notes")<Notes>() {}

const note = (key: string) => Effect.flatMap(Notes, (notes) => notes.callTool({ name: "echo", arguments: { key } }))

const connectorOf = () => new ScriptedConnector.ScriptedConnector({ overlap: false })

const notesOn = (connector: ScriptedConnector.ScriptedConnector) =>
  ClusterBackend.layer(Notes, "notes", { connector: () => connector })

const run = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.provide(Effect.scoped(test), TestContext.TestContext))

const inTime = <A, E>(work: Effect.Effect<A, E>) =>
  Effect.flatMap(Effect.fork(work), (fiber) => Effect.zipRight(TestClock.adjust("10 seconds"), Fiber.join(fiber)))

const start = (cluster: TestCluster.TestCluster, name: string) =>
  Effect.gen(function*() {
    const connector = connectorOf()
    const scope = yield* Scope.make()
    const closing = yield* Effect.once(Scope.close(scope, Exit.void))
    yield* Effect.addFinalizer(() => inTime(closing))
    const layer = Layer.provide(notesOn(connector), cluster.replica(name))
    const context: Context.Context<Notes> = yield* Layer.buildWithScope(layer, scope)
    yield* TestClock.adjust("1 second")
    return {
      connector,
      starts: () => connector.connections.length,
      calls: () => connector.ledger.sent("tools/call").length,
      note: (key: string) => Effect.provide(note(key), context),
      status: Effect.provide(Effect.flatMap(Notes, ({ status }) => status), context),
      tools: Effect.map(
        Effect.provide(Effect.flatMap(Notes, ({ catalog }) => catalog), context),
        (catalog) => catalog?.tools.map(({ name }) => name)
      ),
      close: closing
    }
  })

describe("a cluster for tests", () => {
  it("[D9] has one replica, whose server runs as any", () =>
    run(Effect.gen(function*() {
      const connector = connectorOf()
      yield* Effect.provide(note("a"), Layer.provide(notesOn(connector), TestCluster.layer))
      expect(connector.ledger.sent("tools/call")).toHaveLength(1)
      expect([connector.ledger.faults, connector.ledger.live]).toEqual([[], []])
    })))

  it("[D9] has many replicas, of which one runs the server, and the others call it there", () =>
    run(Effect.gen(function*() {
      const cluster = TestCluster.make()
      const [a, b, c] = [yield* start(cluster, "a"), yield* start(cluster, "b"), yield* start(cluster, "c")]
      for (const one of [a, b, c]) yield* one.note("x")
      expect([a.starts(), b.starts(), c.starts()]).toEqual([1, 0, 0])
      expect(a.calls()).toBe(3)
      expect((yield* b.status).state).toBe("Connected")
    })))

  it("[D9 L4:virtual] what the server announces is heard by each replica, whichever runs it", () =>
    run(Effect.gen(function*() {
      const cluster = TestCluster.make()
      const [a, b] = [yield* start(cluster, "a"), yield* start(cluster, "b")]
      a.connector.offer = { ...a.connector.offer, tools: [ScriptedConnector.tool("new")] }
      a.connector.current.notify("notifications/tools/list_changed")
      yield* TestClock.adjust("1 second")
      expect([yield* a.tools, yield* b.tools]).toEqual([["new"], ["new"]])
    })))

  it("[D9][D4] a replica that leaves in order fails no call: its calls are answered, and later ones go to the next owner", () =>
    run(Effect.gen(function*() {
      const cluster = TestCluster.make()
      const [a, b] = [yield* start(cluster, "a"), yield* start(cluster, "b")]
      a.connector.respond = (method) => method === "tools/call" ? { answer: "result", after: 2000 } : undefined
      const slow = yield* Effect.fork(b.note("slow"))
      yield* TestClock.adjust("10 millis")
      const closed = yield* Effect.fork(a.close)
      yield* TestClock.adjust("10 millis")
      const late = yield* Effect.fork(b.note("late"))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(slow)
      yield* Fiber.join(late)
      yield* Fiber.join(closed)
      expect([a.starts(), a.calls(), b.starts(), b.calls()]).toEqual([1, 1, 1, 1])
      expect([a.connector.ledger.faults, a.connector.ledger.live]).toEqual([[], []])
    })))

  it("[D9][D4] a replica that calls nothing takes over, too, when the owner leaves", () =>
    run(Effect.gen(function*() {
      const cluster = TestCluster.make()
      const [a, b] = [yield* start(cluster, "a"), yield* start(cluster, "b")]
      const closed = yield* Effect.fork(a.close)
      yield* TestClock.adjust("1 second")
      expect(b.starts()).toBe(1)
      yield* inTime(Fiber.join(closed))
      expect(a.connector.ledger.live).toEqual([])
    })))

  it("[D9][D4] a replica that is cut off ends its server before another one starts it, and calls whose fate nobody knows say so", () =>
    run(Effect.gen(function*() {
      const cluster = TestCluster.make()
      const [a, b] = [yield* start(cluster, "a"), yield* start(cluster, "b")]
      a.connector.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const sent = yield* Effect.fork(Effect.flip(b.note("sent")))
      yield* TestClock.adjust("10 millis")
      yield* cluster.cutOff("a")
      yield* TestClock.adjust("4500 millis")
      expect(a.connector.current.state).toBe("closed")
      expect(b.starts()).toBe(0)
      expect(yield* inTime(Effect.flip(a.note("alone")))).toBeInstanceOf(BackendUnavailable)
      expect(yield* Fiber.join(sent)).toBeInstanceOf(ResultUnknown)
      yield* b.note("later")
      expect([a.calls(), b.starts(), b.calls()]).toEqual([1, 1, 1])
      yield* cluster.restore("a")
      yield* TestClock.adjust("1 minute")
      yield* a.note("again")
      expect([a.starts(), b.calls()]).toEqual([1, 2])
    })))

  it("[D9] a call that is interrupted on its replica is cancelled at the server", () =>
    run(Effect.gen(function*() {
      const cluster = TestCluster.make()
      const [a, b] = [yield* start(cluster, "a"), yield* start(cluster, "b")]
      a.connector.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      const sent = yield* Effect.fork(b.note("sent"))
      yield* TestClock.adjust("10 millis")
      expect(a.connector.current.pending).toBe(1)
      yield* Fiber.interrupt(sent)
      yield* TestClock.adjust("10 millis")
      expect(a.connector.current.pending).toBe(0)
    })))
})
