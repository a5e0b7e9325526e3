import { Fleet } from "@mcp-lifeline/effect4"
import { adjust } from "@mcp-lifeline/effect4/testing"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Cause, Config, ConfigProvider, Deferred, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"

const requests: ReadonlyArray<
  readonly [
    name: string,
    use: (of: Fleet.Fleet, options?: { readonly timeout: number }) => Effect.Effect<unknown, { readonly _tag: string }>,
    method: string,
    params: object
  ]
> = [
  ["callTool", (of, options) => of.callTool({ name: "docs__a" }, options), "tools/call", { name: "a" }],
  ["getPrompt", (of, options) => of.getPrompt({ name: "docs__p" }, options), "prompts/get", { name: "p" }],
  ["readResource", (of, options) => of.readResource({ uri: "test://r" }, options), "resources/read", {
    uri: "test://r"
  }],
  ["refresh", (of) => of.refresh("docs"), "tools/list", {}]
]

const asking = async (
  method: string,
  test: (fleet: Fleet.Fleet, docs: ScriptedConnector.ScriptedConnector, asked: Array<unknown>) => Effect.Effect<void>,
  answer?: { readonly answer: "never" }
) => {
  const docs = ScriptedConnector.make()
  docs.offer = {
    ...docs.offer,
    tools: [ScriptedConnector.tool("a")],
    prompts: [{ name: "p" }],
    resources: [{ name: "r", uri: "test://r" }]
  }
  const asked: Array<unknown> = []
  const other = ScriptedConnector.make()
  const program = Effect.gen(function*() {
    const fleet = yield* Fleet.make({ mcpServers: { other: { connector: other }, docs: { connector: docs } } })
    yield* fleet.ready
    yield* adjust(0)
    let others = 0
    other.respond = (one) => {
      if (one === method) others++
      return undefined
    }
    docs.respond = (one, params) => {
      if (one !== method) return undefined
      asked.push(params)
      return answer
    }
    yield* test(fleet, docs, asked)
    docs.respond = undefined
    assert.strictEqual(others, 0)
  })
  await Effect.runPromise(Effect.provide(Effect.scoped(program), TestClock.layer()))
}

describe("the requests of a fleet", () => {
  it.each(requests)(
    "[N1:virtual] %s is asked of the server that has it, each time that it runs",
    async (_, use, ...of) => {
      const [method, params] = of
      await asking(method, (fleet, __, asked) =>
        Effect.gen(function*() {
          const request = use(fleet)
          assert.deepEqual(asked, [])
          for (let times = 1; times <= 2; times++) {
            const running = yield* Effect.forkChild(Effect.orDie(request))
            yield* adjust("10 seconds")
            yield* Fiber.join(running)
            assert.lengthOf(asked, times)
          }
          assert.deepInclude({ ...asked[0] as object }, params)
        }))
    }
  )

  it.each(requests)("[N1:virtual] %s is given up when nobody waits for it any more", async (_, use, method) => {
    await asking(method, (fleet, docs, asked) =>
      Effect.gen(function*() {
        const running = yield* Effect.forkChild(use(fleet))
        yield* adjust(0)
        assert.lengthOf(asked, 1)
        yield* Fiber.interrupt(running)
        yield* adjust(0)
        assert.strictEqual(docs.current.pending, 0)
      }), { answer: "never" })
  })

  it.each(requests.filter(([name]) => name !== "refresh"))(
    "[N1:virtual] %s has the time that its options say",
    async (_, use, method) => {
      await asking(method, (fleet) =>
        Effect.gen(function*() {
          const running = yield* Effect.forkChild(Effect.exit(use(fleet, { timeout: 700 })))
          yield* adjust("699 millis")
          assert.isUndefined(running.pollUnsafe())
          yield* adjust("1 seconds")
          const exit = yield* Fiber.join(running)
          assert.deepInclude({ ...(Exit.isFailure(exit) ? Cause.squash(exit.cause) as object : {}) }, {
            _tag: "RequestTimeout",
            timeout: 700
          })
        }), { answer: "never" })
    }
  )
})

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

  it("[N1:virtual] its catalogue changes with each kind of list, and is not repeated", async () => {
    const docs = ScriptedConnector.make()
    const one = { name: "one" }
    const offers = [
      ["tools", { tools: [ScriptedConnector.tool("one")] }],
      ["prompts", { prompts: [one] }],
      ["resources", { resources: [{ ...one, uri: "test://one" }] }],
      ["resources", { resourceTemplates: [{ ...one, uriTemplate: "test://{x}" }] }]
    ] as const
    docs.offer = { tools: [], prompts: [], resources: [], resourceTemplates: [] }
    const program = Effect.gen(function*() {
      const fleet = yield* Fleet.make({ mcpServers: { docs: { connector: docs } } })
      yield* fleet.ready
      yield* adjust(0)
      const seen: Array<ReadonlyArray<number>> = []
      yield* Effect.forkChild(
        Stream.runForEach(
          fleet.catalog.changes,
          ({ prompts, resourceTemplates, resources, tools }) =>
            Effect.sync(() => seen.push([tools, prompts, resources, resourceTemplates].map(({ length }) => length)))
        )
      )
      yield* adjust(0)
      for (const [kind, offer] of offers) {
        docs.offer = { ...docs.offer, ...offer }
        docs.current.notify(`notifications/${kind}/list_changed`)
        yield* adjust("10 seconds")
        docs.current.notify(`notifications/${kind}/list_changed`)
        yield* adjust("10 seconds")
      }
      assert.deepEqual(seen, [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]])
    })
    await Effect.runPromise(Effect.provide(Effect.scoped(program), TestClock.layer()))
  })

  it("[N1] may have servers from the configuration", async () => {
    const names = Effect.flatMap(Fleet.Fleet, (fleet) => fleet.names)
    const servers = Config.map(
      Config.String("DOCS_COMMAND"),
      (command) => ({ mcpServers: { docs: { command, disabled: true } } })
    )
    const given = (value: object) =>
      Layer.provide(Fleet.layerConfig(servers), ConfigProvider.layer(ConfigProvider.fromUnknown(value)))
    assert.deepEqual(await Effect.runPromise(Effect.provide(names, given({ DOCS_COMMAND: "docs-server" }))), ["docs"])
    assert.strictEqual((await Effect.runPromise(Effect.flip(Effect.provide(names, given({})))))._tag, "ConfigError")
  })

  it("[N1:virtual] its events end when it has closed", async () => {
    const docs = ScriptedConnector.make()
    const reading = await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
      const fleet = yield* Fleet.make({ mcpServers: { docs: { connector: docs } } })
      const heard = yield* Deferred.make<void>()
      const reading = yield* Effect.forkDetach(
        Stream.runForEach(fleet.events, () => Deferred.succeed(heard, undefined))
      )
      yield* fleet.ready
      const { reconnect } = yield* fleet.backend("docs")
      // The stream begins to listen at some time.
      while (!(yield* Deferred.isDone(heard))) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* reconnect
      }
      assert.isUndefined(reading.pollUnsafe())
      return reading
    })))
    await Effect.runPromise(Fiber.join(reading))
  })
})
