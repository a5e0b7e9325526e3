import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { ask, connected, eras, reconnect, serverOf } from "./support.js"

/** This process does nothing for so many milliseconds, as one that was stopped or has no processor; its servers go on. */
const standStill = (millis: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis)
}

describe.each(eras)("a process that stood still (era %s)", (era) => {
  test.scopedLive("[H4:real] has heard no answer meanwhile: of the probes whose time was over then, one counts, and no session ends", function*() {
    const timeout = 2000
    const backend = yield* Backend.make("live", {
      connector: StdioConnector.make(serverOf(era)()),
      keepalive: { method: "none", timeout, suspectInterval: timeout },
      reconnect
    })
    const pid = yield* connected(backend)
    yield* backend.firstOutcome
    const checks = yield* Effect.all(Array.from({ length: 5 }, () => Effect.fork(backend.healthCheck)))
    // Until all are sent: each begins in a fiber of its own.
    yield* Effect.repeatN(Effect.yieldNow(), 20)
    standStill(timeout + 500)
    const unanswered = (yield* Fiber.joinAll(checks)).filter(({ error }) => error?._tag === "RequestTimeout")
    assert.isAtLeast(unanswered.length, 3)
    assert.strictEqual(yield* ask(backend, "pid"), String(pid))
    assert.deepInclude(yield* backend.status, {
      state: "Connected",
      generation: 1,
      failures: 0
    })
  })
})
