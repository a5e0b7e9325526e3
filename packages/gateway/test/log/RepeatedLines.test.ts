import { describe, expect, it } from "@effect/vitest"
import { ConnectError, type Event } from "@mcp-lifeline/core"
import { Effect, Exit, Scope, TestClock } from "effect"
import * as Record from "../../src/http-api/Record.js"
import type * as EventLog from "../../src/log/EventLog.js"
import * as RepeatedLines from "../../src/log/RepeatedLines.js"
import { span } from "../../src/text/Text.js"

const make = Effect.gen(function*() {
  const clock = yield* Effect.clock
  const lines: Array<EventLog.Entry> = []
  const record = yield* Record.make((line) => Effect.sync(() => void lines.push(line)))
  const client = (server = "own", pid = 4242) => {
    const state = "Connecting" as const
    const connection = () => ({ peer: { pid } }) as never
    const source = { id: server, transport: "stdio", state, clock, connection }
    const { event } = record.telemetry("per-client").observe(source)
    const tell = (one: object): void =>
      event({ backend: server, at: clock.unsafeCurrentTimeMillis(), generation: 1, ...one } as Event.Event)
    return {
      connects: () => {
        tell({ _tag: "Installed" })
        tell({ _tag: "StateChanged", from: "Connecting", to: "Connected" })
      },
      loses: () => {
        tell({ _tag: "RuntimeLost", loss: { kind: "closed", message: "it exited" } })
        tell({ _tag: "StateChanged", from: "Connected", to: "Reconnecting" })
      },
      fails: (message: string, permanent = false) => {
        const error = new ConnectError({ backend: server, reason: "spawn", permanent, message })
        tell({ _tag: "AttemptFailed", error, nextAttemptAt: undefined })
      },
      leaves: () => tell({ _tag: "StateChanged", from: "Connected", to: "Closed" })
    }
  }
  const news = () => lines.splice(0).map(({ level, server, text }) => `${server} ${level}: ${text}`)
  return { client, news }
})

describe("lines about servers of which each client has its own", () => {
  it.scoped("[G15] [G16] what happens to a client's server is a line at once, which names its runtime", () =>
    Effect.gen(function*() {
      const { client, news } = yield* make
      client("other")
      const [one, two] = [client(), client()]
      one.connects()
      one.loses()
      two.fails("cannot start")
      one.fails("does not exist", true)
      one.leaves()
      expect(news()).toEqual([
        "own info: runtime 1  Connected  generation 1  pid 4242",
        "own warning: runtime 1  Lost  generation 1  it exited",
        "own warning: runtime 2  Attempt failed  cannot start",
        "own error: runtime 1  Attempt failed  does not exist",
        "own info: runtime 1  Closed"
      ])
      yield* TestClock.adjust("1 hour")
      expect(news()).toEqual([])
      two.loses()
      expect(news()).toEqual(["own warning: runtime 2  Lost  generation 1  it exited"])
    }))

  it.scoped("[G16] [O3] of what follows within a short time, one line says how often it happened, whatever its words", () =>
    Effect.gen(function*() {
      const { client, news } = yield* make
      const all = Array.from({ length: 100 }, () => client())
      for (const [i, one] of all.entries()) one.fails(`process ${i} exited`)
      client("other").fails("it exited")
      expect(news()).toEqual([
        "own warning: runtime 1  Attempt failed  process 0 exited",
        "other warning: runtime 1  Attempt failed  it exited"
      ])
      yield* TestClock.adjust(1999)
      expect(news()).toEqual([])
      yield* TestClock.adjust(1)
      expect(news()).toEqual(["own warning: runtime 100  Attempt failed  process 99 exited  (99 times in 2 s)"])
    }))
})

const repeated = Effect.gen(function*() {
  const clock = yield* Effect.clock
  const written: Array<readonly [at: number, text: string]> = []
  const take = yield* RepeatedLines.make(({ at, text }) => Effect.sync(() => void written.push([at, text])))
  const say = (...kinds: ReadonlyArray<string>): void => {
    for (const kind of kinds) {
      take(kind, { at: clock.unsafeCurrentTimeMillis(), server: null, level: "info", text: kind })
    }
  }
  return { say, news: () => written.splice(0) }
})

describe("repeated lines", () => {
  it.scoped("[O3:virtual] of lines without end one is written after 2 s, then after twice as long each time, up to five minutes", () =>
    Effect.gen(function*() {
      const { news, say } = yield* repeated
      say("x")
      expect(news()).toEqual([[0, "x"]])
      let at = 0
      for (const seconds of [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
        say("x", "x", "x")
        yield* TestClock.adjust(seconds * 1000 - 1)
        expect(news()).toEqual([])
        yield* TestClock.adjust(1)
        at += seconds * 1000
        expect(news()).toEqual([[at, `x  (3 times in ${span(seconds * 1000)})`]])
      }
    }))

  it.scoped("[O3:virtual] each kind is counted for itself, and a single line is written as it is", () =>
    Effect.gen(function*() {
      const { news, say } = yield* repeated
      say("x", "y", "x", "y", "y")
      expect(news()).toEqual([[0, "x"], [0, "y"]])
      yield* TestClock.adjust(2000)
      expect(news().toSorted()).toEqual([[2000, "x"], [2000, "y  (2 times in 2 s)"]])
      // A line that comes after a window without one is the first of a longer window.
      yield* TestClock.adjust(4000)
      say("x", "x", "x")
      expect(news()).toEqual([[6000, "x"]])
      yield* TestClock.adjust(7999)
      expect(news()).toEqual([])
      yield* TestClock.adjust(1)
      expect(news()).toEqual([[14_000, "x  (2 times in 8 s)"]])
    }))

  it.scoped.each([[59_999, 4000], [60_000, 2000]] as const)(
    "[O3:virtual] after %d ms without a line, a window that was quiet for so long is followed by one of %d ms",
    ([quiet, window]) =>
      Effect.gen(function*() {
        const { news, say } = yield* repeated
        say("x")
        yield* TestClock.adjust(2000 + quiet)
        say("x", "x", "x")
        expect(news()).toEqual([[0, "x"], [2000 + quiet, "x"]])
        yield* TestClock.adjust(window - 1)
        expect(news()).toEqual([])
        yield* TestClock.adjust(1)
        expect(news()).toEqual([[2000 + quiet + window, `x  (2 times in ${window / 1000} s)`]])
      })
  )

  it.scoped("[O3:virtual] what was forgotten is the quiet time alone, not the lines that have come since", () =>
    Effect.gen(function*() {
      const { news, say } = yield* repeated
      say("x")
      yield* TestClock.adjust(2000 + 59_999)
      say("x", "x")
      yield* TestClock.adjust(1)
      say("x")
      expect(news()).toEqual([[0, "x"], [61_999, "x"]])
      yield* TestClock.adjust(3999)
      expect(news()).toEqual([[65_999, "x  (2 times in 4 s)"]])
    }))

  it.effect("[O3:virtual] closing writes what is counted, in a line for each kind, and nothing later", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { news, say } = yield* Scope.extend(repeated, scope)
      say("x", "x", "x", "y", "y", "z")
      yield* TestClock.adjust(500)
      expect(news()).toEqual([[0, "x"], [0, "y"], [0, "z"]])
      yield* Scope.close(scope, Exit.void)
      expect(news()).toEqual([[500, "x  (2 times in 1 s)"], [500, "y"]])
      yield* TestClock.adjust("1 hour")
      expect(news()).toEqual([])
    }))
})
