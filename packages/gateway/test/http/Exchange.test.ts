import { describe, expect, it } from "vitest"
import type { EventStream } from "../../src/http/EventStream.js"
import { Exchange } from "../../src/http/Exchange.js"

/** An exchange whose response says what was written. */
const make = (ids: ReadonlyArray<number>, { isBatch = false, isDestroyed = false, streams }: {
  readonly isBatch?: boolean
  readonly isDestroyed?: boolean
  readonly streams?: "atOnce" | "never"
} = {}) => {
  const state = { body: undefined as string | undefined, over: 0, said: [] as Array<unknown>, status: 0, streams: 0 }
  const response = {
    destroyed: isDestroyed,
    writeHead: (status: number) => void (state.status = status),
    end: (body = "") => void (state.body = body)
  }
  const stream = {
    attach: () => undefined,
    say: (text: string, kind: object = {}) => void state.said.push({ text, ...kind }),
    end: () => void state.said.push("end")
  }
  const exchange = new Exchange({
    response: response as never,
    ids,
    isBatch,
    streams,
    makeStream: () => {
      state.streams++
      return stream as unknown as EventStream
    },
    onOver: () => void state.over++
  })
  return { exchange, state }
}

describe("one POST", () => {
  it("[G17] no stream is made for a client that has gone, and nothing is written to it", () => {
    const { exchange, state } = make([1], { isDestroyed: true, streams: "atOnce" })
    exchange.say("progress")
    exchange.answer(1, "answer")
    expect(state).toEqual({ body: undefined, over: 1, said: [], status: 0, streams: 0 })
  })

  it("[G13 G18] is answered in JSON with the status of its answer; requests of a batch in one array", () => {
    const one = make([1])
    one.exchange.answer(1, "{}", 404)
    expect([one.state.status, one.state.body]).toEqual([404, "{}"])
    const batch = make([1, 2], { isBatch: true })
    batch.exchange.answer(2, "2")
    expect([batch.exchange.isOver, batch.state.body]).toEqual([false, undefined])
    batch.exchange.answer(1, "1")
    expect([batch.exchange.isOver, batch.state.body, batch.state.over]).toEqual([true, "[2,1]", 1])
  })

  it("[G11 G18] answers that came before the stream are said on it, as answers to their requests", () => {
    const { exchange, state } = make([1, 2], { isBatch: true })
    exchange.answer(2, "two")
    exchange.say("progress")
    exchange.answer(1, "one")
    exchange.say("too late")
    expect(state.said).toEqual([{ text: "two", answers: 2 }, { text: "progress" }, { text: "one", answers: 1 }, "end"])
  })

  it("[G3] what is cancelled is answered no more, and what is answered is answered once", () => {
    const { exchange, state } = make([1])
    exchange.cancel(1)
    exchange.answer(1, "late")
    exchange.cancel(1)
    expect([state.body, state.over]).toEqual(["", 1])
    const closed = make([1, 2], { isBatch: true })
    closed.exchange.answer(1, "1")
    closed.exchange.close((id) => `closed ${id}`)
    expect([closed.state.body, closed.state.over]).toEqual(["[1,closed 2]", 1])
  })

  it("[G13] an exchange that has no stream says nothing before its answer", () => {
    const { exchange, state } = make([1], { streams: "never" })
    exchange.say("progress")
    exchange.answer(1, "{}")
    expect([state.streams, state.body]).toEqual([0, "{}"])
  })
})
