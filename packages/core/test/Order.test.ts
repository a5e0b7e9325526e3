import { describe, expect, it } from "vitest"
import * as Order from "../src/catalog/Order.js"
import * as ExactJson from "../src/internal/ExactJson.js"

const named = (...names: ReadonlyArray<string>) => names.map((name) => ({ name }))

const ordered = (before: string, now: string): string => {
  const [earlier, later] = [before, now].map((text) => ExactJson.parse(text) as ReadonlyArray<unknown>)
  return ExactJson.stringify(Order.entries("tools", earlier!, later!))
}

describe("the order of a list", () => {
  const orders: ReadonlyArray<readonly [string, string, string]> = [
    ["abc", "cba", "abc"],
    ["abc", "ca", "ac"],
    ["abc", "cxbya", "abycx"],
    ["bc", "abc", "abc"],
    ["", "cab", "cab"],
    ["ab", "bab", "abb"]
  ]
  it.each(orders)("[P13:unit] %s, then %s, is %s", (before, now, expected) => {
    expect(Order.entries("tools", named(...before), named(...now))).toEqual(named(...expected))
  })

  it("[P13:unit] is that of keys, too, also where an entry has changed; the text of numbers counts", () => {
    const before = `[{"name":"a","inputSchema":{"x":1,"y":{"k":1,"l":[{"m":1,"n":9007199254740993}]}}}]`
    const shuffled = `[{"inputSchema":{"y":{"l":[{"n":9007199254740993,"m":1}],"k":1},"x":1},"name":"a"}]`
    expect(ordered(before, shuffled)).toBe(before)
    expect(ordered(before, shuffled.replace("993", "992"))).toBe(before.replace("993", "992"))
    expect(ordered(before, shuffled.replace(`"x":1`, `"z":1.0,"__proto__":{}`))).toBe(
      before.replace(`"x":1,`, "").replace("]}}}]", `]},"z":1.0,"__proto__":{}}}]`)
    )
    const [given] = JSON.parse(before)
    expect(Order.entries("tools", [given], JSON.parse(shuffled))[0]).toBe(given)
  })

  it("[P13:unit L19] is the server's where a value cannot be compared", () => {
    const odd = {
      name: "a",
      get inputSchema(): never {
        throw new Error("unreadable")
      }
    }
    const [entry] = Order.entries("tools", named("a"), [odd])
    expect(entry).toBe(odd)
  })

  it("[P13:unit] a caller who changes a page changes no other", () => {
    const list = named("a")
    const page = Order.page("tools", list, { ttlMs: 1, nextCursor: "x", tools: [], _meta: { b: 1, a: 2 } })
    expect(JSON.stringify(page)).toBe(`{"tools":[{"name":"a"}],"_meta":{"a":2,"b":1},"ttlMs":1}`)
    expect((page["tools"] as typeof list)[0]).not.toBe(list[0])
  })
})
