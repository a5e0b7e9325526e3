import { Kind } from "@mcp-lifeline/core/internal"
import { describe, expect, it } from "vitest"
import { CachedAnswers } from "../../src/wrap/CachedAnswers.js"

const page = (name: string, length: number, nextCursor?: string) => ({
  tools: [{ name, description: "x".repeat(length) }],
  ...(nextCursor === undefined ? {} : { nextCursor })
})

describe("what is remembered of a wrapped server", () => {
  const third = Math.ceil(Kind.largestList / 3)
  const make = () => new CachedAnswers(undefined, () => undefined, (_, result) => result)

  it("[X5 W3] is no list that is too large, in one page or in several; what was known of it stays", () => {
    const cached = make()
    cached.addPage("tools/list", undefined, page("a", 10))
    cached.addPage("tools/list", undefined, page("b", Kind.largestList + 1))
    expect(cached.get("tools/list")?.["tools"]).toMatchObject([{ name: "a" }])
    cached.addPage("tools/list", undefined, page("b", third, "1"))
    cached.addPage("tools/list", "1", page("c", third, "2"))
    cached.addPage("tools/list", "2", page("d", third + 1, "3"))
    cached.addPage("tools/list", "3", page("e", 10))
    expect(cached.get("tools/list")?.["tools"]).toMatchObject([{ name: "a" }])
    cached.update("tools/list", [page("b", third), page("c", third), page("d", third + 1)])
    expect(cached.get("tools/list")?.["tools"]).toMatchObject([{ name: "a" }])
    cached.addPage("tools/list", undefined, page("b", third, "1"))
    cached.addPage("tools/list", "1", page("c", third))
    expect(cached.get("tools/list")?.["tools"]).toMatchObject([{ name: "b" }, { name: "c" }])
  })

  it("[W3 W4] is a list with each page once, and none missing, also where a host reads it twice at a time", () => {
    const pages = {
      first: [undefined, page("a", 1, "1")],
      second: ["1", page("b", 1, "2")],
      third: ["2", page("c", 1)]
    } as const
    const twice: ReadonlyArray<ReadonlyArray<keyof typeof pages>> = [
      ["first", "second", "first", "third"],
      ["first", "first", "second", "second", "third", "third"],
      ["first", "third", "second", "third"],
      ["first", "second", "first", "third", "second", "third"]
    ]
    const known = twice.map((order) => {
      const cached = make()
      for (const [cursor, given] of order.map((one) => pages[one])) cached.addPage("tools/list", cursor, given)
      return (cached.get("tools/list")?.["tools"] as ReadonlyArray<{ readonly name: string }>)?.map(({ name }) => name)
    })
    expect(known).toEqual([undefined, ["a", "b", "c"], ["a", "b", "c"], ["a", "b", "c"]])
  })
})
