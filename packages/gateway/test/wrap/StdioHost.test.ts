import { Bytes } from "@mcp-lifeline/core/text"
import { type ClientRequest, JsonShape } from "@mcp-lifeline/protocol"
import { PassThrough } from "node:stream"
import { setImmediate } from "node:timers/promises"
import { describe, expect, it } from "vitest"
import { StdioHost } from "../../src/wrap/StdioHost.js"
import type { Message } from "../support/Host.js"

const make = (longest?: Bytes) => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const requests: Array<ClientRequest> = []
  const received: Array<Message> = []
  const stdio = new StdioHost(input, output, {
    conversation: {
      request: (request) => void requests.push(request),
      receive: (message) => void received.push(message as Message)
    },
    onEnd: () => undefined
  }, longest)
  const chunks: Array<string> = []
  output.on("data", (chunk: Buffer) => void chunks.push(String(chunk)))
  return {
    stdio,
    requests,
    received,
    chunks,
    end: async (): Promise<void> => {
      input.end()
      await setImmediate()
    },
    write: async (...messages: ReadonlyArray<object>): Promise<void> => {
      for (const message of messages) input.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
      await setImmediate()
    },
    read: async (): Promise<ReadonlyArray<Message>> => {
      await stdio.flushed()
      await setImmediate()
      return chunks.join("").trim().split("\n").filter(Boolean).map((line) => JSON.parse(line) as Message)
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

  it("[X1 G18] a message with too many values is refused by its id, and an answer with as many is an error for the server", async () => {
    const { read, received, requests, write } = make()
    const many = Array.from({ length: JsonShape.mostValues }, () => 0)
    await write({ id: 7, method: "tools/call", params: { many } }, { id: 8, result: { many } })
    const error = { code: -32_600, message: "the message has more than 300000 values: send it in another form" }
    await expect.poll(() => received).toMatchObject([{ id: 8, error }])
    expect(requests).toEqual([])
    expect(await read()).toMatchObject([{ id: 7, error }])
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
    const initialized = { method: "notifications/initialized" }
    await write(cancelled(1), cancelled(2, "enough"), cancelled(2), cancelled(3), initialized)
    expect(stopped).toEqual([[2, "enough"]])
    // What was asked instead of an answer can be cancelled still: others are told of what is over.
    const passed = [2, 3, "notifications/initialized"]
    expect(received.map(({ method, params }) => params?.requestId ?? method)).toEqual(passed)
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

  it("[W3] what is longer than it reads becomes an error of that request, and nothing else is harmed", async () => {
    const { read, received, requests, stdio, write } = make(Bytes(1000))
    await write({ id: "x", method: "tools/call" }, { id: "y", method: "tools/call" })
    const long = { content: [{ type: "text", text: "é".repeat(500) }] } as const
    requests[0]?.answer({ result: long })
    requests[1]?.answer({ result: { content: [] } })
    stdio.write({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: long } })
    stdio.write({ jsonrpc: "2.0", id: 5, method: "sampling/createMessage", params: long })
    const messages = await read()
    expect(messages).toMatchObject([
      {
        id: "x",
        error: {
          code: -32_603,
          data: { fate: "answered" },
          message: expect.stringMatching(/1.*long.*1.*--max-message/)
        }
      },
      { id: "y", result: { content: [] } }
    ])
    expect(messages).toHaveLength(2)
    expect(received).toMatchObject([{ id: 5, error: { message: expect.stringContaining("the host reads at most") } }])
  })

  it("[W5] that has closed its end gets the answers that it waits for, and is asked nothing more", async () => {
    const { end, read, received, requests, stdio, write } = make()
    await write({ id: "x", method: "tools/call" })
    stdio.write({ jsonrpc: "2.0", id: 1, method: "roots/list" })
    stdio.write({ jsonrpc: "2.0", id: 2, method: "roots/list" })
    await write({ id: 2, result: { roots: [] } })
    await end()
    stdio.write({ jsonrpc: "2.0", id: 3, method: "roots/list" })
    let isSettled = false
    void stdio.settled.then(() => (isSettled = true))
    await setImmediate()
    const refused = expect.objectContaining({ message: expect.stringContaining("closed its end") })
    expect(received).toEqual([
      expect.objectContaining({ id: 2, result: { roots: [] } }),
      expect.objectContaining({ id: 1, error: refused }),
      expect.objectContaining({ id: 3, error: refused })
    ])
    expect(isSettled).toBe(false)
    requests[0]?.answer({ result: { content: [] } })
    expect((await read()).at(-1)).toMatchObject({ id: "x", result: { content: [] } })
    expect(isSettled).toBe(true)
  })

  it("[W3] an answer is written by itself, after what was said of its request, also where that was said just before", async () => {
    const { chunks, requests, stdio, write } = make()
    await write({ id: 1, method: "tools/call" }, { id: 2, method: "tools/call" }, { id: 3, method: "tools/call" })
    await expect.poll(() => requests.length).toBe(3)
    for (const request of requests) {
      if (request.id !== 1) request.say({ jsonrpc: "2.0", method: "notifications/progress", params: {} })
      request.answer({ result: {} })
    }
    await setImmediate()
    await stdio.flushed()
    await setImmediate()
    const shown = chunks.map((chunk) => chunk.match(/(?<="id":).|progress/g))
    expect(shown).toEqual([["1", "progress", "progress"], ["2", "3"]])
  })
})
