import type { Event } from "@mcp-lifeline/core"
import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber, Option, Stream } from "effect"
import { everything } from "../../testing/test/support/Built.js"
import * as Heartbeats from "../../testing/test/support/Heartbeats.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Pause from "./Pause.js"
import { ask, connected, erasBySize, livingIn, reconnect, serverOf } from "./support.js"

type RuntimeLost = Extract<Event.Event, { readonly _tag: "RuntimeLost" }>

/** The next loss; the subscription stands when this is returned. */
const nextLoss = (backend: Backend.Backend) =>
  Effect.gen(function*() {
    const fiber = yield* backend.events.pipe(
      Stream.filter((event): event is RuntimeLost => event._tag === "RuntimeLost"),
      Stream.runHead,
      Effect.map(Option.getOrThrow),
      Effect.fork
    )
    yield* Effect.yieldNow()
    return fiber
  })

const suite = (era: typeof erasBySize[number]): void => {
  const server = serverOf(era)

  it.scopedLive.skipIf(era === "2026")(
    "[K1:real, K4:real] the reference server answers the heartbeats of each connection, and none sends none",
    () =>
      Heartbeats.beats(StdioConnector.make({
        command: process.execPath,
        args: [everything, "stdio"],
        stdinGrace: "100 millis"
      }))
  )

  test.scopedLive("[K11:real, S7] a stopped process is found by failureThreshold rounds, not before, and killed and replaced", function*() {
    // What the process answers before it is stopped, it answers in time on a busy machine, too.
    const keepalive = { interval: 1_000, timeout: 1_000, suspectInterval: 100, failureThreshold: 4 }
    const backend = yield* Backend.make("stopped", {
      connector: StdioConnector.make(server({ ignoreTerm: true }, { stdinGrace: 100, termGrace: 100 })),
      keepalive,
      reconnect
    })
    const pid = yield* connected(backend)
    yield* backend.firstOutcome
    const loss = yield* nextLoss(backend)
    const stoppedAt = Date.now()
    Pause.stop(pid)
    const { at, generation, loss: { kind } } = yield* Fiber.join(loss)
    assert.deepStrictEqual([generation, kind], [1, "keepalive"])
    const round = keepalive.timeout + keepalive.suspectInterval
    // One verdict needs all its rounds; timers are a little early now and then.
    assert.isAtLeast(at - stoppedAt, (keepalive.failureThreshold - 1) * round - 50)
    const next = yield* connected(backend, 2)
    assert.notStrictEqual(next, pid)
    assert.deepStrictEqual(livingIn(pid), [])
    assert.strictEqual(yield* ask(backend, "pid"), String(next))
  })

  test.scopedLive("[H4:real] a process that is stopped costs each of many callers one failed call at most", function*() {
    const backend = yield* Backend.make("wedged", {
      connector: StdioConnector.make(server({ ignoreTerm: true }, { stdinGrace: 100, termGrace: 100 })),
      keepalive: { method: "none", timeout: 200, suspectInterval: 100 },
      reconnect
    })
    const pid = yield* connected(backend)
    yield* backend.firstOutcome
    Pause.stop(pid)
    // Longer than three probes and what lies between them.
    const call = ask(backend, "pid", {}, { timeout: 60_000, idempotent: true })
    const failed: Array<string> = []
    const caller = Effect.retry(Effect.tapError(call, ({ _tag }) => Effect.sync(() => failed.push(_tag))), {
      times: 9
    })
    const answers = yield* Effect.all(Array.from({ length: 5 }, () => caller), { concurrency: "unbounded" })
    const next = yield* connected(backend, 2)
    assert.deepStrictEqual(answers, Array.from({ length: 5 }, () => String(next)))
    assert.isAtMost(failed.length, 5)
    assert.isEmpty(failed.filter((tag) => tag !== "RequestTimeout"))
  })
}

// One era after the other: a machine has only so many processes.
for (const era of erasBySize) {
  describe(`era ${era}`, () => {
    describe.concurrent("keepalive over stdio", () => {
      suite(era)
    })
  })
}
