import { Backend } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { Effect, Fiber } from "effect"
import { join } from "node:path"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import {
  ask,
  connected,
  erasBySize,
  eventually,
  livingIn,
  observed,
  reconnect,
  serverOf,
  temporary,
  until
} from "./support.js"

const suite = (era: typeof erasBySize[number]): void => {
  const server = serverOf(era)

  test.scopedLive("[L12:real] reconnect() stops the old group before the new process starts, and no call fails of it", function*() {
    const journal = join(yield* temporary, "journal")
    let pid = 0
    const leftAtStart: Array<ReadonlyArray<number>> = []
    // It takes both graces and has a child of its own: an early start would find it there.
    const faults = { journal, ignoreTerm: true, ignoreStdinEnd: true, grandchildren: 1 }
    const backend = yield* Backend.make("exclusive", {
      connector: observed(
        server(faults, { stdinGrace: 200, termGrace: 200 }),
        () => leftAtStart.push(pid === 0 ? [] : livingIn(pid))
      ),
      reconnect
    })
    pid = yield* connected(backend)
    yield* backend.firstOutcome
    assert.lengthOf(livingIn(pid), 2)
    const inFlight = yield* Effect.fork(ask(backend, "wait", { millis: 300 }))
    yield* eventually(() => StdioFaultServer.count(journal, "call", "wait") === 1)
    const reconnecting = yield* Effect.fork(backend.reconnect)
    yield* until(backend, ({ state }) => state === "Connecting")
    const meanwhile = yield* Effect.fork(ask(backend, "pid"))
    assert.strictEqual(yield* Fiber.join(inFlight), "at last")
    yield* Fiber.join(reconnecting)
    const next = yield* connected(backend, 2)
    assert.strictEqual(yield* Fiber.join(meanwhile), String(next))
    assert.deepStrictEqual(leftAtStart, [[], []])
    assert.notStrictEqual(next, pid)
    assert.strictEqual(StdioFaultServer.count(journal, "start"), 2)
  })
}

// One era after the other: a machine has only so many processes.
for (const era of erasBySize) {
  describe(`era ${era}`, () => {
    describe.concurrent("the life of a backend over stdio", () => {
      suite(era)
    })
  })
}
