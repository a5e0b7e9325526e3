import { JsonValue } from "@mcp-lifeline/core/text"
import { assert, describe, it } from "vitest"

const lists = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels))
const objects = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`)

describe("how deeply a value is nested", () => {
  it("[X1:unit] is counted in arrays and objects, whatever the depth", () => {
    for (const make of [lists, objects]) {
      for (const levels of [1, 2, JsonValue.defaultDepth, 100_000]) {
        assert.isFalse(JsonValue.isTooDeep(make(levels), levels))
        assert.isTrue(JsonValue.isTooDeep(make(levels), levels - 1))
      }
    }
    for (const plain of [undefined, null, 1, "[[", true]) assert.isFalse(JsonValue.isTooDeep(plain, 0))
    assert.isTrue(JsonValue.isTooDeep([1, { a: [] }, [[[]]], []], 3))
    assert.isFalse(JsonValue.isTooDeep([1, { a: [] }, [[[]]], []], 4))
  })

  it("[X1:unit] a value that contains itself is deeper than any", () => {
    const own: Array<unknown> = []
    own.push({ own })
    assert.isTrue(JsonValue.isTooDeep(own, 10_000))
  })
})
