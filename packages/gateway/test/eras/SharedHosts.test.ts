import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { describe, expect, it } from "vitest"
import { SharedHosts } from "../../src/eras/SharedHosts.js"

const key = (name: string): string => `io.modelcontextprotocol/${name}`

/** Clients of a server that answers what the test says. */
const make = (most: number) => {
  const conversations: Array<{
    readonly write: (message: JSONRPCMessage, about?: RequestId) => void
    readonly received: Array<any>
    isClosed: boolean
  }> = []
  const hosts = new SharedHosts((write) => {
    const conversation = { write, received: [] as Array<any>, isClosed: false }
    conversations.push(conversation)
    return {
      introduce: () => Promise.reject(new Error("not scripted")),
      receive: (message) => void conversation.received.push(message),
      close: async () => void (conversation.isClosed = true)
    }
  }, most)
  const request = (client: string, id: RequestId, method = "tools/call", meta: object = {}) => {
    const answers: Array<any> = []
    const answering = hosts.answer((message) => answers.push(message))
    answering.receive({
      jsonrpc: "2.0",
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
    })
    return { answers, leave: () => answering.close("the client has gone") }
  }
  return { conversations, hosts, request }
}

const result = (id: RequestId) => ({ jsonrpc: "2.0", id, result: {} }) as never

describe("clients without sessions that share servers", () => {
  it("[E8] requests with the same client and abilities share a conversation, under numbers of their own", () => {
    const { conversations, request } = make(5)
    const [one, two] = [request("ada", 7), request("ada", 7)]
    expect(conversations).toHaveLength(1)
    const [first, second] = conversations[0]!.received.map(({ id }) => id)
    expect(first).not.toBe(second)
    conversations[0]!.write(result(second), second)
    expect([one.answers, two.answers]).toEqual([[], [{ jsonrpc: "2.0", id: 7, result: {} }]])
    request("ada", 8, "tools/call", { [key("clientCapabilities")]: { sampling: {} } })
    request("eve", 9)
    expect(conversations).toHaveLength(3)
  })

  it("[E8 G17] there are so many and no more; who waits for none makes room, the longest idle first", async () => {
    const { conversations, request } = make(2)
    request("ada", 1)
    request("eve", 1)
    const refused = request("bob", 1)
    expect(refused.answers).toMatchObject([{
      id: 1,
      error: { message: expect.stringContaining("2 clients, the maximum") }
    }])
    expect(conversations).toHaveLength(2)
    for (const { received, write } of conversations) write(result(received[0].id), received[0].id)
    // Who was there again is not the one that has been idle the longest.
    const again = request("ada", 2)
    const number = conversations[0]!.received.at(-1).id
    conversations[0]!.write(result(number), number)
    expect(again.answers).toHaveLength(1)
    request("bob", 2)
    expect(conversations.map(({ isClosed }) => isClosed)).toEqual([false, true, false])
  })

  it("[E8 G17] one is enough for one", () => {
    const { conversations, request } = make(1)
    request("ada", 1)
    expect(request("eve", 1).answers).toMatchObject([{ error: { code: -32_000 } }])
    request("ada", 2)
    expect(conversations).toHaveLength(1)
  })

  it("[E8] who goes away cancels its request, and its stream of changes gets its end", () => {
    const { conversations, request } = make(2)
    const call = request("ada", 1)
    const stream = request("ada", 2, "subscriptions/listen")
    const [first, second] = conversations[0]!.received.map(({ id }) => id)
    call.leave()
    stream.leave()
    stream.leave()
    expect(conversations[0]!.received.slice(2)).toMatchObject([
      { method: "notifications/cancelled", params: { requestId: first } },
      { method: "notifications/cancelled", params: { requestId: second } }
    ])
    expect(call.answers).toEqual([])
    expect(stream.answers).toMatchObject([{ id: 2, result: { resultType: "complete" } }])
    conversations[0]!.write(result(first), first)
    expect(call.answers).toEqual([])
  })

  it("[E8] a request that says nothing of its client is refused, and begins nothing", () => {
    const { conversations, request } = make(2)
    const { answers } = request("ada", 1, "tools/call", { [key("clientCapabilities")]: undefined })
    expect(answers).toMatchObject([{ id: 1, error: { code: -32_602 } }])
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
