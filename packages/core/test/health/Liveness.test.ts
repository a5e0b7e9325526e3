import { type Connection, type Event, Policy, type ProcessSight } from "@mcp-lifeline/core"
import { type Clock, Effect } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import * as Liveness from "../../src/health/Liveness.js"
import { Runtime } from "../../src/runtime/Runtime.js"
import { BackendState } from "../../src/state/BackendState.js"
import { connected } from "../support/Connected.js"

/** When the server has answered last: far from 0, where an addition would look like a subtraction. */
const start = 1_000_000

const stopped: Partial<ProcessSight> = { isStopped: true }

const examined = Effect.gen(function*() {
  const server = { now: start, shown: {} as Partial<ProcessSight> | "dies" }
  const clock = { unsafeCurrentTimeMillis: () => server.now } as Clock.Clock
  const judged: Array<Event.Event> = []
  const event = (event: Event.Event) => void judged.push(event)
  const observer = { changed: () => {}, catalogChanged: () => {}, event }
  const backend = new BackendState("one", Policy.defaults, clock, { observer })
  const runtime = yield* Runtime.make(1)
  yield* Effect.addFinalizer(() => runtime.closeConnection)
  const look = Effect.suspend(() =>
    server.shown === "dies" ? Effect.die("the file is gone") : Effect.succeed<ProcessSight>({
      isStopped: false,
      isRunning: false,
      cpuTime: 0,
      transferred: 0,
      pids: [1],
      youngest: 1e9,
      ...server.shown
    })
  )
  const connection = { look, fail: () => {} } as unknown as Connection
  runtime.opened(connection, start)
  runtime.answered(start)
  connected(backend, runtime)
  const liveness = Liveness.make(backend)
  const lookAfter = (millis: number, shown = server.shown) =>
    Effect.suspend(() => {
      server.now += millis
      server.shown = shown
      return Liveness.look(liveness, runtime)
    })
  const judge = (isOver = false) => Liveness.verdictOn(liveness, runtime, { isPatienceOver: isOver })
  const kinds = () => judged.flatMap((event) => event._tag === "Judged" ? [event.kind] : [])
  return { backend, connection, judge, kinds, liveness, lookAfter, runtime, server }
})

describe("V1: what is seen of a server in doubt", () => {
  test.scoped("[V1] two sights count if they are 200 ms to 15 s apart, and no others", function*() {
    for (const [apart, counts] of [[199, false], [200, true], [15_000, true], [15_001, false]] as const) {
      const { liveness, lookAfter, runtime } = yield* examined
      yield* lookAfter(0, stopped)
      yield* lookAfter(apart)
      expect([apart, Liveness.suspicionOf(liveness, runtime)?.sights.activity]).toEqual([
        apart,
        counts ? "stopped" : undefined
      ])
    }
  })

  test.scoped("[V1] a look that fails shows nothing, and what was seen before it proves nothing any more", function*() {
    const { judge, liveness, lookAfter, runtime } = yield* examined
    expect(yield* lookAfter(0, stopped)).toBe(true)
    expect(yield* lookAfter(2000)).toBe(true)
    // Also where it comes at once after another one.
    expect(yield* lookAfter(1, "dies")).toBe(false)
    expect(Liveness.suspicionOf(liveness, runtime)?.sights.activity).toBeUndefined()
    expect(yield* lookAfter(1000)).toBe(false)
    yield* lookAfter(1000, stopped)
    expect(Liveness.suspicionOf(liveness, runtime)?.sights.activity).toBeUndefined()
    yield* lookAfter(3999)
    expect(judge().kind).toBe("unknown")
    yield* lookAfter(200)
    expect(judge().kind).toBe("wedged")
  })

  test.scoped("[V1] a connection whose processes cannot be seen shows nothing", function*() {
    const { liveness, runtime } = yield* examined
    runtime.opened({ fail: () => {} } as unknown as Connection, start)
    expect(yield* Liveness.look(liveness, runtime)).toBe(false)
    expect(Liveness.suspicionOf(liveness, runtime)?.sights.activity).toBeUndefined()
  })

  test.scoped("[V1] a question counts from the sight before it on: one that is older may have been read unseen", function*() {
    const { liveness, lookAfter, runtime } = yield* examined
    Liveness.asked(liveness, runtime)
    yield* lookAfter(0)
    yield* lookAfter(2000)
    expect(Liveness.suspicionOf(liveness, runtime)?.sights.activity).toBe("unclear")
    Liveness.asked(liveness, runtime)
    yield* lookAfter(2000)
    expect(Liveness.suspicionOf(liveness, runtime)?.sights.activity).toBe("still")
  })

  test.scoped("[V1] a process that was started since the last answer is waited for, and an older one is not", function*() {
    for (const [youngest, seen] of [[3000, "waits"], [5000, "still"]] as const) {
      const { liveness, lookAfter, runtime } = yield* examined
      yield* lookAfter(2000, { youngest })
      Liveness.asked(liveness, runtime)
      yield* lookAfter(2000)
      expect(Liveness.suspicionOf(liveness, runtime)?.sights.activity).toBe(seen)
    }
  })
})

describe("V1: what is said of a server in doubt", () => {
  test.scoped("[V1] silence alone is published when the patience with it is over; what processes do, at once", function*() {
    const { backend, judge, kinds, lookAfter, runtime } = yield* examined
    const call = { budget: { heardAt: start, questions: 0 } }
    runtime.begin(call)
    expect([judge().kind, backend.published.value.verdict, kinds()]).toEqual(["unknown", undefined, []])
    expect([judge(true).kind, backend.published.value.verdict?.kind, kinds()]).toEqual(["unknown", "unknown", [
      "unknown"
    ]])
    runtime.answered(start)
    expect(backend.published.value.verdict).toBeUndefined()
    yield* lookAfter(0, stopped)
    yield* lookAfter(2000)
    expect([judge().kind, backend.published.value.verdict?.kind]).toEqual(["unknown", "unknown"])
    // It ends with the lease, in a doubt of its own.
    runtime.answered(start)
    runtime.end(start, false, call)
    expect([judge(true).kind, backend.published.value.verdict?.kind]).toEqual(["wedged", "wedged"])
  })

  test.scoped("[V1] a verdict holds since it was found first, and is told once, until another one is found", function*() {
    const { backend, judge, kinds, lookAfter, server } = yield* examined
    yield* lookAfter(0, stopped)
    const first = yield* Effect.map(lookAfter(2000), () => server.now)
    judge()
    yield* lookAfter(1000)
    judge()
    expect([backend.published.value.verdict?.kind, backend.published.value.verdict?.since, kinds()]).toEqual([
      "unknown",
      first,
      ["unknown"]
    ])
    yield* lookAfter(1000)
    judge()
    expect([backend.published.value.verdict?.kind, backend.published.value.verdict?.since]).toEqual([
      "wedged",
      server.now
    ])
    expect(kinds()).toEqual(["unknown", "wedged"])
  })

  test.scoped("[V2] one that has worked, or waited for a process of its own, has the whole patience from then on", function*() {
    const { failureThreshold, suspectInterval } = Policy.defaults.keepalive
    for (const busy of [{ cpuTime: 1 }, { youngest: 1000 }]) {
      const { judge, liveness, lookAfter, runtime } = yield* examined
      yield* lookAfter(1000, { youngest: 1e9 })
      Liveness.asked(liveness, runtime)
      yield* lookAfter(1000, busy)
      expect(judge(true).kind).toBe("busy")
      const steps = failureThreshold * suspectInterval / 5000
      for (let i = 1; i <= steps; i++) {
        yield* lookAfter(i === steps ? 4999 : 5000, { ...busy, youngest: 1e9 })
        expect(judge(true).kind).toBe("unknown")
      }
      yield* lookAfter(1)
      expect(judge(true).kind).toBe("wedged")
    }
  })

  test.scoped("[V2] how long nobody waits for a call counts from the end of its caller's patience, not from 1970", function*() {
    const { health: { busyLimit } } = Policy.defaults
    const { judge, lookAfter, runtime, server } = yield* examined
    const call = { budget: { heardAt: start, questions: 0 } }
    runtime.begin(call)
    yield* lookAfter(0, { cpuTime: 0 })
    let cpuTime = 0
    const work = (millis: number) =>
      Effect.gen(function*() {
        for (let left = millis; left > 0; left -= 10_000) {
          yield* lookAfter(Math.min(left, 10_000), { cpuTime: ++cpuTime })
        }
      })
    yield* work(60_000)
    expect(judge().kind).toBe("busy")
    runtime.end(server.now, false, call)
    yield* work(busyLimit - 1000)
    expect(judge().kind).toBe("busy")
    yield* work(1000)
    expect(judge().kind).toBe("wedged")
  })
})
