import { Backend, type Extension, Fleet, type InvalidOptions, Policy } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Config, ConfigProvider, Context, Effect, Either, Layer, type Scope, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"

const { tool } = ScriptedConnector

class Docs extends Backend.Tag("docs")<Docs>() {}
class Files extends Backend.Tag("files")<Files>() {}

const refusal = <A, E, R>(needs: Effect.Effect<A, E, R>, layer: Layer.Layer<R, E>) =>
  Effect.map(Effect.either(Effect.provide(needs, layer)), (result) => {
    if (Either.isRight(result)) throw new Error("the layer was built")
    return result.left
  })

const within = <A, E1, E2, R>(
  layer: Layer.Layer<R, E1>,
  use: Effect.Effect<A, E2, R | Scope.Scope>
): Effect.Effect<A, E1 | E2> => Effect.scoped(Effect.provide(use, layer))

describe("Backend.Tag", () => {
  test.effect("[L1] the layer is the backend under the tag's name, begun with the layer and closed with it", function*() {
    const script = ScriptedConnector.make()
    yield* within(
      Docs.layer({ connector: script }),
      Effect.gen(function*() {
        const docs = yield* Docs
        expect(docs.id).toBe("docs")
        expect((yield* docs.status).backend).toBe("docs")
        yield* docs.callTool({ name: "echo" })
        expect(script.ledger.live).toEqual([0])
      })
    )
    expect(script.ledger.faults).toEqual([])
    expect(script.ledger.closed).toEqual([0])
  })

  test.effect("[L14] building the layer does not wait for the connection, and a dead server does not fail it", function*() {
    const script = ScriptedConnector.make()
    script.otherwise = { connect: "hang" }
    yield* within(
      Docs.layer({ connector: script }),
      Effect.gen(function*() {
        expect((yield* (yield* Docs).status).state).toBe("Connecting")
      })
    )
    expect(script.ledger.opened).toEqual([])
  })

  test.effect("[L1] two tags are two backends; one layer that is used twice is one", function*() {
    const docs = ScriptedConnector.make()
    const files = ScriptedConnector.make()
    const DocsLive = Docs.layer({ connector: docs })
    const seen = Layer.effectDiscard(Effect.flatMap(Docs, (backend) => backend.firstOutcome)).pipe(
      Layer.provide(DocsLive)
    )
    yield* within(
      Layer.mergeAll(DocsLive, seen, Files.layer({ connector: files })),
      Effect.gen(function*() {
        yield* (yield* Docs).ping()
        yield* (yield* Files).ping()
      })
    )
    expect(docs.ledger.attempts).toHaveLength(1)
    expect(files.ledger.attempts).toHaveLength(1)
    expect([docs.ledger.faults, files.ledger.faults]).toEqual([[], []])
  })

  const configured = (script: ScriptedConnector.ScriptedConnector) =>
    Docs.layerConfig(Config.all({
      connector: Config.succeed(script),
      lifecycle: Config.all({ lazy: Config.withDefault(Config.boolean("DOCS_LAZY"), false) }),
      keepalive: Config.all({ interval: Config.string("DOCS_INTERVAL") as Config.Config<`${number} seconds`> })
    }))

  const given = (entries: ReadonlyArray<readonly [string, string]>) =>
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(entries)))

  test.effect("Policy.config reads every option by its name, and leaves out what is not configured", function*() {
    const read = (entries: ReadonlyArray<readonly [string, string]>) =>
      Config.nested(Policy.config, "docs").pipe(
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map(entries))),
        Effect.map((options) => Either.getOrThrow(Policy.decode("docs", options)))
      )
    expect(yield* read([])).toEqual(Policy.defaults)
    const other: Record<string, Record<string, string>> = {
      keepalive: {
        method: "none",
        interval: "7 seconds",
        timeout: "3 seconds",
        fallbackAfter: "9",
        failureThreshold: "8",
        suspectInterval: "6 seconds",
        reprobeAfter: "9 minutes",
        idleTtl: "never",
        authenticated: "false"
      },
      reconnect: {
        auto: "false",
        initialDelay: "3 seconds",
        factor: "1.5",
        maxDelay: "9 seconds",
        maxAttempts: "9",
        stableAfter: "7 seconds",
        dormantProbe: "8 minutes",
        maxRetryAfter: "9 minutes",
        demandInterval: "4 seconds",
        overlap: "true"
      },
      timeouts: {
        connect: "1 second",
        request: "2 seconds",
        wait: "3 seconds",
        close: "4 seconds",
        drain: "6 seconds"
      },
      health: { busyLimit: "9 minutes", enforce: "false" },
      calls: {
        retry: "never",
        trustAnnotations: "false",
        failFast: "true",
        afterSessionLoss: "fail",
        afterRefusal: "safe",
        callId: "true",
        tasks: "never",
        maxInFlight: "7",
        concurrency: "6",
        maxWaiting: "8",
        progressInterval: "1 minute"
      },
      lifecycle: { lazy: "true", idleRelease: "1 minute", disabled: "true" },
      discovery: {
        mode: "learn",
        refreshInterval: "1 minute",
        minRefreshInterval: "1 second",
        maxPages: "7",
        maxEntries: "8",
        maxDepth: "90"
      }
    }
    const { tools, ...groups } = yield* read(
      Object.entries(other).flatMap(([group, options]) =>
        Object.entries(options).map(([name, value]) => [`docs.${group}.${name}`, value] as const)
      )
    )
    expect(tools).toEqual([])
    const decoded: Record<string, Record<string, unknown>> = groups
    for (const [group, options] of Object.entries(Policy.defaults)) {
      for (const [name, value] of Object.entries(options)) {
        if (name !== "toolArguments") {
          expect(decoded[group]?.[name], `${group}.${name}`).not.toEqual(value)
        }
      }
    }
    expect(Object.values(other).flatMap(Object.keys)).toHaveLength(
      Object.entries(decoded).flatMap(([, one]) => Object.keys(one)).filter((name) => name !== "toolArguments").length
    )
  })

  for (
    const [field, options] of [
      ["waitTimeout", { waitTimeout: "soon" as never }],
      ["waitTimeout", { waitTimeout: -1 }],
      ["waitTimeout", { waitTimeout: "-5 seconds" as never }],
      ["timeouts.wait", { defaults: { timeouts: { wait: "-5 seconds" as never } } }],
      ["keepalive.interval", { defaults: { keepalive: { interval: 0 } } }]
    ] as const
  ) {
    test.scoped(`an empty fleet refuses ${JSON.stringify(options)}`, function*() {
      const error = yield* Effect.flip(Fleet.make({ backends: {}, ...options }))
      expect(error).toMatchObject({ _tag: "InvalidOptions", backend: "fleet", field })
    })
  }

  it.effect("[K5] layerConfig takes its options from the configuration", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      yield* within(
        configured(script),
        Effect.gen(function*() {
          const docs = yield* Docs
          expect((yield* docs.status).state).toBe("Idle")
          yield* docs.ping()
        })
      )
      expect(script.ledger.closed).toEqual([0])
    }).pipe(given([["DOCS_LAZY", "true"], ["DOCS_INTERVAL", "30 seconds"]])))

  test.effect("[K5] layerConfig tells a value that is missing from one that is not acceptable", function*() {
    const script = ScriptedConnector.make()
    const missing = yield* refusal(Docs, configured(script)).pipe(given([]))
    expect(String(missing)).toContain("DOCS_INTERVAL")
    const refused = yield* refusal(Docs, configured(script)).pipe(given([["DOCS_INTERVAL", "soon"]]))
    expect(refused).toMatchObject({ _tag: "InvalidOptions", field: "keepalive.interval" })
    expect((refused as InvalidOptions).message).toContain('"soon"')
    expect(script.ledger.entries).toEqual([])
  })
})

describe("Fleet.layer", () => {
  const scripts = () => {
    const docs = ScriptedConnector.make()
    const files = ScriptedConnector.make()
    files.offer = { ...files.offer, tools: [tool("read")] }
    return { docs, files, all: [docs, files] }
  }

  const use = Effect.gen(function*() {
    const fleet = yield* Fleet.Fleet
    yield* fleet.ready
    yield* fleet.callTool({ name: "files__read" })
    return [...(yield* fleet.catalog).tools.keys()]
  })

  test.effect("[L6:virtual] its backends begin with the layer and are closed with it", function*() {
    const { all, docs, files } = scripts()
    const names = yield* within(
      Fleet.layer({ backends: { docs: { connector: docs }, files: { connector: files } } }),
      use
    )
    expect(names.toSorted()).toEqual(["docs__echo", "files__read"])
    expect(all.map(({ ledger }) => [ledger.attempts.length, ledger.closed, ledger.faults])).toEqual([
      [1, [0], []],
      [1, [0], []]
    ])
  })

  test.effect("[K5] everything that is wrong with the options of a fleet is in one error, and of its backends in one", function*() {
    const { all, docs, files } = scripts()
    const own = { connectConcurrency: -4, waitTimeout: "soon", backend: {} } as object
    const ofFleet = yield* refusal(Fleet.Fleet, Fleet.layer({ backends: { docs: { connector: docs } }, ...own }))
    expect((ofFleet as InvalidOptions).problems.map(({ message }) => message)).toEqual([
      "fleet: connectConcurrency is -4; accepted: a whole number of at least 1",
      'fleet: waitTimeout is "soon"; accepted: 0 ms to 24 h, as milliseconds or as a text such as "5s" or "5 minutes"',
      'fleet: backend is not an option of a fleet; did you mean "backends"?'
    ])
    const ofBackends = yield* refusal(
      Fleet.Fleet,
      Fleet.layer({
        backends: {
          docs: { connector: docs, keepalive: { interval: 1 }, timeouts: { wait: -1 } },
          files: { connector: files, calls: { maxInFlight: 0 } }
        }
      })
    )
    expect((ofBackends as InvalidOptions).message).toBe(
      "3 options are not accepted:\n- docs: keepalive.interval is 1; accepted: 1 s to 24 h\n"
        + "- docs: timeouts.wait is -1; accepted: 0 ms to 24 h\n"
        + "- files: calls.maxInFlight is 0; accepted: a whole number from 1 to 1000000"
    )
    expect(all.flatMap(({ ledger }) => ledger.attempts)).toEqual([])
  })

  test.effect("two backends of one name, and one without, are refused", function*() {
    const { docs, files } = scripts()
    for (
      const backends of [[{ id: "docs", connector: docs }, { id: "docs", connector: files }], [{
        id: "",
        connector: docs
      }]]
    ) {
      expect(yield* refusal(Fleet.Fleet, Fleet.layer({ backends }))).toMatchObject({
        _tag: "InvalidOptions",
        field: "backends"
      })
    }
  })

  test.effect("layerConfig takes its options from the configuration", function*() {
    const { all, docs, files } = scripts()
    const layer = Fleet.layerConfig(Config.all({
      backends: Config.succeed({ docs: { connector: docs }, files: { connector: files } }),
      connectConcurrency: Config.integer("CONNECTS")
    }))
    const some = (connects: string) =>
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["CONNECTS", connects]])))
    yield* within(layer, use).pipe(some("1"))
    expect(all.flatMap(({ ledger }) => ledger.closed)).toEqual([0, 0])
    expect(yield* refusal(Fleet.Fleet, layer).pipe(some("0"))).toMatchObject({ field: "connectConcurrency" })
    expect(String(yield* refusal(Fleet.Fleet, layer).pipe(some("many")))).toContain("CONNECTS")
  })

  it.effect("an empty fleet is ready and has an empty catalogue", () =>
    within(
      Fleet.layer({ backends: {} }),
      Effect.gen(function*() {
        const fleet = yield* Fleet.Fleet
        yield* fleet.ready
        expect((yield* fleet.catalog).tools.size).toBe(0)
        expect(yield* fleet.status).toEqual({})
      })
    ))
})

describe("a Layer for each runtime", () => {
  class Prefix extends Context.Tag("Prefix")<Prefix, string>() {}
  class Own extends Context.Tag("Own")<Own, true>() {}

  it.scoped("[K22 L5 L17] is built beside the calls of each connection, with the program's services, and released before its close", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make({ overlap: false })
      const told: Array<string> = []
      const tell = (what: string) => Effect.sync(() => told.push(what))
      const live = (what: string) => Effect.acquireRelease(tell(`${what} begins`), () => tell(`${what} ends`))
      const extension: Extension.Extension<Own, true> = {
        tag: Own,
        install: () =>
          Effect.succeed({ service: true, runtime: ({ generation }) => Layer.scopedDiscard(live(`own ${generation}`)) })
      }
      const runtime = ({ generation, request }: Backend.Session) =>
        Layer.scopedDiscard(
          Effect.gen(function*() {
            yield* live(`${yield* Prefix} ${generation}`)
            yield* request("ping", undefined)
            if (generation === 3) return yield* Effect.die("broken on purpose")
          }).pipe(Effect.orDie)
        )
      const backend = yield* Backend.make("one", { connector: script, runtime, extensions: [extension] })
      yield* TestClock.adjust(0)
      script.current.lose()
      yield* TestClock.adjust("1 second")
      yield* backend.reconnect
      yield* TestClock.adjust(0)
      yield* backend.callTool({ name: "echo" })
      const during = (generation: number) => [`a ${generation} begins`, `own ${generation} begins`]
      const after = (generation: number) => [`own ${generation} ends`, `a ${generation} ends`]
      const each = [during(1), after(1), during(2), after(2), during(3)]
      expect(told.slice(0, 11).toSorted()).toEqual([...each, "a 3 ends"].flat().toSorted())
      yield* backend.disable
      expect(told.slice(11)).toEqual(["own 3 ends"])
      expect(script.ledger.sent("ping")).toHaveLength(3)
    }).pipe(Effect.provideService(Prefix, "a")))
})
