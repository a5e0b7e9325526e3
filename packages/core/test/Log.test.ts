import { assert, describe, it } from "@effect/vitest"
import { Backend, Event, Fleet, Log } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, HashMap, Logger, LogLevel, Scope, Stream, TestClock } from "effect"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { runUntilIdle } from "./support/Watched.js"

interface Line {
  readonly level: string
  readonly message: string
  readonly annotations: Readonly<Record<string, unknown>>
}

const recorder = () => {
  const lines: Array<Line> = []
  const logger = Logger.make(({ annotations, logLevel, message }) => {
    lines.push({
      level: logLevel.label,
      message: String(Array.isArray(message) ? message[0] : message),
      annotations: Object.fromEntries(HashMap.toEntries(annotations))
    })
  })
  const layer = Logger.replace(Logger.defaultLogger, logger)
  return { lines, layer, of: (event: string) => lines.filter(({ annotations }) => annotations["event"] === event) }
}

const lost = (backend: string) =>
  Event.Event.RuntimeLost({ backend, at: 0, generation: 1, loss: { kind: "closed", message: "gone" }, uptime: 1 })

const everything = Logger.withMinimumLogLevel(LogLevel.Debug)

const followed = (
  script: ScriptedConnector.ScriptedConnector,
  options: Omit<Backend.BackendOptions, "connector"> = {}
) =>
  Effect.gen(function*() {
    const backend = yield* Backend.make("one", { connector: script, keepalive: { method: "none" }, ...options })
    const count = { events: 0 }
    yield* Effect.forkScoped(Stream.runForEach(backend.events, () => Effect.sync(() => count.events++)))
    yield* Log.follow(backend)
    return { backend, count }
  })

describe("the log", () => {
  it.effect("[L7, L8] a close that is given up is warned of, once, and an event that does not apply is told at debug", () => {
    mayLeave("connections")
    const { layer, lines } = recorder()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const script = ScriptedConnector.make()
      script.otherwise = { close: "never" }
      const { backend } = yield* Scope.extend(followed(script), scope)
      yield* runUntilIdle
      const disconnecting = yield* Effect.fork(backend.disconnect)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(disconnecting)
      yield* backend.disconnect
      yield* runUntilIdle
      const said = (level: string, text: RegExp) => lines.filter((one) => one.level === level && text.test(one.message))
      assert.strictEqual(said("WARN", /closing generation 1 was abandoned: close did not end within 5000 ms/).length, 1)
      assert.strictEqual(said("DEBUG", /Disconnect does not apply in Disconnected/).length, 1)
      yield* Scope.close(scope, Exit.void)
    }).pipe(everything, Effect.provide(layer))
  })

  it.effect("[O3] one line an event, with what a machine reads in annotations", () => {
    const { layer, lines } = recorder()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const script = ScriptedConnector.make().failNext(1)
      const { count } = yield* Scope.extend(followed(script), scope)
      yield* runUntilIdle
      yield* TestClock.adjust("2 seconds")
      script.current.lose({ kind: "closed", message: "exit code 1" })
      yield* runUntilIdle
      yield* Scope.close(scope, Exit.void)
      const ours = lines.filter(({ annotations }) => annotations["event"] !== undefined)
      const written = ours.reduce((sum, { annotations }) => sum + Number(annotations["repeats"] ?? 1), 0)
      assert.isAbove(count.events, 5)
      assert.strictEqual(written, count.events)
      const lost = ours.find(({ annotations }) => annotations["event"] === "RuntimeLost")
      assert.strictEqual(lost?.level, "WARN")
      assert.deepInclude(lost?.annotations, { backend: "one", generation: 1, kind: "closed" })
      assert.include(lost?.message, "exit code 1")
    }).pipe(everything, Effect.provide(layer))
  })

  it.effect("[O3] the level is by consequence", () => {
    const { layer, of } = recorder()
    return Effect.gen(function*() {
      const script = ScriptedConnector.make().failNext(1, { reason: "refused" })
      script.script({ connect: "open" })
      const { backend } = yield* followed(script)
      yield* runUntilIdle
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(of("AttemptFailed").map(({ level }) => level), ["WARN"])
      assert.deepStrictEqual(of("Installed").map(({ level }) => level), ["INFO"])
      script.current.lose()
      yield* runUntilIdle
      assert.deepStrictEqual(of("RuntimeLost").map(({ level }) => level), ["WARN"])
      yield* backend.disable
      yield* runUntilIdle
      assert.strictEqual(of("StateChanged").find(({ annotations }) => annotations["to"] === "Disabled")?.level, "INFO")
    }).pipe(everything, Effect.provide(layer), Effect.scoped)
  })

  it.effect("[O3] a permanent failure is an error", () => {
    const { layer, of } = recorder()
    return Effect.gen(function*() {
      const script = ScriptedConnector.make().failNext(1, { reason: "spawn", permanent: true })
      yield* followed(script)
      yield* runUntilIdle
      assert.deepStrictEqual(of("AttemptFailed").map(({ level }) => level), ["ERROR"])
      assert.deepStrictEqual(
        of("StateChanged").map(({ annotations, level }) => [annotations["to"], level]),
        [["PermanentlyFailed", "ERROR"]]
      )
    }).pipe(everything, Effect.provide(layer), Effect.scoped)
  })

  it.effect("[O3] a backend that flaps does not flood: its repeats are counted, none is lost", () => {
    const { layer, lines, of } = recorder()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const script = ScriptedConnector.make()
      script.otherwise = { loseAfter: 11_000 }
      const reconnect = { initialDelay: 1000, stableAfter: 10_000 }
      const { count } = yield* Scope.extend(followed(script, { reconnect }), scope)
      yield* runUntilIdle
      yield* TestClock.adjust("16 minutes")
      const losses = script.ledger.attempts.length - 1
      assert.isAbove(losses, 75)
      // Five lines at once, and then after 1, 2, 4 and 8 minutes.
      for (const kind of ["RuntimeLost", "Installed"]) {
        assert.isAtLeast(of(kind).length, 8)
        assert.isAtMost(of(kind).length, 10)
      }
      assert.isBelow(lines.length, count.events / 3)
      assert.match(of("RuntimeLost").at(-1)?.message ?? "", /\(\d+ times in \d+m; now \w+\)$/)
      yield* Scope.close(scope, Exit.void)
      const written = lines.reduce(
        (sum, { annotations }) => sum + (annotations["event"] === undefined ? 0 : Number(annotations["repeats"] ?? 1)),
        0
      )
      assert.strictEqual(written, count.events)
    }).pipe(everything, Effect.provide(layer))
  })

  it("[O3] what goes on for days is told once an hour", () => {
    const repeats = new Log.Repeats(60_000, 1)
    const day = 86_400_000
    let due: Parameters<typeof repeats.end>[0] | undefined
    const printed: Array<number> = []
    for (let now = 0; now < 3 * day; now += 5000) {
      if (due !== undefined && now >= due.until) {
        if (repeats.end(due, now) !== undefined) printed.push(now)
        due = undefined
      }
      const { counted, print } = repeats.take(lost("one"), now)
      if (print !== undefined) printed.push(now)
      due = counted ?? due
    }
    assert.deepStrictEqual(printed.slice(0, 4), [0, 60_000, 180_000, 420_000])
    assert.isAtMost(printed.filter((at) => at >= day).length, 48)
    assert.isAtLeast(printed.filter((at) => at >= day).length, 47)
  })

  it.effect("[O3] after a quiet time the first line is written at once again", () => {
    const { layer, of } = recorder()
    return Effect.gen(function*() {
      const script = ScriptedConnector.make()
      yield* followed(script)
      yield* runUntilIdle
      for (const lines of [1, 2, 3]) {
        script.current.lose()
        yield* runUntilIdle
        assert.strictEqual(of("RuntimeLost").length, lines)
        yield* TestClock.adjust("3 minutes")
      }
    }).pipe(everything, Effect.provide(layer), Effect.scoped)
  })

  it("[O3] names that come and go are forgotten; those that stay are not", () => {
    const repeats = new Log.Repeats(60_000, 1)
    const moved = (backend: string, from: "Connected" | "Connecting", to: "Connected" | "Closed") =>
      Event.Event.StateChanged({ backend, at: 0, from, to, generation: 1 })
    repeats.take(moved("stays", "Connecting", "Connected"), 0)
    for (let i = 0; i < 10_000; i++) {
      repeats.take(moved(`b${i}`, "Connecting", "Connected"), i * 1000)
      repeats.take(lost(`b${i}`), i * 1000)
      repeats.take(moved(`b${i}`, "Connected", "Closed"), i * 1000)
    }
    assert.isBelow(repeats.size, 500)
    const now = 20_000_000
    repeats.take(lost("stays"), now)
    const { counted } = repeats.take(lost("stays"), now)
    assert.include(repeats.end(counted!, now + 60_000)?.message, "now Connected")
  })

  for (const count of [1, 5, 300]) {
    it.effect(`[O3] who follows ${count} new backends reads of their first attempts`, () => {
      const { layer, of } = recorder()
      return Effect.gen(function*() {
        const backends = Array.from({ length: count }, (_, i) => ({ id: `b${i}`, connector: ScriptedConnector.make() }))
        const fleet = yield* Fleet.make({ backends, connectConcurrency: count })
        yield* Log.follow(fleet)
        const backend = yield* Backend.make("alone", { connector: ScriptedConnector.make() })
        yield* Log.follow(backend)
        yield* runUntilIdle
        const names = [...backends.map(({ id }) => id), "alone"]
        for (const event of ["AttemptStarted", "Installed"]) {
          assert.sameMembers(of(event).map(({ annotations }) => annotations["backend"]), names)
        }
      }).pipe(everything, Effect.provide(layer), Effect.scoped)
    })
  }

  it("[O3] backends and kinds are counted apart", () => {
    const repeats = new Log.Repeats(60_000, 1)
    assert.isDefined(repeats.take(lost("one"), 0).print)
    assert.isDefined(repeats.take(lost("two"), 0).print)
    assert.isDefined(repeats.take(Event.Event.AttemptStarted({ backend: "one", at: 0, attempt: 1 }), 0).print)
    assert.isUndefined(repeats.take(lost("one"), 59_999).print)
    assert.deepStrictEqual(
      repeats.endAll(60_000).map(({ annotations }) => [annotations["backend"], annotations["repeats"]]),
      [
        ["one", 1]
      ]
    )
  })
})
