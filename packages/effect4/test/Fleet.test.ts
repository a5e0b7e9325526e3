import { Fleet } from "@mcp-lifeline/effect4"
import { adjust } from "@mcp-lifeline/effect4/testing"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"

describe("a fleet for programs with Effect 4", () => {
  it("[N1] has one catalogue, calls by full name, and apply", async () => {
    const [docs, files] = [ScriptedConnector.make(), ScriptedConnector.make()]
    const program = Effect.gen(function*() {
      const fleet = yield* Fleet.Fleet
      yield* fleet.ready
      assert.deepEqual(yield* fleet.names, ["docs"])
      const more = yield* Effect.forkChild(
        Stream.runHead(
          Stream.filter(fleet.catalog.changes, ({ tools }) => tools.some(({ name }) => name.startsWith("files__")))
        )
      )
      const applied = yield* fleet.apply({ mcpServers: { docs: { connector: docs }, files: { connector: files } } })
      assert.deepEqual(applied.started, ["files"])
      yield* Fiber.join(more)
      const { tools } = yield* fleet.catalog.get
      const [first] = tools
      assert.match(first?.name ?? "", /^docs__/)
      yield* fleet.callTool({ name: first?.name ?? "" })
      const one = yield* fleet.backend("files")
      assert.strictEqual((yield* one.status.get).state, "Connected")
      const none = yield* Effect.flip(fleet.backend("none"))
      assert.deepInclude({ ...none }, { _tag: "BackendUnavailable", state: "Unknown" })
      const refused = yield* Effect.flip(fleet.apply({ mcpServers: { docs: { command: 1 as never } } }))
      assert.strictEqual(refused._tag, "InvalidOptions")
    })
    await Effect.runPromise(Effect.provide(program, Fleet.layer({ mcpServers: { docs: { connector: docs } } })))
  })

  it("[N1] is ready when it has read the lists of what is connected, whatever is down", async () => {
    const [docs, down] = [ScriptedConnector.make(), ScriptedConnector.make().failNext(1000)]
    const tools = [{ name: "search", inputSchema: { type: "object" as const } }]
    docs.respond = (method) =>
      method === "tools/list" ? { answer: "result", result: { tools }, after: 5000 } : undefined
    const program = Effect.gen(function*() {
      const fleet = yield* Fleet.make({ mcpServers: { docs: { connector: docs }, down: { connector: down } } })
      const seen = yield* Effect.forkChild(Effect.andThen(fleet.ready, fleet.catalog.get))
      yield* Stream.runDrain(Stream.takeUntil(fleet.status.changes, (all) => all["docs"]?.state === "Connected"))
      yield* adjust("10 seconds")
      assert.deepEqual((yield* Fiber.join(seen)).tools.map(({ name }) => name), ["docs__search"])
    })
    await Effect.runPromise(Effect.provide(Effect.scoped(program), TestClock.layer()))
  })

  it("[N2:virtual] its backends live in the time of the TestClock", async () => {
    const docs = ScriptedConnector.make().failNext(3)
    const program = Effect.gen(function*() {
      const fleet = yield* Fleet.Fleet
      yield* fleet.ready
      assert.notStrictEqual((yield* fleet.status.get)["docs"]?.state, "Connected")
      yield* adjust("1 hour")
      assert.strictEqual((yield* fleet.status.get)["docs"]?.state, "Connected")
    })
    await Effect.runPromise(
      Effect.provide(
        program,
        Layer.provideMerge(Fleet.layer({ mcpServers: { docs: { connector: docs } } }), TestClock.layer())
      )
    )
  })
})
