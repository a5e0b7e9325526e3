import { describe, expect, it } from "@effect/vitest"
import { JsonValue } from "@mcp-lifeline/core/text"
import * as fc from "fast-check"
import { JsonScanner } from "../src/JsonScanner.js"
import * as JsonShape from "../src/JsonShape.js"

const held = (value: unknown): number =>
  Array.isArray(value)
    ? 1 + Math.max(0, value.length - 1) + value.reduce((sum: number, one) => sum + held(one), 0)
    : typeof value === "object" && value !== null
    ? Object.values(value).reduce((sum: number, one) => sum + held(one), 1 + 3 * Object.keys(value).length) -
      Math.min(1, Object.keys(value).length)
    : 0

describe("what a JSON text holds", () => {
  it("[X1:unit] is counted without parsing it, whatever its texts have in them", () => {
    fc.assert(fc.property(fc.jsonValue(), fc.nat(2), (value, spaces) => {
      const shape = new JsonScanner().push(JSON.stringify(value, undefined, spaces))
      expect(shape.values).toBe(held(value))
      expect(JsonValue.isTooDeep(value, shape.depth)).toBe(false)
      expect(JsonValue.isTooDeep(value, Math.max(0, shape.depth - 1))).toBe(shape.depth > 0)
    }))
    for (const text of ["", "{", '"', '"\\', "}}]]", "[[", '{"a\\"']) {
      expect(new JsonScanner().push(text).depth).toBeLessThan(3)
    }
  })

  it("[X1:unit] is bounded where a peer has written it", () => {
    const largest = `[${"0,".repeat(JsonShape.mostValues - 2)}0]`
    const more = `[${"0,".repeat(JsonShape.mostValues)}0]`
    expect(JsonShape.parse(largest)).toHaveLength(JsonShape.mostValues - 1)
    expect(() => JsonShape.parse(more)).toThrow("has more than 300000 values")
    expect(() => JsonShape.parse(more)).toThrow(JsonShape.TooManyValues)
    const text = JSON.stringify("[{,:".repeat(JsonShape.mostValues))
    expect(JsonShape.parse(text)).toHaveLength(4 * JsonShape.mostValues)
  })
})
