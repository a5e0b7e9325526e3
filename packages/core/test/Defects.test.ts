import { Backend, RequestError, Telemetry } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Logger, LogLevel, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { startBackend } from "../src/backend/start.js"
import { runUntilIdle, watched } from "./support/Watched.js"

const broken = (): never => {
  throw new Error("broken on purpose")
}

const breakingLogger = (at: string) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => {
    const line = [message].flat().map(String).join(" ")
    if (line.includes(at)) broken()
    lines.push(line)
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

const obeys = (backend: Backend.Backend) =>
  Effect.gen(function*() {
    yield* runUntilIdle
    expect((yield* backend.status).state).toBe("Connected")
    for (const command of [backend.reconnect, backend.disable, backend.enable, backend.disconnect, backend.reconnect]) {
      const running = yield* Effect.fork(command)
      yield* TestClock.adjust("1 second")
      expect(running.unsafePoll()).toEqual(Exit.void)
    }
    yield* backend.callTool({ name: "echo" })
  })

describe("what others gave us throws", () => {
  const occasions = {
    "keepalive is off": () => Effect.void,
    "does not apply in": ({ backend }: { readonly backend: Backend.Backend }) =>
      Effect.zipRight(Effect.repeatN(backend.disconnect, 1), backend.reconnect),
    "closing generation": ({ backend, script }: {
      readonly backend: Backend.Backend
      readonly script: ScriptedConnector.ScriptedConnector
    }) => Effect.zipRight(Effect.sync(() => script.script({ close: "die" })), Effect.repeatN(backend.reconnect, 1)),
    "not restored": ({ backend, script }: {
      readonly backend: Backend.Backend
      readonly script: ScriptedConnector.ScriptedConnector
    }) =>
      Effect.gen(function*() {
        yield* backend.setLoggingLevel("info")
        const error = new RequestError({ fate: "answered", reason: "remote", message: "no such level" })
        script.respond = (method) => method === "logging/setLevel" ? { answer: "error", error } : undefined
      })
  }

  for (const [at, occasion] of Object.entries(occasions)) {
    it.scoped(`[L19:virtual] a logger, at "${at}": the backend goes on, and the loss of the line is logged`, () => {
      const { layer, lines } = breakingLogger(at)
      return Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const { backend } = yield* watched(script)
        yield* runUntilIdle
        yield* Effect.ignore<void, unknown, never>(occasion({ backend, script }))
        yield* obeys(backend)
        expect(lines).toContain("A logger threw, and its line is lost. A logger must not throw.")
      }).pipe(Effect.provide(layer), Logger.withMinimumLogLevel(LogLevel.Debug))
    })
  }

  it.scoped("[L19:virtual] an observer, at every event and change: the backend goes on, and it is logged once", () => {
    const { layer, lines } = breakingLogger("nothing")
    return Effect.gen(function*() {
      const observer = { changed: broken, catalogChanged: broken, event: broken }
      const script = ScriptedConnector.make()
      const backend = yield* startBackend("one", { connector: script, keepalive: { method: "none" } }, { observer })
      yield* obeys(backend)
      expect(lines.filter((line) => line.includes("the observer of the backend failed"))).toHaveLength(1)
    }).pipe(Effect.provide(layer))
  })

  it.scoped("[L19:virtual] telemetry, wherever it measures: calls, heartbeats and commands go on", () => {
    const { layer, lines } = breakingLogger("nothing")
    const telemetry: Telemetry.Telemetry = {
      observe: () => ({ hasSpans: false, event: broken, beat: broken, breakerOpened: broken, call: broken })
    }
    return Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script, { keepalive: { method: "ping", interval: "1 minute" } })
      yield* obeys(backend)
      const { id } = script.current
      yield* TestClock.adjust("5 minutes")
      expect(script.ledger.sent("ping", id).length).toBeGreaterThanOrEqual(5)
      expect((yield* backend.status).keepalive.state).toBe("running")
      expect(lines.filter((line) => line.includes("telemetry failed"))).toHaveLength(1)
    }).pipe(Effect.provideService(Telemetry.Current, telemetry), Effect.provide(layer))
  })

  test.scoped("[L19:virtual] a connection whose getters throw: each command is answered", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* watched(script, { keepalive: { interval: "1 minute" } })
    yield* runUntilIdle
    const connect = script.connect
    Object.assign(script, {
      connect: (options: Parameters<typeof connect>[0]) =>
        Effect.map(connect(options), (connection) => Object.defineProperty(connection, "stateful", { get: broken }))
    })
    const running = yield* Effect.fork(Effect.exit(backend.reconnect))
    yield* runUntilIdle
    yield* Fiber.join(running)
    const disable = yield* Effect.fork(backend.disable)
    yield* runUntilIdle
    expect(disable.unsafePoll()).toEqual(Exit.void)
  })
})
