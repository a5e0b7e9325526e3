import { Bytes } from "@mcp-lifeline/core/text"
import type { ClientRequest, Quota } from "@mcp-lifeline/protocol"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { ownerOf } from "../../src/Caller.js"
import { Conversations } from "../../src/eras/Conversations.js"
import * as Conversing from "../../src/eras/conversing.js"
import { early, parkedLimits, questions } from "../../src/eras/parkedLimits.js"
import { asked } from "../support/hearing.js"
import * as Raw from "../support/RawEndpoint.js"

const make = () => {
  const conversations: Array<{ readonly client: Raw.Scripted; readonly calls: Array<ClientRequest>; closed: number }> =
    []
  const begin = Conversing.begin((client) => {
    const one = { client: Raw.scripted(client), calls: [] as Array<ClientRequest>, closed: 0 }
    conversations.push(one)
    return Raw.conversing(() => undefined, {
      request: (request) => {
        if (request.method === "initialize") return request.answer({ result: Raw.introduction })
        one.calls.push(request)
        request.work = { stop: () => "unknown" }
      },
      close: async () => void one.closed++
    })
  })
  const hosts = new Conversations({ begin, hasOwnServers: () => false, maxClients: 1, idleTime: 1000 })
  const post = (
    id: number,
    { bytes = 0, subject = "o", state }: {
      readonly bytes?: number
      readonly subject?: string | undefined
      readonly state?: unknown
    } = {}
  ) => {
    const brought = { requestState: state, inputResponses: { q: { action: "accept" } } }
    const { answers, request } = asked(id, { name: "x", _meta: Raw.meta({}, { elicitation: {} }), ...brought })
    request.bytes = Bytes(bytes)
    hosts.request(request, { subject, claims: {} })
    return { answers, request }
  }
  const park = (id: number, subject?: string, bytes?: number): string => {
    const { answers } = post(id, { subject, ...(bytes === undefined ? {} : { bytes }) })
    conversations.at(-1)?.client.write({ jsonrpc: "2.0", id: "q", method: "elicitation/create", params: {} })
    vi.runAllTicks()
    vi.advanceTimersByTime(0)
    return String(answers[0]?.result?.requestState)
  }
  const closed = () => conversations.map(({ closed }) => closed)
  return { closed, conversations, hosts, park, post }
}

type Begun = ReturnType<typeof make>["conversations"][number]

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

describe("requests of which each is a conversation of its own", () => {
  it("[E8:unit] it is over with the answer, or when the client does not wait any more", () => {
    const { closed, conversations, post } = make()
    const [answered, left] = [post(1), post(2)]
    conversations[0]?.calls[0]?.answer({ result: { content: [] } })
    expect(answered.answers).toMatchObject([{ id: 1, result: { content: [], resultType: "complete" } }])
    expect(closed()).toEqual([1, 0])
    left.request.cancel("the client has gone")
    expect(conversations[1]?.calls[0]?.isOver).toBe(true)
    expect([closed(), left.answers]).toEqual([[1, 1], []])
  })

  it("[E8:unit] one that waits for its client goes on with who has its state and is the same caller, once", () => {
    const { closed, conversations, park, post } = make()
    const state = park(1)
    expect(state).toMatch(/^mcp-lifeline:/)
    expect(closed()).toEqual([0])
    for (const sent of [{ subject: "another", state }, { state: `${state}x` }]) {
      expect(post(2, sent).answers).toMatchObject([{ id: 2, error: { code: -32_602 } }])
    }
    for (const sent of [{ state: 7 }, {}]) expect(post(2, sent).answers).toEqual([])
    expect(conversations[0]?.calls).toHaveLength(1)
    const back = post(6, { state })
    conversations[0]?.calls[0]?.answer({ result: {} })
    expect(back.answers).toMatchObject([{ id: 6, result: { resultType: "complete" } }])
    expect(closed()[0]).toBe(1)
    expect(post(7, { state }).answers).toMatchObject([{ id: 7, error: { code: -32_602 } }])
  })

  it("[E8:unit] who comes back and goes away before the answer ends it", () => {
    const { closed, conversations, park, post } = make()
    const back = post(2, { state: park(1) })
    back.request.cancel("the client has gone")
    expect([closed(), conversations[0]?.calls[0]?.isOver]).toEqual([[1], true])
  })

  it("[E8:unit G17] waits for ten minutes, and no longer", () => {
    const { closed, conversations, hosts, park, post } = make()
    const minutes = (count: number): void => {
      vi.advanceTimersByTime(count * 60_000)
      hosts.tick()
    }
    const early = park(1)
    minutes(5)
    const late = park(2)
    minutes(4)
    expect(closed()).toEqual([0, 0])
    minutes(2)
    expect(closed()).toEqual([1, 0])
    expect(post(3, { state: early }).answers).toMatchObject([{ error: { code: -32_602 } }])
    post(4, { state: late })
    minutes(20)
    expect([closed()[1], conversations[1]?.calls[0]?.isOver]).toEqual([0, false])
  })

  it("[X5 G17:unit] a thousand wait: of one more, that which waits for the longest time ends", () => {
    const { closed, park } = make()
    for (let id = 0; id < 1000; id++) park(id)
    expect(closed().every((count) => count === 0)).toBe(true)
    park(1000)
    expect(closed().flatMap((count, index) => count === 0 ? [] : [[index, count]])).toEqual([[0, 1]])
  })

  it("[X5 G17:unit] the bodies of those that wait are bounded: of one more, the caller that has most loses the oldest", () => {
    const { closed, park, post } = make()
    const part = parkedLimits.bytes / 4
    const states = [park(0, "ann", part), park(1, "ann", part), park(2, "ben", part), park(3, "ann", part)]
    expect(closed()).toEqual([0, 0, 0, 0])
    park(4, "ben", part)
    expect(closed()).toEqual([1, 0, 0, 0, 0])
    post(5, { subject: "ann", state: states[1] })
    park(6, "ben", part)
    expect(closed()).toEqual([1, 0, 0, 0, 0, 0])
  })

  it("[X5 G17:unit] one that has more than all others makes room itself, and its client finds nothing", () => {
    const { closed, park, post } = make()
    park(0, "ann", 1)
    const state = park(1, "ben", parkedLimits.bytes)
    expect(closed()).toEqual([0, 1])
    expect(post(2, { subject: "ben", state }).answers).toMatchObject([{ error: { code: -32_602 } }])
    expect(closed()).toEqual([0, 1, 1])
  })

  it("[X5 G17:unit] the end of a conversation gives back the places of its calls that wait", () => {
    const { closed, hosts, park } = make()
    park(0, "ann", parkedLimits.bytes / 4)
    hosts.endOf({ subject: "ann" }, "enough")
    for (let id = 1; id <= 4; id++) park(id, "ben", parkedLimits.bytes / 4)
    expect(closed()).toEqual([1, 0, 0, 0, 0])
  })

  it.each([
    [
      "questions",
      questions,
      ({ client }) => client.write({ jsonrpc: "2.0", id: "more", method: "elicitation/create", params: {} })
    ],
    ["early answers", early, ({ calls }) => calls[0]?.answer({ result: {} })]
  ] as ReadonlyArray<readonly [string, Quota, (one: Begun) => void]>)(
    "[X5:unit] %s of one caller's calls count as that caller's",
    (_, quota, act) => {
      const { conversations, hosts, park } = make()
      for (const id of [1, 2]) {
        park(id, "ann")
        act(conversations.at(-1)!)
      }
      expect(quota.heldBy(ownerOf({ subject: "ann", claims: {} })).count).toBe(2)
      hosts.endOf({ subject: "ann" }, "enough")
      expect(quota.held.count).toBe(0)
    }
  )

  it("[G22:unit] those that wait for a caller who is removed end, with their calls; those of others go on", () => {
    const { closed, hosts, park, post } = make()
    const [ofAnn, ofBen] = [park(1, "ann"), park(2, "ben")]
    hosts.endOf({ subject: "ann" }, "ann is gone")
    expect(closed()).toEqual([1, 0])
    expect(post(3, { subject: "ann", state: ofAnn }).answers).toMatchObject([{ error: { code: -32_602 } }])
    expect(post(4, { subject: "ben", state: ofBen }).answers).toEqual([])
  })

  it("[E8:unit G18] at the end of the gateway those that wait end", async () => {
    const { closed, hosts, park } = make()
    park(1)
    await hosts.close("the gateway is shutting down")
    await hosts.close("the gateway is shutting down")
    expect(closed()).toEqual([1])
  })
})
