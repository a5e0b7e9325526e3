import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, ExecutionStrategy, Exit, Scope } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { ask, connected, eras, eventually, isAlive, reconnect, serverOf, temporary, until } from "./support.js"

const slow = (era: (typeof eras)[number], more: Partial<StdioConnector.Options> = {}) =>
  Effect.gen(function*() {
    const folder = yield* temporary
    const [journal, startsAfter] = [join(folder, "journal"), join(folder, "ready")]
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const backend = yield* Backend.make("slow", {
      connector: StdioConnector.make(serverOf(era)({ journal, startsAfter }, { stdinGrace: 0, ...more })),
      timeouts: { connect: 300 },
      reconnect
    }).pipe(Scope.extend(scope))
    const starts = () => StdioFaultServer.journal(journal).flatMap(({ event, pid }) => event === "start" ? [pid] : [])
    yield* until(backend, ({ failedAttempts }) => failedAttempts >= 3)
    yield* eventually(() => starts().length > 0)
    return { backend, close: Scope.close(scope, Exit.void), ready: () => writeFileSync(startsAfter, ""), starts }
  })

describe.concurrent("a process that takes longer to answer than an attempt", () => {
  for (const era of eras) {
    test.scopedLive(`[V5:real] ${era}: is connected in the end, and was started once`, function*() {
      const { backend, ready, starts } = yield* slow(era)
      const isTold = /starting for .*may take 5m \(startLimit\).*has not answered/
      yield* until(backend, ({ lastError = "" }) => isTold.test(lastError))
      ready()
      const pid = yield* connected(backend)
      assert.deepStrictEqual(starts(), [pid])
      assert.strictEqual(yield* ask(backend, "echo", { text: "hi" }), "hi")
    })
  }

  test.scopedLive("[V5:real] the close of its backend ends it", function*() {
    const { close, starts } = yield* slow("2025")
    yield* close
    assert.deepStrictEqual(starts().filter(isAlive), [])
  })

  test.scopedLive("[V5:real] one that takes longer than startLimit is ended, and another one started", function*() {
    const { starts } = yield* slow("2025", { startLimit: "2 seconds" })
    yield* eventually(() => starts().length > 1)
    assert.isFalse(isAlive(starts()[0]!))
  })

  it("[V5] by default it may take 5 minutes, or three times its slowest start; a limit that was given is kept", () => {
    const limits = (options: Partial<StdioConnector.Options>) =>
      [undefined, 100_000, 200_000].map((slowest) =>
        StdioConnector.make({ command: "x", ...options }).startLimit?.(slowest)
      )
    assert.deepStrictEqual(limits({}), [300_000, 300_000, 600_000])
    assert.deepStrictEqual(limits({ startLimit: "2 seconds" }), [2000, 2000, 2000])
  })
})
