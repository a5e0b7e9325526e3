import { Effect, Fiber } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe } from "vitest"
import { expect, it, test } from "../../testing/test/support/vitest.js"
import * as StateFolder from "../src/StateFolder.js"
import * as Temperaments from "../src/Temperaments.js"

const one = {
  server: "one 1",
  isConcurrent: true,
  ignoresPings: true,
  slowestStart: 45_200,

  sessionsSince: 1
}

const path = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lifeline-temperaments-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
)

describe("V9: what servers have shown", () => {
  it.each([
    [one, [
      "answers requests during a call",
      "ignores pings",
      "has taken 45s 200ms to start"
    ]],
    [{ isConcurrent: false, ignoresPings: false }, []]
  ])("[V9] in words: %j", (shown, words) => {
    expect(Temperaments.inWords(shown)).toEqual(words)
  })

  test.scoped("[V9] what one process keeps, another one finds; of a server that nothing identifies, nothing", function*() {
    const folder = yield* path
    const inAnother = <A>(use: (kept: Temperaments.Temperaments) => Effect.Effect<A>) =>
      Effect.provide(Effect.flatMap(Temperaments.make, use), StateFolder.layerAt(folder))
    const remembered = (identity: unknown) => inAnother((kept) => kept.of(identity).remembered)
    expect(yield* remembered({ command: "one" })).toBeUndefined()
    yield* inAnother((kept) => kept.of({ command: "one" }).keep(one))
    expect(yield* remembered({ command: "one" })).toEqual(one)
    expect(yield* remembered({ command: "two" })).toBeUndefined()
    yield* inAnother((kept) => kept.of(undefined).keep(one))
    expect(yield* remembered(undefined)).toBeUndefined()
  })

  test.effect("[V9] what is kept last counts, also if the folder is slower to take what was kept before", function*() {
    const written: Array<unknown> = []
    let pause = 3
    const set = (_key: string, value: unknown) =>
      Effect.as(
        Effect.zipRight(
          Effect.suspend(() => Effect.repeatN(Effect.yieldNow(), 10 * pause--)),
          Effect.sync(() => written.push(value))
        ),
        true
      )
    const folder = {
      collection: () => ({ get: () => Effect.succeedNone, set })
    } as unknown as StateFolder.StateFolder["Type"]
    const { of } = yield* Effect.provideService(Temperaments.make, StateFolder.StateFolder, folder)
    const memory = of({ command: "one" })
    const all = [1, 2, 3].map((slowestStart) => ({ ...one, slowestStart }))
    const writes = yield* Effect.forEach(all, (shown) => Effect.fork(memory.keep(shown)))
    yield* Effect.yieldNow()
    yield* Effect.forEach(writes, Fiber.interrupt, { concurrency: "unbounded" })
    expect(written).toEqual(all)
  })
})
