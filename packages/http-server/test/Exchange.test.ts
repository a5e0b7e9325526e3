import { ClientRequests } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification } from "@modelcontextprotocol/sdk/types.js"
import { describe, expect, it, vi } from "vitest"
import { Exchange } from "../src/Exchange.js"
import type { SseWriter } from "../src/SseWriter.js"

const make = (ids: ReadonlyArray<number>, { isBatch = false, isDestroyed = false, onError, sessionId, streams }: {
  readonly isBatch?: boolean
  readonly isDestroyed?: boolean
  readonly streams?: "never"
  readonly sessionId?: () => string | undefined
  readonly onError?: (error: unknown) => void
} = {}) => {
  const state = { body: undefined as string | undefined, over: 0, said: [] as Array<unknown>, status: 0, streams: 0 }
  let headers: ReadonlyArray<readonly [string, unknown]> = []
  const response = {
    destroyed: isDestroyed,
    writeHead: (status: number, written: object) => {
      state.status = status
      headers = Object.entries(written)
    },
    end: (body: string | Buffer = "") => void (state.body = String(body))
  }
  const stream = {
    attach: () => undefined,
    send: (text: string, kind: object = {}) => void state.said.push({ text, ...kind }),
    end: () => void state.said.push("end")
  }
  const exchange = new Exchange({
    response: response as never,
    ids,
    isBatch,
    streams,
    sessionId,
    statusOf: (answer) => "result" in answer ? Number(answer.result["status"] ?? 200) : 200,
    onError: onError ?? ((error) => {
      throw error
    }),
    makeStream: () => {
      state.streams++
      return stream as unknown as SseWriter
    },
    onOver: () => void state.over++
  })
  const requests = new ClientRequests()
  const opened = ids.map((id) => requests.open({ jsonrpc: "2.0", id, method: "tools/call" }, exchange))
  const of = (id: number) => opened.find((one) => one.id === id)
  return {
    exchange,
    state,
    headers: () => headers,
    answer: (id: number, result: object = {}) => of(id)?.answer({ result: { ...result } }),
    cancel: (id: number) => of(id)?.cancel(),
    say: () => exchange.say(undefined, progress)
  }
}

const progress: JSONRPCNotification = { jsonrpc: "2.0", method: "notifications/progress", params: {} }
const said = { text: JSON.stringify(progress) }

const text = (id: number, result: object = {}): string => JSON.stringify({ jsonrpc: "2.0", id, result })

describe("one POST", () => {
  it("[G17] no stream is made for a client that has gone, and nothing is written to it", () => {
    const { answer, say, state } = make([1], { isDestroyed: true })
    say()
    answer(1)
    expect(state).toEqual({ body: undefined, over: 1, said: [], status: 0, streams: 0 })
  })

  it("[G13 G18] is answered in JSON with the status of its answer; requests of a batch in one array", () => {
    const one = make([1])
    one.answer(1, { status: 404 })
    expect([one.state.status, one.state.body]).toEqual([404, text(1, { status: 404 })])
    const batch = make([1, 2], { isBatch: true })
    batch.answer(2)
    expect([batch.exchange.isOver, batch.state.body]).toEqual([false, undefined])
    batch.answer(1)
    expect([batch.state.status, batch.state.body, batch.state.over]).toEqual([200, `[${text(2)},${text(1)}]`, 1])
  })

  it("[G10 G13] an answer in JSON names its session after its own headers, or none", () => {
    const own = (length: number) => [["Content-Type", "application/json"], ["Content-Length", length]]
    let id: string | undefined
    const [begun, none] = [make([1], { sessionId: () => id }), make([1], { sessionId: () => undefined })]
    id = "abc"
    begun.answer(1, { text: "\u00e9" })
    none.answer(1)
    expect(begun.headers()).toEqual([...own(Buffer.byteLength(text(1, { text: "\u00e9" }))), ["Mcp-Session-Id", "abc"]])
    expect(none.headers()).toEqual(own(text(1).length))
  })

  it("[G11 G18] answers that came before the stream are said on it, as answers to their requests", () => {
    const { answer, say, state } = make([1, 2], { isBatch: true })
    answer(2)
    say()
    answer(1)
    say()
    expect(state.said).toEqual([{ text: text(2), answers: 2 }, said, { text: text(1), answers: 1 }, "end"])
  })

  it("[G3] what is cancelled is answered no more, and what is answered is answered once", () => {
    const { answer, cancel, exchange, state } = make([1])
    cancel(1)
    answer(1)
    cancel(1)
    exchange.cancelled({ id: 1 } as never)
    expect([state.body, state.over]).toEqual(["", 1])
    const batch = make([1, 2], { isBatch: true })
    batch.answer(1)
    batch.cancel(2)
    expect([batch.state.body, batch.state.over]).toEqual([`[${text(1)}]`, 1])
  })

  it("[G13] an exchange that has no stream says nothing before its answer", () => {
    const { answer, say, state } = make([1], { streams: "never" })
    say()
    answer(1)
    expect([state.streams, state.body]).toEqual([0, text(1)])
  })

  it("[X1] what cannot be written is told, and what comes after it is said", () => {
    const errors: Array<unknown> = []
    const { answer, exchange, state } = make([1], { onError: (error) => void errors.push(error) })
    exchange.say(undefined, { ...progress, params: { n: 1n } } as never)
    expect(errors).toEqual([new Error("notifications/progress for a client cannot be written as JSON")])
    answer(1, { n: 1n })
    expect(JSON.parse(state.body ?? "")).toMatchObject({
      id: 1,
      error: { code: -32_603, message: expect.stringContaining("JSON cannot hold") }
    })
  })

  it("[G13] a stream begins when the answer takes long, or never, as it was made", () => {
    vi.useFakeTimers()
    try {
      const both = [make([1]), make([1], { streams: "never" })]
      const streams = () => both.map(({ state }) => state.streams)
      vi.advanceTimersByTime(999)
      expect(streams()).toEqual([0, 0])
      vi.advanceTimersByTime(1)
      expect(streams()).toEqual([1, 0])
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it("[G18] a batch of which all was cancelled is answered with a stream that has nothing", () => {
    const { cancel, state } = make([1, 2], { isBatch: true })
    cancel(1)
    cancel(2)
    expect([state.status, state.body]).toEqual([200, ""])
  })
})
