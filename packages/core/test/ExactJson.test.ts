import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as ExactJson from "../src/internal/ExactJson.js"

const { copied, parse, stringify } = ExactJson

const numeral = fc.oneof(
  fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }).map(String),
  fc.constantFrom(
    "1.0",
    "-0",
    "0.10",
    "1e400",
    "-1E+7",
    "1E-07",
    "9007199254740993",
    "0.1000000000000000055",
    "1e5",
    "0"
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => JSON.stringify(number))
)

const text = fc.oneof(
  fc.string(),
  fc.constantFrom("\\", '"', '\\"1.0', "1.0", "\uE000", ",1e400", "toString", "__proto__", "\\u0022", '{"a":1.0}')
)

const json = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    numeral,
    text.map((text) => JSON.stringify(text)),
    fc.constantFrom("true", "null"),
    fc.array(tie("value"), { maxLength: 5 }).map((items) => `[${items.join(",")}]`),
    fc.uniqueArray(fc.tuple(text.map((key) => `k${key}`), tie("value")), { maxLength: 5, selector: ([key]) => key })
      .map(
        (members) => `{${members.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`
      )
  )
})).value

describe("[W10:virtual] numbers keep their text", () => {
  it("whatever stands around them", () => {
    fc.assert(fc.property(json, (inside) => {
      const text = `{"in":${inside}}`
      const value = parse(text)
      expect(value).toEqual(JSON.parse(text))
      expect(stringify(value)).toBe(text)
    }))
  })

  it("what is no JSON is refused as before", () => {
    const texts = fc.oneof(
      fc.tuple(json, fc.nat(), fc.constantFrom("", "0", ".", '"', "\\", ",", "-", "e", "}")).map(
        ([text, at, other]) => {
          const place = at % text.length
          return text.slice(0, place) + other + text.slice(place + 1)
        }
      ),
      fc.constantFrom("01", "[01.0]", "1.", "[-]", "[1.0.0]", "[1e]", '{"a":1.0', "[1.0 2.0]", '"1.0', "")
    )
    const outcome = (read: (text: string) => unknown, text: string): unknown => {
      try {
        return { value: read(text) }
      } catch (error) {
        return (error as Error).name
      }
    }
    fc.assert(fc.property(texts, (text) => {
      expect(outcome(parse, text)).toEqual(outcome(JSON.parse, text))
    }))
  })

  it("of a member that is written twice, the last counts", () => {
    expect(stringify(parse(`{"a":{"n":1.0,"n":2.0}}`))).toBe(`{"a":{"n":2.0}}`)
  })

  it("a value that was changed is written as it is now, and only this function writes texts", () => {
    const value = parse(`[1.0,2.0,{"a":1e400}]`) as [number, number, object]
    value[0] = 3
    expect(stringify(value)).toBe(`[3,2.0,{"a":1e400}]`)
    expect(JSON.stringify(value)).toBe(`[3,2,{"a":null}]`)
    expect(stringify([...value])).toBe(`[3,2,{"a":1e400}]`)
    expect(stringify(copied(value, [4, ...value.slice(1)]))).toBe(`[4,2.0,{"a":1e400}]`)
  })

  it("an object with a member toJSON keeps it", () => {
    expect(JSON.parse(stringify(parse(`{"in":{"toJSON":"x","n":1.5,"m":1.50}}`)))).toEqual({
      in: { toJSON: "x", n: 1.5, m: 1.5 }
    })
  })

  it("[X5] of so many numbers that their texts would fill the memory, the rest become plain numbers", () => {
    const text = `[${Array.from({ length: 150_000 }, () => "1.0").join(",")}]`
    const written = stringify(parse(text)).split(",")
    expect(written.length).toBe(150_000)
    expect(written.filter((one) => one.includes("1.0")).length).toBe(30_000)
  })
})
