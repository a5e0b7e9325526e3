import { Backend, type Event, Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Stream, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { runUntilIdle } from "./support/Watched.js"

const keepalive = { method: "none" } as const

const busy = Effect.repeatN(Effect.yieldNow(), 100)

const lazy = { lifecycle: { lazy: true } }

const doors = {
  "a backend": (connector: ScriptedConnector.ScriptedConnector, options = {}) =>
    Effect.map(Backend.make("one", { connector, keepalive, ...options }), (backend) => ({ backend, source: backend })),
  "a fleet": (connector: ScriptedConnector.ScriptedConnector, options = {}) =>
    Effect.gen(function*() {
      const fleet = yield* Fleet.make({ backends: { one: { connector, keepalive, ...options } } })
      return { backend: yield* fleet.backend("one"), source: fleet }
    }),
  "a backend of a fleet": (connector: ScriptedConnector.ScriptedConnector, options = {}) =>
    Effect.gen(function*() {
      const fleet = yield* Fleet.make({ backends: { one: { connector, keepalive, ...options } } })
      const backend = yield* fleet.backend("one")
      return { backend, source: backend }
    })
}

const reading = ({ events }: { readonly events: Stream.Stream<Event.Event> }) =>
  Effect.gen(function*() {
    const tags: Array<string> = []
    yield* Effect.forkScoped(Stream.runForEach(events, ({ _tag }) => Effect.sync(() => tags.push(_tag))))
    return tags
  })

const connected = ["AttemptStarted", "StateChanged", "KeepaliveChanged", "Installed", "CatalogChanged"]

describe.each(Object.entries(doors))("the events of %s", (_, make) => {
  test.scoped("[O3] reach all readers that begin before the first attempt has ended, however busy their programs are", function*() {
    const script = ScriptedConnector.make().script({ after: 1000 })
    const { source } = yield* make(script)
    yield* busy
    const first = yield* reading(source)
    yield* TestClock.adjust(999)
    const second = yield* reading(source)
    yield* runUntilIdle
    expect([first, second]).toEqual([["AttemptStarted"], ["AttemptStarted"]])
    yield* TestClock.adjust(1)
    expect([first, second]).toEqual([connected, connected])
  })

  test.scoped("[O3] reach those that begin at once also if the server answers at once", function*() {
    const { source } = yield* make(ScriptedConnector.make())
    const tags = yield* reading(source)
    yield* runUntilIdle
    expect(tags).toEqual(connected)
  })

  test.scoped("[O3] of a lazy one begin with its first attempt, whenever that is", function*() {
    const { backend, source } = yield* make(ScriptedConnector.make().script({ after: 1000 }), lazy)
    yield* TestClock.adjust("1 hour")
    yield* Effect.fork(backend.enable)
    yield* busy
    const tags = yield* reading(source)
    yield* TestClock.adjust(1000)
    expect(tags).toEqual(["StateChanged", ...connected])
  })

  const listing = (answer: ScriptedConnector.Answer) => {
    const script = ScriptedConnector.make()
    script.respond = (method) => method === "tools/list" ? answer : undefined
    return script
  }
  const throwing = {
    answer: "result",
    result: {
      tools: [{
        get name() {
          throw new Error("not a value")
        }
      }]
    }
  } as const
  const firsts = {
    "its first attempt has succeeded": () => ScriptedConnector.make(),
    "its first attempt has failed": () => ScriptedConnector.make().script({ connect: "fail" }),
    "its connection was lost before it gave its lists": () => listing({ answer: "never" }),
    "its lists throw when they are read": () => listing(throwing)
  }
  for (const [how, first] of Object.entries(firsts)) {
    test.scoped(`[O3 L19] that came before are not read any more once ${how}`, function*() {
      const script = first()
      const { backend, source } = yield* make(script)
      yield* busy
      if (how.includes("lost")) script.connections[0]!.lose()
      yield* backend.firstOutcome
      yield* runUntilIdle
      const tags = yield* reading(source)
      yield* runUntilIdle
      expect(tags).toEqual([])
      yield* Effect.fork(backend.reconnect)
      yield* runUntilIdle
      expect(tags).toContain("AttemptStarted")
    })
  }
})

test.scoped("[O3] a new backend of a fleet is in the fleet when its first event is read", function*() {
  const one = { connector: ScriptedConnector.make(), keepalive }
  const fleet = yield* Fleet.make({ backends: { one } })
  yield* fleet.ready
  const found: Array<string> = []
  yield* Effect.forkScoped(
    Stream.runForEach(
      fleet.events,
      ({ _tag, backend }) =>
        Effect.map(Effect.option(fleet.backend(backend)), (member) => found.push(`${backend} ${_tag} ${member._tag}`))
    )
  )
  yield* runUntilIdle
  yield* fleet.apply({ one, two: { connector: ScriptedConnector.make(), keepalive } })
  yield* runUntilIdle
  expect(found).toEqual(connected.map((tag) => `two ${tag} Some`))
})
