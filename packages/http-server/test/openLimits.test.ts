import { Bytes } from "@mcp-lifeline/core/text"
import { describe, expect, it } from "vitest"
import * as OpenLimits from "../src/openLimits.js"
import { openQuota } from "./support/RawEndpoint.js"

const make = (count: number, bytes: number) => {
  const open = openQuota(count, bytes)
  return (client: string, count: number, bytes = 0): (() => void) | string => {
    const amount = OpenLimits.amountOf(count, Bytes(bytes))
    return OpenLimits.take(open, client, amount, 1)?.message ?? (() => open.release(client, amount))
  }
}

describe("the room for requests that are not answered yet", () => {
  it("[X5:unit] is for bodies beyond 16 KiB of each, however many requests are in it; what is given back is there again, also the second time", () => {
    const take = make(100, 2000)
    for (const _ of [1, 2]) {
      // One that is alone has half.
      const [small, large] = [take("a client", 1, 16_384), take("a client", 2, 16_384 + 1000)]
      expect([typeof small, typeof large]).toEqual(["function", "function"])
      expect(take("a client", 1, 16_385)).toContain("have 1000 bytes, and those of all clients 1000")
      const other = take("another client", 1, 16_384 + 500)
      for (const back of [small, large, other]) (back as () => void)()
    }
  })

  it("[X5:unit] is for so many, of which one client has half; one that there is no place for takes no room for its body either", () => {
    const take = make(4, 2000)
    for (const _ of [1, 2]) {
      const first = take("one", 2)
      expect(take("one", 1, 16_384 + 900)).toContain("This client has 2 requests that are not answered yet")
      const body = take("another", 1, 16_384 + 900)
      expect(typeof body).toBe("function")
      for (const back of [first, body]) (back as () => void)()
    }
  })
})
