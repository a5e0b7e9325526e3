import type { ClientRequest } from "@mcp-lifeline/protocol"
import { PassThrough } from "node:stream"
import { setImmediate } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { StdioHost } from "../../src/wrap/StdioHost.js"
import type { Message } from "../support/Host.js"

/** A host that writes what the test says, in front of a conversation that answers nothing by itself. */
const make = () => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const requests: Array<ClientRequest> = []
  const received: Array<Message> = []
  const stdio = new StdioHost(input, output, {
    conversation: {
      request: (request) => void requests.push(request),
      receive: (message) => void received.push(message as Message)
    },
    onEnd: () => undefined
  })
  let text = ""
  output.on("data", (chunk: Buffer) => (text += String(chunk)))
  return {
    stdio,
    requests,
    received,
    write: async (...messages: ReadonlyArray<object>): Promise<void> => {
      for (const message of messages) input.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
      await setImmediate()
    },
    read: async (): Promise<ReadonlyArray<Message>> => {
      await stdio.flushed()
      await setImmediate()
      return text.trim().split("\n").filter(Boolean).map((line) => JSON.parse(line) as Message)
    }
  }
}

describe("a host over standard input and output", () => {
  it("[G18 W3] a request under the id of one that is not answered is refused; the first one is answered", async () => {
    const { read, requests, write } = make()
    await write({ id: "x", method: "tools/call" }, { id: "x", method: "tools/list" })
    expect(requests.map(({ method }) => method)).toEqual(["tools/call"])
    requests[0]?.answer({ result: { content: [] } })
    await write({ id: "x", method: "tools/list" })
    expect(requests.map(({ method }) => method)).toEqual(["tools/call", "tools/list"])
    expect(await read()).toMatchObject([
      { id: "x", error: { code: -32_600, message: 'a request with the id "x" is not answered yet' } },
      { id: "x", result: { content: [] } }
    ])
  })

  it("[W3] what it cancels is stopped with its reason and answered no more; initialize cannot be cancelled", async () => {
    const { read, received, requests, write } = make()
    const stopped: Array<unknown> = []
    await write({ id: 1, method: "initialize" }, { id: 2, method: "tools/call" })
    for (const request of requests) {
      request.work = {
        stop: (reason) => {
          stopped.push([request.id, reason])
          return "unknown"
        }
      }
    }
    const cancelled = (requestId: number, reason?: string) => ({
      method: "notifications/cancelled",
      params: { requestId, reason }
    })
    await write(cancelled(1), cancelled(2, "enough"), cancelled(2), cancelled(3), {
      method: "notifications/initialized"
    })
    expect(stopped).toEqual([[2, "enough"]])
    // What was asked instead of an answer can be cancelled still: others are told of what is over.
    expect(received.map(({ method, params }) => params?.requestId ?? method)).toEqual([
      2,
      3,
      "notifications/initialized"
    ])
    for (const request of requests) request.answer({ result: {} })
    expect(await read()).toMatchObject([{ id: 1, result: {} }])
  })

  it("[W5 G18] is settled when all is answered or cancelled; what cannot be written is answered with an error", async () => {
    const { read, requests, stdio, write } = make()
    await write({ id: 1, method: "tools/call" }, { id: 2, method: "tools/call" })
    let isSettled = false
    void stdio.settled.then(() => (isSettled = true))
    requests[0]?.answer({ result: { n: 1n } as never })
    await setImmediate()
    expect(isSettled).toBe(false)
    requests[1]?.cancel()
    await setImmediate()
    expect(isSettled).toBe(true)
    stdio.write({ jsonrpc: "2.0", method: "notifications/message", params: { n: 1n } as never })
    expect(await read()).toMatchObject([{ id: 1, error: { code: -32_603 } }])
  })
})
