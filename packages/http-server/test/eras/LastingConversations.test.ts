import { Bytes } from "@mcp-lifeline/core/text"
import type { ClientRequest } from "@mcp-lifeline/protocol"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { describe, expect, it, vi } from "vitest"
import { anyone, type Caller } from "../../src/Caller.js"
import { Conversations } from "../../src/eras/Conversations.js"
import type { Member } from "../../src/eras/conversing.js"
import { parkedLimits } from "../../src/eras/parkedLimits.js"
import { Places } from "../../src/Places.js"
import { asked } from "../support/hearing.js"
import * as Raw from "../support/RawEndpoint.js"

const { key } = Raw

const make = (most: number, ownServers?: Places) => {
  const conversations: Array<{
    readonly received: Array<ClientRequest>
    readonly member: Member
    isClosed: boolean
    ticks: number
    /** Calls that wait for input. */
    parked: number
    readonly park: (count: number, bytes?: number) => void
  }> = []
  const hosts = new Conversations({
    begin: (member) => {
      const conversation = {
        received: [] as Array<ClientRequest>,
        member,
        isClosed: false,
        ticks: 0,
        parked: 0,
        park: (count: number, bytes = 0) => {
          for (let n = 0; n < count; n++) {
            conversation.parked++
            member.park(Bytes(bytes), () => conversation.parked--, `${n}`)
          }
        }
      }
      conversations.push(conversation)
      return {
        parked: () => conversation.parked,
        request: (request) => void conversation.received.push(request),
        tick: () => void conversation.ticks++,
        isIdle: () => conversation.received.every(({ isOver }) => isOver),
        close: async () => void (conversation.isClosed = true)
      }
    },
    hasOwnServers: () => true,
    maxClients: most,
    idleTime: 1000,
    ownServers
  })
  const request = (
    client: string,
    id: RequestId,
    method = "tools/call",
    meta: object = {},
    caller: Caller = anyone
  ) => {
    const _meta = Raw.meta({ [key("clientInfo")]: { name: client, version: "1" }, ...meta })
    const { answers, request } = asked(id, { name: "x", _meta }, method)
    hosts.request(request, caller)
    return answers
  }
  return { conversations, hosts, request }
}

const answer = ({ received }: { readonly received: ReadonlyArray<ClientRequest> }): void => {
  for (const request of received) request.answer({ result: {} })
}

describe("clients without sessions that share servers", () => {
  it("[E8] requests with the same client and abilities share a conversation, also under the same id", () => {
    const { conversations, request } = make(5)
    const [one, two] = [request("ada", 7), request("ada", 7)]
    expect(conversations).toHaveLength(1)
    conversations[0]?.received[1]?.answer({ result: {} })
    expect([one, two]).toEqual([[], [{ jsonrpc: "2.0", id: 7, result: {} }]])
    request("ada", 8, "tools/call", { [key("clientCapabilities")]: { sampling: {} } })
    request("eve", 9)
    expect(conversations).toHaveLength(3)
  })

  it("[E8 G17] there are so many and no more; who waits for none makes room, the longest idle first", () => {
    const { conversations, request } = make(2)
    request("ada", 1)
    request("eve", 1)
    expect(request("bob", 1)).toMatchObject([{
      id: 1,
      error: { message: expect.stringContaining("2 clients, the maximum") }
    }])
    expect(conversations).toHaveLength(2)
    for (const conversation of conversations) answer(conversation)
    // Who was there again is not the one that has been idle the longest.
    const again = request("ada", 2)
    answer(conversations[0]!)
    expect(again).toHaveLength(1)
    request("bob", 2)
    expect(conversations.map(({ isClosed }) => isClosed)).toEqual([false, true, false])
  })

  it("[E8 G17] one is enough for one", () => {
    const { conversations, request } = make(1)
    request("ada", 1)
    expect(request("eve", 1)).toMatchObject([{ error: { code: -32_000 } }])
    request("ada", 2)
    expect(conversations).toHaveLength(1)
  })

  it("[E8] a request that says nothing of its client is refused, and begins nothing", () => {
    const { conversations, request } = make(2)
    const answers = request("ada", 1, "tools/call", { [key("clientCapabilities")]: undefined })
    expect(answers).toMatchObject([{ id: 1, error: { code: -32_602 } }])
    expect(conversations).toEqual([])
  })

  it("[X5 E8] end when they have not been used for so long, and not while somebody waits", () => {
    vi.useFakeTimers({ toFake: ["performance"] })
    try {
      const { conversations, hosts, request } = make(3)
      for (const client of ["ada", "eve", "bob"]) request(client, 1)
      const states = () => conversations.map(({ isClosed }) => isClosed)
      vi.advanceTimersByTime(600)
      for (const conversation of conversations.slice(0, 2)) answer(conversation)
      vi.advanceTimersByTime(600)
      hosts.tick()
      expect(states()).toEqual([false, false, false])
      request("ada", 2)
      answer(conversations[0]!)
      vi.advanceTimersByTime(400)
      hosts.tick()
      expect(states()).toEqual([false, true, false])
      // So that each can give up what its client does not come back to.
      expect(conversations.map(({ ticks }) => ticks)).toEqual([2, 2, 2])
    } finally {
      vi.useRealTimers()
    }
  })

  const subject = (name: string): Caller => ({ subject: name, claims: {} })

  it("[G22:unit] of two callers that look the same each has its own, which ends with its caller and knows what it says now", () => {
    const { conversations, hosts, request } = make(5)
    const ask = (caller: Caller) => request("same", 1, "tools/call", {}, caller)
    for (const name of ["ann", "ben", "ann"]) ask(subject(name))
    request("same", 1)
    expect(conversations.map(({ received }) => received.length)).toEqual([2, 1, 1])
    ask({ ...subject("ann"), claims: { email: "a@example.com" } })
    expect(conversations[0]?.member.caller?.().claims).toEqual({ email: "a@example.com" })
    hosts.endOf(subject("ann"), "ann is no client of this gateway any more")
    expect(conversations.map(({ isClosed }) => isClosed)).toEqual([true, false, false])
    ask(subject("ann"))
    expect(conversations).toHaveLength(4)
  })

  it("[G17:unit G22:unit] nobody has more conversations than are left for others", () => {
    const { conversations, request } = make(4)
    const ask = (name: string, caller: string) => request(name, 1, "tools/call", {}, subject(caller))
    expect([ask("one", "ann"), ask("two", "ann")]).toEqual([[], []])
    expect(ask("three", "ann")).toMatchObject([{ error: { code: -32_000 } }])
    answer(conversations[0]!)
    expect(ask("three", "ann")).toEqual([])
    expect(conversations.map(({ isClosed }) => isClosed)).toEqual([true, false, false])
    expect([ask("one", "ben"), ask("one", "cy")]).toEqual([[], []])
  })

  it("[G17:unit G15] counts their servers with those of all others, and ends an idle client's to make room", () => {
    const ownServers = new Places(() => 2, "its servers made room for those of others")
    const ended: Array<string> = []
    ownServers.put({ owner: "another", end: (why) => void ended.push(why) })
    const { conversations, hosts, request } = make(5, ownServers)
    for (const name of ["ann", "ben", "cy"]) request("same", 1, "tools/call", {}, subject(name))
    const starts = (index: number) => conversations[index]?.member.startsServers?.(1)
    expect([starts(0), ended]).toEqual([true, []])
    // The least recently used one.
    expect([starts(1), ended]).toEqual([true, ["its servers made room for those of others"]])
    expect(starts(2)).toBe(false)
    answer(conversations[1]!)
    expect([starts(2), conversations.map(({ isClosed }) => isClosed)]).toEqual([true, [false, true, false]])
    expect(starts(2)).toBe(true)
    void hosts.close("enough")
    expect([starts(1), ownServers.total]).toEqual([false, 0])
  })

  it("[G17:unit] a thousand calls wait for input: of one more, the caller that has most loses one", () => {
    const { conversations, request } = make(5)
    for (const name of ["ann", "ben"]) request("same", 1, "tools/call", {}, subject(name))
    conversations[0]!.park(990)
    conversations[1]!.park(10)
    expect(conversations.map(({ parked }) => parked)).toEqual([990, 10])
    conversations[1]!.park(1)
    expect(conversations.map(({ parked }) => parked)).toEqual([989, 11])
  })

  it("[X5 G17:unit] the bodies of calls that wait are bounded: the caller that has most loses some until they fit", () => {
    const { conversations, request } = make(5)
    for (const name of ["ann", "ben"]) request("same", 1, "tools/call", {}, subject(name))
    conversations[0]!.park(5, parkedLimits.bytes / 8)
    conversations[1]!.park(2, parkedLimits.bytes / 4)
    expect(conversations.map(({ parked }) => parked)).toEqual([4, 2])
  })

  it("[G17:unit] who says more about itself than a session may is refused", () => {
    const { conversations, request } = make(2)
    const said = request("x".repeat(256 * 1024), 1)
    expect(said).toMatchObject([{ error: { code: -32_602, message: expect.stringContaining("262144 bytes") } }])
    expect(conversations).toEqual([])
  })

  it("[G7] all end with the endpoint", async () => {
    const { conversations, hosts, request } = make(2)
    request("ada", 1)
    request("eve", 1)
    await hosts.close("the gateway is shutting down")
    expect(conversations.map(({ isClosed }) => isClosed)).toEqual([true, true])
  })
})
