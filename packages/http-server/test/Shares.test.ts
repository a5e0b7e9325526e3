import { Shares } from "@mcp-lifeline/protocol"
import * as fc from "fast-check"
import { beforeEach, expect, it } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"

// What is tested here is a part, without the one who ends it.
beforeEach(() => mayLeave("shares"))

const step = fc.record({ client: fc.constantFrom("a", "b", "c"), amount: fc.nat(60), gives: fc.boolean() })

it("[X5] of a total, nobody takes what others have left to them; what is refused takes nothing, what is given back is there again", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const [shares, held] = [new Shares(100), new Map([["a", 0], ["b", 0], ["c", 0]])]
      for (const { amount, client, gives } of steps) {
        const [own = 0, total] = [held.get(client), shares.total]
        const given = gives ? Math.min(own, amount) : 0
        const hasRoom = own + amount <= 100 - total - amount
        if (gives) shares.release(client, given)
        const answer = gives || shares.take(client, amount)
        expect(answer).toBe(gives || hasRoom)
        held.set(client, own - given + (!gives && hasRoom ? amount : 0))
        expect([...held]).toEqual([...held.keys()].map((name) => [name, shares.heldBy(name)]))
        expect(shares.total).toBe([...held.values()].reduce((sum, one) => sum + one))
        expect(shares.total).toBeLessThanOrEqual(100)
      }
    })
  )
})
