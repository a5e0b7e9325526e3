import { Bytes } from "@mcp-lifeline/core/text"
import { Effect, Exit, Fiber } from "effect"
import { PassThrough } from "node:stream"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import type { End, Position, Reader } from "../src/EventStream.js"
import { read } from "../src/EventStream.js"

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const stream = (more: Partial<Reader> = {}, headers: Record<string, string> = {}) => {
  const body = Object.assign(new PassThrough(), { dump: () => Promise.resolve() })
  const position: Position = { lastEventId: undefined, retry: undefined }
  const events: Array<string> = []
  const dropped: Array<unknown> = []
  let end: End | undefined
  const fiber = Effect.runFork(read({ status: 200, headers, body }, position, {
    onEvent: ({ data }) => events.push(data),
    onDropped: (message) => dropped.push(message),
    complete: () => false,
    maxBytes: Bytes(100),
    ...more
  }))
  fiber.addObserver((exit) => {
    if (Exit.isSuccess(exit)) end = exit.value
  })
  const write = async (text: string | Buffer): Promise<void> => {
    body.write(text)
    await turn()
    await turn()
  }
  const finish = async (): Promise<void> => {
    body.end()
    await turn()
    await turn()
  }
  return { body, dropped, end: () => end, events, fiber, finish, position, write }
}

describe("a stream of events", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it("[C6 T4:unit] is read to its end; where it stands is known", async () => {
    const comments: Array<string> = []
    const { end, events, finish, position, write } = stream({ onComment: () => comments.push("comment") })
    await write("id: 1\nretry: 20\ndata: a\n\n: there\n\ndata: \xc3")
    await write("data: b\n\n")
    assert.deepStrictEqual(position, { lastEventId: "1", retry: 20 })
    await write("id: \u0001\ndata: c\n\n")
    assert.strictEqual(position.lastEventId, "1")
    await write('{"jsonrpc":"2.0","id":1,"result":{}}\nid:\ndata: d\n\n')
    assert.isUndefined(position.lastEventId)
    assert.lengthOf(events, 4)
    assert.lengthOf(comments, 1)
    assert.isUndefined(end())
    await finish()
    assert.deepInclude(end()!, { cause: undefined, isSilent: false })
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  for (
    const [text, wasOfUse] of [
      ["", false],
      [": there\n\n", false],
      ["id: 1\n\n", false],
      ["id: 1\ndata:\n\n", false],
      ["data: a\n\n", true],
      ["id: 1\ndata: a\n\n", true],
      ["id: 1\nretry: 20\ndata:\n\n", true]
    ] as const
  ) {
    it(`[T4:unit] one that brings ${JSON.stringify(text)} was ${wasOfUse ? "of use" : "of no use"}`, async () => {
      const { end, finish, write } = stream()
      await write(text)
      await finish()
      assert.strictEqual(end()?.wasOfUse, wasOfUse)
    })
  }

  for (const [name, lineEnd] of Object.entries({ LF: "\n", CRLF: "\r\n", CR: "\r" })) {
    it(`[T4:unit] an event whose lines end in ${name} is read at once, wherever it is cut`, async () => {
      const text = `id: 1${lineEnd}data: a${lineEnd}data: b${lineEnd}${lineEnd}`
      for (let at = 1; at <= text.length; at++) {
        const { events, position, write } = stream()
        await write(text.slice(0, at))
        await write(text.slice(at))
        assert.deepStrictEqual(events, ["a\nb"], `cut at ${at}`)
        assert.strictEqual(position.lastEventId, "1")
        await write(text)
        assert.deepStrictEqual(events, ["a\nb", "a\nb"], `cut at ${at}`)
      }
    })
  }

  it("[T4:unit] a character in two pieces is one", async () => {
    const { events, write } = stream()
    const bytes = Buffer.from("data: ö\n\n")
    await write(bytes.subarray(0, 7))
    await write(bytes.subarray(7))
    assert.deepStrictEqual(events, ["ö"])
  })

  it("[X1 C6:unit] a long event is handled before its end and what follows it, and not once nobody reads", async () => {
    const [long, maxBytes] = ["x".repeat(300_000), Bytes(1_000_000)]
    const { body, end, events } = stream({ maxBytes, complete: () => events.includes(long) })
    body.end(`data: ${long}\n\ndata: b\n\n`)
    await vi.waitFor(() => assert.isDefined(end()))
    assert.deepStrictEqual(events, [long, "b"])
    const left = stream({ maxBytes })
    left.body.write(`data: ${long}\n\n`)
    await turn()
    await Effect.runPromise(Fiber.interrupt(left.fiber))
    for (let turns = 0; turns < 5; turns++) await turn()
    assert.deepStrictEqual(left.events, [])
    const open = stream({ maxBytes, complete: () => open.events.includes(long) })
    open.body.write(`data: ${long}\n\n`)
    await vi.waitFor(() => assert.deepStrictEqual(open.events, [long]))
    vi.advanceTimersByTime(2_000)
    await vi.waitFor(() => assert.isDefined(open.end()))
  })

  it("[C6:unit] that is cut ends with the cause, and also where there is none", async () => {
    const reset = new Error("reset")
    const cut = stream()
    cut.body.destroy(reset)
    await turn()
    assert.deepInclude(cut.end()!, { cause: reset, isSilent: false })
    const closed = stream()
    closed.body.destroy()
    await turn()
    assert.instanceOf(closed.end()?.cause, Error)
  })

  it("[T4:unit] on which nothing comes is ended, unless something has come later than what a server has kept", async () => {
    const silent = stream({ maxSilence: 500 })
    await turn()
    vi.advanceTimersByTime(499)
    await silent.write(": there\n\n")
    vi.advanceTimersByTime(499)
    assert.isUndefined(silent.end())
    vi.advanceTimersByTime(1)
    await turn()
    assert.deepInclude(silent.end()!, { cause: undefined, isSilent: true })
    assert.isTrue(silent.body.destroyed)
    const alive = stream({ maxSilence: 1500 })
    await turn()
    vi.advanceTimersByTime(1001)
    await alive.write(": there\n\n")
    vi.advanceTimersByTime(3_600_000)
    await turn()
    assert.isUndefined(alive.end())
    const unbounded = stream()
    await turn()
    assert.strictEqual(vi.getTimerCount(), 0)
    assert.isUndefined(unbounded.end())
  })

  it("[T12:unit] a line without an end, and an event of many lines, end it; a long message is dropped, and it goes on", async () => {
    const long = stream()
    await long.write(`data: {"id":7,"result":"${"x".repeat(120)}"}\n\ndata: next\n\n`)
    assert.deepStrictEqual(long.dropped, [{ id: 7, isResponse: true }])
    assert.include(long.events, "next")
    for (const text of ["data: ".padEnd(300, "x"), "data: 0123456789\n".repeat(40)]) {
      const { body, end, write } = stream()
      await write(text)
      assert.deepInclude(end()?.cause, { _tag: "AnswerFailure" })
      assert.isTrue(body.destroyed)
    }
  })

  it("[C6:unit] that has carried what it was for is closed soon, once, where the server does not", async () => {
    let answered = false
    const { body, end, write } = stream({ complete: () => answered })
    await write("data: a\n\n")
    assert.strictEqual(vi.getTimerCount(), 0)
    answered = true
    await write("data: b\n\n")
    vi.advanceTimersByTime(200)
    await write("data: c\n\n")
    assert.isFalse(body.destroyed)
    vi.advanceTimersByTime(50)
    await turn()
    assert.isTrue(body.destroyed)
    assert.isDefined(end())
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("[G17:unit] is not read, and not called silent, while its reader cannot take more", async () => {
    let resume: () => void = () => {}
    let waiting: Promise<void> | undefined
    const { body, end, events, write } = stream({ drained: () => waiting, maxSilence: 500 })
    await write("data: a\n\n")
    waiting = new Promise((resolve) => {
      resume = resolve
    })
    await write("data: b\n\n")
    await write("data: c\n\n")
    assert.deepStrictEqual(events, ["a", "b"])
    assert.isTrue(body.isPaused())
    vi.advanceTimersByTime(10_000)
    assert.isUndefined(end())
    waiting = undefined
    resume()
    await turn()
    await turn()
    assert.deepStrictEqual(events, ["a", "b", "c"])
  })

  it("[T2:unit] that nobody reads any more is closed, with its timers", async () => {
    const { body, fiber, write } = stream({ maxSilence: 500, complete: () => true })
    await write("data: a\n\n")
    assert.strictEqual(vi.getTimerCount(), 2)
    await Effect.runPromise(Fiber.interrupt(fiber))
    assert.isTrue(body.destroyed)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("[T13:unit] in a coding that nobody asked for is refused", async () => {
    const { fiber } = stream({}, { "content-encoding": "zstd" })
    assert.isTrue(Exit.isFailure(await Effect.runPromise(Fiber.await(fiber))))
  })
})
