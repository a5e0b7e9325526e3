import { assert, describe, it } from "@effect/vitest"
import type { Event } from "@mcp-lifeline/core"
import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber, Option, Stream } from "effect"
import { join } from "node:path"
import { everything } from "../../testing/test/support/Built.js"
import * as Heartbeats from "../../testing/test/support/Heartbeats.js"
import * as Pause from "./Pause.js"
import { ask, connected, erasBySize, eventually, livingIn, reconnect, serverOf, temporary } from "./support.js"

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

  it.scopedLive("[K4:real] none sends nothing, while ping beats", () =>
    Effect.gen(function*() {
      const directory = yield* temporary
      const start = (method: "none" | "ping") =>
        Backend.make(method, {
          connector: StdioConnector.make(server({ journal: join(directory, method) })),
          keepalive: { method, interval: "1 second" }
        })
      const silent = yield* start("none")
      yield* connected(silent)
      yield* silent.firstOutcome
      yield* start("ping")
      const pings = (name: string) => StdioFaultServer.count(join(directory, name), "ping")
      yield* eventually(() => pings("ping") >= 3)
      assert.strictEqual(pings("none"), 0)
      assert.deepInclude((yield* silent.status).keepalive, { state: "off", method: "none" })
      const pid = yield* connected(silent)
      Pause.stop(pid)
      const before = pings("ping")
      yield* eventually(() => pings("ping") >= before + 2)
      assert.deepInclude(yield* silent.status, { state: "Connected", generation: 1 })
      Pause.resume(pid)
      assert.strictEqual(yield* ask(silent, "echo", { text: "still" }), "still")
      assert.strictEqual(pings("none"), 0)
    }))

  // What takes the place of ping in 2026 is what each server of it answers.
  it.scopedLive.skipIf(era === "2026")(
    "[K3:real] where ping is unsupported the tool beats, and the next process is pinged first again",
    () =>
      Effect.gen(function*() {
        const journal = join(yield* temporary, "journal")
        const backend = yield* Backend.make("pingless", {
          connector: StdioConnector.make(server({ journal, ping: "unsupported" })),
          keepalive: { method: "tool:look", toolArguments: { key: "beat" }, interval: "1 second" },
          reconnect
        })
        const events = (pid: number) =>
          StdioFaultServer.journal(journal)
            .filter((entry) => entry.pid === pid && (entry.event === "ping" || entry.event === "call"))
            .map(({ detail, event }) => detail ?? event)
        const first = yield* connected(backend)
        yield* eventually(() => events(first).length >= 3)
        process.kill(first, "SIGKILL")
        const second = yield* connected(backend, 2)
        yield* eventually(() => events(second).length >= 2)
        assert.deepStrictEqual(events(first).slice(0, 3), ["ping", "look", "look"])
        assert.deepStrictEqual(events(second).slice(0, 2), ["ping", "look"])
        assert.deepInclude(yield* backend.status, { generation: 2, healthScore: 1 })
      })
  )

  it.scopedLive("[K11:real, S7] a stopped process is found by failureThreshold rounds, not before, and killed and replaced", () =>
    Effect.gen(function*() {
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
    }))

  const probed = (timeout: number, journal?: string) =>
    Effect.gen(function*() {
      const backend = yield* Backend.make("slow tool", {
        connector: StdioConnector.make(server({ journal, ignoreTerm: true }, { stdinGrace: 100, termGrace: 100 })),
        keepalive: { interval: "1 hour", timeout, failureThreshold: 1 },
        reconnect
      })
      const pid = yield* connected(backend)
      yield* backend.firstOutcome
      return { backend, pid }
    })

  it.scopedLive("[H4:real] calls that time out kill no live session", () =>
    Effect.gen(function*() {
      const journal = join(yield* temporary, "journal")
      const { backend, pid } = yield* probed(30_000, journal)
      for (let index = 0; index < 3; index++) {
        const error = yield* Effect.flip(ask(backend, "silent", {}, { timeout: 50 }))
        assert.strictEqual(error._tag, "RequestTimeout")
        yield* eventually(() => StdioFaultServer.count(journal, "ping") >= index + 1)
        // What may not be sent again waits for the answer to the probe.
        yield* ask(backend, "pid")
      }
      const echo = yield* ask(backend, "pid")
      assert.strictEqual(echo, String(pid))
      assert.deepInclude(yield* backend.status, { state: "Connected", generation: 1, healthScore: 1 })
    }))

  it.scopedLive("[H4:real] the probe after a call that timed out kills a dead one", () =>
    Effect.gen(function*() {
      const { backend, pid } = yield* probed(1_000)
      const loss = yield* nextLoss(backend)
      Pause.stop(pid)
      const error = yield* Effect.flip(ask(backend, "silent", {}, { timeout: 50 }))
      assert.strictEqual(error._tag, "RequestTimeout")
      assert.strictEqual((yield* Fiber.join(loss)).loss.kind, "health")
      assert.strictEqual(yield* ask(backend, "pid"), String(yield* connected(backend, 2)))
      assert.deepStrictEqual(livingIn(pid), [])
    }))

  it.scopedLive("[H4:real] a process that is stopped costs each of many callers one failed call at most", () =>
    Effect.gen(function*() {
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
    }))
}

// One era after the other: a machine has only so many processes.
for (const era of erasBySize) {
  describe(`era ${era}`, () => {
    describe.concurrent("keepalive over stdio", () => {
      suite(era)
    })
  })
}
