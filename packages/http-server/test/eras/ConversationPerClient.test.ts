import { type ClientRequest, ClientRequests } from "@mcp-lifeline/protocol"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { describe, expect, it, vi } from "vitest"
import { ConversationPerClient } from "../../src/eras/ConversationPerClient.js"
import { hearing } from "../support/hearing.js"

const key = (name: string): string => `io.modelcontextprotocol/${name}`

/** Clients of a server that answers what the test says. */
const make = (most: number) => {
  const conversations: Array<{ readonly received: Array<ClientRequest>; isClosed: boolean; ticks: number }> = []
  const hosts = new ConversationPerClient(
    () => {
      const conversation = { received: [] as Array<ClientRequest>, isClosed: false, ticks: 0 }
      conversations.push(conversation)
      return {
        request: (request) => void conversation.received.push(request),
        tick: () => void conversation.ticks++,
        isIdle: () => conversation.received.every(({ isOver }) => isOver),
        close: async () => void (conversation.isClosed = true)
      }
    },
    most,
    1000
  )
  const request = (client: string, id: RequestId, method = "tools/call", meta: object = {}) => {
    const answers: Array<any> = []
    const message = {
      jsonrpc: "2.0" as const,
      id,
      method,
      params: {
        name: "x",
        _meta: {
          [key("protocolVersion")]: "2026-07-28",
          [key("clientCapabilities")]: {},
          [key("clientInfo")]: { name: client, version: "1" },
          ...meta
        }
      }
    }
    hosts.request(
      new ClientRequests().open(message, hearing((message) => answers.push(message)))
    )
    return answers
  }
  return { conversations, hosts, request }
}

/** A server answers all that it has been asked. */
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

  it("[G7] all end with the endpoint", async () => {
    const { conversations, hosts, request } = make(2)
    request("ada", 1)
    request("eve", 1)
    await hosts.close("the gateway is shutting down")
    expect(conversations.map(({ isClosed }) => isClosed)).toEqual([true, true])
  })
})
