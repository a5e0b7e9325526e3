import { Bytes } from "@mcp-lifeline/core/text"
import { type Holding, type Limits, Quota } from "@mcp-lifeline/protocol"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const limits: Limits = {
  holder: { item: Bytes(40), count: 5, bytes: Bytes(90) },
  all: { count: 14, bytes: Bytes(200) }
}
const clients = ["a", "b", "c"]

const holders = clients.flatMap((client) => [0, 1].map((number) => ({ client, number })))

type Command =
  | { readonly do: "take"; readonly holder: number; readonly items: ReadonlyArray<number> }
  | { readonly do: "close" | "release"; readonly holder: number }

const holder = fc.nat(holders.length - 1)
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constant("take" as const), holder, items: fc.array(fc.nat(45), { minLength: 1, maxLength: 3 }) }),
  fc.record({ do: fc.constantFrom("close" as const, "release" as const), holder })
)

const sum = (all: ReadonlyArray<number>) => all.reduce((total, one) => total + one, 0)

describe("what is kept for clients", () => {
  it("[X5] is counted exactly, whatever is taken and given back; what is refused changes nothing; nobody takes what others have left to them", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const quota = new Quota(limits)
        const open = new Map<number, { readonly holding: Holding; readonly ledger: Array<number> }>()
        let isWrong = false
        const at = (number: number) => {
          const found = open.get(number) ?? { holding: quota.holderOf(holders[number]?.client), ledger: [] }
          open.set(number, found)
          return found
        }
        const ledgerOf = (client?: string) =>
          [...open].flatMap(([number, { ledger }]) =>
            client === undefined || holders[number]?.client === client ? ledger : []
          )
        for (const one of commands) {
          const { holding, ledger } = at(one.holder)
          const client = holders[one.holder]?.client
          switch (one.do) {
            case "take": {
              const excess = holding.takeAll(one.items.map((size) => Bytes(size)))
              const wanted = [...ledger, ...one.items]
              const total = [...ledgerOf(), ...one.items]
              const ofClient = [...ledgerOf(client), ...one.items]
              const fits = one.items.every((bytes) => bytes <= limits.holder.item)
                && wanted.length <= limits.holder.count && sum(wanted) <= limits.holder.bytes
                && ofClient.length <= limits.all.count - total.length && sum(ofClient) <= limits.all.bytes - sum(total)
              isWrong ||= (excess === undefined) !== fits
              if (fits) ledger.push(...one.items)
              break
            }
            case "release": {
              const last = ledger.pop()
              if (last !== undefined) holding.release(Bytes(last))
              break
            }
            case "close":
              holding.close()
              open.delete(one.holder)
          }
          expect(isWrong).toBe(false)
          expect(quota.held).toEqual({ count: ledgerOf().length, bytes: sum(ledgerOf()) })
          for (const client of clients) {
            expect(quota.heldBy(client)).toEqual({ count: ledgerOf(client).length, bytes: sum(ledgerOf(client)) })
          }
          for (const { holding, ledger } of open.values()) {
            expect(holding.held).toEqual({ count: ledger.length, bytes: sum(ledger) })
          }
        }
        for (const { holding } of open.values()) holding.close()
        expect(quota.held).toEqual({ count: 0, bytes: 0 })
      }),
      { numRuns: 500 }
    )
  })

  it("[X5] of a holder that was closed nothing is counted any more", () => {
    const quota = new Quota(limits)
    const holding = quota.holderOf("a")
    expect(holding.take(Bytes(10))).toBeUndefined()
    holding.close()
    holding.release(Bytes(10))
    expect(holding.take(Bytes(1000))).toBeUndefined()
    holding.close()
    expect([holding.held, quota.held]).toEqual([{ count: 0, bytes: 0 }, { count: 0, bytes: 0 }])
  })
})
