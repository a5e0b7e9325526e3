import { describe, expect, it } from "vitest"
import { parseUrl } from "../src/parseUrl.js"

describe("a URL", () => {
  it("[G26:unit] is read the same however often one was read before", () => {
    const hosts = new Set(Array.from({ length: 100_000 }, () => parseUrl("https://bücher.example/é")?.href))
    expect([...hosts]).toEqual(["https://xn--bcher-kva.example/%C3%A9"])
  })

  it("[G26:unit] may be relative to another, and nothing else is one", () => {
    expect(parseUrl("../b", "https://a.example/c/d")?.href).toBe("https://a.example/b")
    expect(parseUrl("../b")).toBeUndefined()
    expect(parseUrl("https://")).toBeUndefined()
  })
})
