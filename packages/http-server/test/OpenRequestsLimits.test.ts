import { Bytes } from "@mcp-lifeline/core/text"
import { describe, expect, it } from "vitest"
import { OpenRequests } from "../src/OpenRequests.js"

describe("the room for requests that are not answered yet", () => {
  it("[X5:unit] is for bodies beyond 16 KiB of each, however many requests are in it; what is given back is there again, also the second time", () => {
    const open = new OpenRequests({ count: 100, bytes: Bytes(2000) })
    const take = (count: number, bytes: number) => open.take("a client", count, Bytes(bytes))
    for (const _ of [1, 2]) {
      // One that is alone has half.
      const [small, large] = [take(1, 16_384), take(2, 16_384 + 1000)]
      expect([typeof small, typeof large]).toEqual(["function", "function"])
      expect(take(1, 16_385)).toContain("have 1000 bytes, and those of all clients 1000")
      const other = open.take("another client", 1, Bytes(16_384 + 500))
      for (const back of [small, large, other]) (back as () => void)()
    }
  })

  it("[X5:unit] is for so many, of which one client has half; one that there is no place for takes no room for its body either", () => {
    const open = new OpenRequests({ count: 4, bytes: Bytes(2000) })
    const take = (client: string, count: number, bytes = 0) => open.take(client, count, Bytes(bytes))
    for (const _ of [1, 2]) {
      const first = take("one", 2)
      expect(take("one", 1, 16_384 + 900)).toContain("This client has 2 requests that are not answered yet")
      const body = take("another", 1, 16_384 + 900)
      expect(typeof body).toBe("function")
      for (const back of [first, body]) (back as () => void)()
    }
  })
})
