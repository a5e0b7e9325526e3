import { Backend, type Event, type Status } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber, Stream } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as UsageSampler from "../src/UsageSampler.js"
import { ask, connected, eras, isAlive, livingIn, reconnect, serverOf, temporary } from "./support.js"

const MB = 1e6
/** In megabytes. On Windows, a Node.js that does nothing has committed a hundred. */
const limit = process.platform === "win32" ? 400 : 200

/** Measures a server with a limit every 50 ms, and others once, until the scope closes. */
const measuring = Effect.acquireRelease(
  Effect.sync(() => {
    const { times } = UsageSampler.shared
    UsageSampler.shared.times = { first: 10, limited: 50, unlimited: 3_600_000, atMost: 1 }
    return times
  }),
  (times) =>
    Effect.sync(() => {
      UsageSampler.shared.times = times
    })
)

/** Waits until the status is so; what is measured is no change of the status. */
const statusWith = (
  backend: Backend.Backend,
  test: (status: Status) => boolean
): Effect.Effect<Status> =>
  Effect.flatMap(
    backend.status,
    (status) => test(status) ? Effect.succeed(status) : Effect.delay(statusWith(backend, test), 20)
  )

type Tagged<Tag> = Extract<Event.Event, { readonly _tag: Tag }>

const next = <Tag extends Event.Event["_tag"]>(backend: Backend.Backend, tag: Tag) =>
  Effect.flatMap(
    Stream.runHead(Stream.filter(backend.events, (event): event is Tagged<Tag> => event._tag === tag)),
    Effect.orDie
  )

const begun = <A>(effect: Effect.Effect<A>) => Effect.zipLeft(Effect.fork(effect), Effect.yieldNow())

describe("the memory of a server", () => {
  for (const era of eras) {
    test.scopedLive(`[S13:real] warns at 80%, then drains and starts a new process; children count: ${era}`, function*() {
      yield* measuring
      const done = join(yield* temporary, "done")
      const backend = yield* Backend.make("eats", {
        connector: StdioConnector.make(
          serverOf(era)({}, { maxMemory: `${limit} MB`, stdinGrace: 50, termGrace: 5000 })
        ),
        reconnect,
        timeouts: { drain: "2 minutes" }
      })
      const pid = yield* connected(backend)
      const { usage } = yield* statusWith(backend, ({ usage }) => usage?.cpu !== undefined)
      const own = usage?.memory ?? 0
      assert.isAbove(own, 5 * MB)
      assert.isBelow(own, 0.4 * limit * MB)
      // The jobs of Wine count no time.
      if (process.platform !== "win32") assert.isAbove(usage?.cpuTime ?? 0, 0)

      const high = yield* begun(next(backend, "MemoryHigh"))
      const child = yield* ask(backend, "grandchild", {
        code: `globalThis.held = Buffer.alloc(${0.9 * limit * MB - 2 * own}, 1); setInterval(() => {}, 1000)`
      })
      const { message } = yield* Fiber.join(high)
      assert.match(message, /^\d{3} MB of memory, [89]\d% of its limit of \d{3} MB \(maxMemory\)$/)
      assert.strictEqual((yield* backend.status).peer?.pid, pid)

      const lost = yield* begun(next(backend, "RuntimeLost"))
      const call = yield* Effect.fork(
        ask(backend, "allocate", { megabytes: 80, until: done }, { timeout: "2 minutes" })
      )
      const { loss } = yield* Fiber.join(lost)
      assert.strictEqual(loss.kind, "memory")
      assert.match(loss.message, /^it uses \d{3} MB of memory, more than its limit of \d{3} MB \(maxMemory\)$/)
      assert.isTrue(isAlive(pid))
      writeFileSync(done, "")
      assert.strictEqual(yield* Fiber.join(call), "allocated")

      const again = Number(yield* ask(backend, "pid"))
      assert.notStrictEqual(again, pid)
      assert.deepStrictEqual(livingIn(pid), [])
      assert.isFalse(isAlive(Number(child)))
      const after = yield* statusWith(backend, ({ usage }) => usage !== undefined)
      assert.isBelow(after.usage?.memory ?? Infinity, 0.4 * limit * MB)
      assert.deepStrictEqual(after.memoryLimit, { bytes: limit * MB, restarts: 1, warning: undefined })
    })
  }
})
