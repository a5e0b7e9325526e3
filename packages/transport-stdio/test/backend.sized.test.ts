import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { join } from "node:path"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { ask, connected, erasBySize, livingIn, observed, reconnect, serverOf, temporary } from "./support.js"

const suite = (era: typeof erasBySize[number]): void => {
  const server = serverOf(era)

  test.scopedLive("[S6] a crash loop that ends by itself: the call that waited is answered by the first that stays", function*() {
    const journal = join(yield* temporary, "journal")
    const crashes = [1, 2, 3].map((nth): StdioFaultServer.Crash => ({ at: "start", nth }))
    const backend = yield* Backend.make("heals", {
      connector: StdioConnector.make(server({ journal, crashes })),
      reconnect
    })
    assert.strictEqual(yield* ask(backend, "count", { key: "k" }), "1")
    // Its first end is taken for what the question after the era did to it, so that one start more finds the era of 2026.
    assert.strictEqual(StdioFaultServer.count(journal, "start"), era === "2025" ? 4 : 5)
    assert.deepInclude(yield* backend.status, { state: "Connected", generation: 1 })
  })

  test.scopedLive("[S2] a server that exits with 0 leaves nothing of its group for the next", function*() {
    let pid = 0
    const leftAtStart: Array<ReadonlyArray<number>> = []
    const backend = yield* Backend.make("leaves children", {
      connector: observed(
        server({ grandchildren: 2, ignoreTerm: true }, { stdinGrace: 100, termGrace: 100 }),
        () => leftAtStart.push(pid === 0 ? [] : livingIn(pid))
      ),
      reconnect
    })
    pid = yield* connected(backend)
    assert.lengthOf(livingIn(pid), 3)
    const error = yield* Effect.flip(ask(backend, "exit", { code: 0 }))
    assert.strictEqual(error._tag, "ResultUnknown")
    assert.include(error.message, "exited with code 0")
    const next = yield* connected(backend, 2)
    assert.deepStrictEqual(leftAtStart, [[], []])
    assert.lengthOf(livingIn(next), 3)
  })
}

// One era after the other: a machine has only so many processes.
for (const era of erasBySize) {
  describe(`era ${era}`, () => {
    describe.concurrent("under supervision", () => {
      suite(era)
    })
  })
}
