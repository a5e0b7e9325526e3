import { mebibytes } from "@mcp-lifeline/core/text"
import { type Quota, Relay } from "@mcp-lifeline/protocol"
import { expect, it } from "vitest"
import * as relayed from "../../protocol/src/relay/relayLimits.js"
import * as parked from "../src/eras/parkedLimits.js"

const park = parked.parking()
const ends: Array<() => void> = []
const lost: Array<string> = []
const relays = new Map<string, Relay>()

/** Each time for another call or conversation. */
const fits = (quota: Quota, megabytes: number) => (owner: string): boolean => {
  const room = quota.holderOf(owner)
  ends.push(() => room.close())
  return room.take(mebibytes(megabytes)) === undefined
}

const sends = (quota: Quota, send: (relay: Relay) => void) => (owner: string): boolean => {
  const relay = relays.get(owner) ?? new Relay(owner, {}, { holds: true })
  relays.set(owner, relay)
  ends.push(() => relay.end())
  const { bytes, count } = quota.held
  send(relay)
  return quota.held.bytes > bytes || quota.held.count > count
}

/** Those of which no test beside their code sends more than fits. Each sends one more, and says whether it was kept. */
const places: Readonly<Record<string, (owner: string) => boolean>> = {
  "calls whose clients are asked for input": (owner) => {
    ends.push(park(owner)(mebibytes(8), () => lost.push(owner)))
    return !lost.includes(owner)
  },
  "questions for these": fits(parked.questions, 1),
  "answers that come before these clients": fits(parked.early, 16),
  "requests of servers to clients": sends(relayed.questions, (relay) => {
    relay.ask({ method: "roots/list" }, new AbortController().signal).catch(() => undefined)
  }),
  "messages before `initialized`": sends(
    relayed.held,
    (relay) => relay.pass({ method: "notifications/x", params: { x: "x".repeat(500_000) } })
  )
}

it.each(Object.entries(places))(
  "[X5 G17] of %s, who sends more than fits is refused, or loses its own, and nobody else does",
  (_, send) => {
    expect(send("early")).toBe(true)
    for (let sent = 0; send("greedy"); sent++) expect(sent).toBeLessThan(20_000)
    expect(["early", "late", "last"].map(send)).toEqual([true, true, true])
    expect(lost.filter((owner) => owner !== "greedy")).toEqual([])
    for (const end of ends.splice(0)) end()
    relays.clear()
  }
)
