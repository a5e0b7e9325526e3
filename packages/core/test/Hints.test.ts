import type { Catalog } from "@mcp-lifeline/core"
import { assert, describe, it } from "vitest"
import * as Hints from "../src/catalog/Hints.js"

const page = (...tools: ReadonlyArray<unknown>) => ({ tools })
const harmless = (name: string) => ({ name, annotations: { readOnlyHint: true } })
const harmful = (name: string) => ({ name, annotations: { readOnlyHint: false } })

const snapshot = (generation: number, revision: number, ...tools: ReadonlyArray<unknown>) =>
  ({ generation, revision, tools }) as unknown as Catalog.Snapshot

const mayRepeat = (...[name, generation, listed, catalogue]: Parameters<typeof Hints.of>) =>
  Hints.of(name, generation, listed, catalogue)?.harmless

describe("whether a tool may be called twice", () => {
  it("[C3:unit] of the caller's own list and the catalogue, the later one says it", () => {
    const listed = Hints.learn(undefined, page(harmless("a"), harmful("b")), 3, 10)
    const says = (name: string, catalogue?: Catalog.Snapshot) => mayRepeat(name, 1, listed, catalogue)
    assert.deepStrictEqual([says("a"), says("b"), says("c")], [true, false, undefined])
    const [before, after] = [3, 4].map((revision) => snapshot(1, revision, harmful("a"), harmless("b"), harmless("c")))
    assert.deepStrictEqual([says("a", before), says("b", before), says("c", before)], [true, false, true])
    assert.deepStrictEqual([says("a", after), says("b", after), says("c", after)], [false, true, true])
    // That of another connection is not later.
    assert.isTrue(says("a", snapshot(2, 4, harmful("a"))))
  })

  it("[C3:unit] what is remembered of another run does not make it so", () => {
    assert.isUndefined(mayRepeat("a", 0, undefined, snapshot(0, 1, harmless("a"))))
    assert.isUndefined(mayRepeat("a", 1, undefined, snapshot(0, 1, harmless("a"))))
    assert.isTrue(mayRepeat("a", 1, undefined, snapshot(1, 1, harmless("a"))))
  })

  it("[C15:unit] what is not in the catalogue of that connection is not harmless, and of another one's nothing is known", () => {
    assert.isFalse(mayRepeat("a", 1, undefined, snapshot(1, 1, harmless("b"))))
    assert.isUndefined(mayRepeat("a", 2, undefined, snapshot(1, 1, harmless("b"))))
    const idempotent = snapshot(1, 1, { name: "a", annotations: { idempotentHint: true } })
    const hints = { readOnly: false, harmless: true, taskSupport: undefined }
    assert.deepStrictEqual(Hints.of("a", 2, undefined, idempotent), hints)
    assert.isUndefined(mayRepeat("a", 1, undefined, undefined))
  })

  it("[C17:unit] whether it runs as a task only the lists of that connection say, the later one of two", () => {
    const runs = (name: string, taskSupport?: string) => ({ name, ...(taskSupport && { execution: { taskSupport } }) })
    const support = (...[name, generation, listed, catalogue]: Parameters<typeof Hints.of>) =>
      Hints.of(name, generation, listed, catalogue)?.taskSupport
    const catalogue = snapshot(1, 4, runs("a", "required"), runs("b"))
    assert.deepStrictEqual(["a", "b", "c"].map((name) => support(name, 1, undefined, catalogue)), [
      "required",
      "forbidden",
      "forbidden"
    ])
    assert.isUndefined(support("a", 2, undefined, catalogue))
    assert.isUndefined(support("a", 1, undefined, undefined))
    const [earlier, later] = [3, 4].map((revision) => Hints.learn(undefined, page(runs("a", "optional")), revision, 10))
    assert.deepStrictEqual([support("a", 1, earlier, catalogue), support("a", 1, later, catalogue)], [
      "required",
      "optional"
    ])
    assert.strictEqual(support("a", 1, earlier, snapshot(2, 9, runs("a", "required"))), "optional")
  })

  it("[X5:unit] of a caller's lists so many tools are kept, and what is no tool is none", () => {
    const many = Array.from({ length: 100 }, (_, index) => harmless(`t${index}`))
    const listed = Hints.learn(undefined, page(null, { name: 1 }, ...many), 0, 10)
    assert.strictEqual(listed?.size, 10)
    assert.strictEqual(Hints.learn(listed, page(harmful("t9")), 1, 10)?.get("t9")?.harmless, false)
    assert.strictEqual(Hints.learn(listed, { tools: "none" }, 1, 10), listed)
    assert.isUndefined(Hints.learn(undefined, null, 1, 10))
  })
})
