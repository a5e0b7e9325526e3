import { Bytes } from "@mcp-lifeline/core/text"
import { Effect } from "effect"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { beforeEach, describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { EventBudget } from "../src/EventBudget.js"
import { SseWriter } from "../src/SseWriter.js"
import * as Raw from "./support/RawEndpoint.js"
import * as Reader from "./support/Reader.js"

// What is tested here is a part, without the one who ends it.
beforeEach(() => mayLeave("events"))

const serve = (take: (response: ServerResponse) => void) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer((_, response) => take(response))
          server.listen(0, "127.0.0.1", () => resolve(server))
        })
      ),
      (server) =>
        Effect.promise(() =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            server.closeAllConnections()
          })
        )
    ),
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  )

const sized = (length: number, character = "x"): string => character.repeat(length)

const stream = (
  name: string,
  budget: EventBudget,
  options: Partial<ConstructorParameters<typeof SseWriter>[0]> = {}
) => new SseWriter({ name: `${name}.`, budget, sendsPrimingEvent: () => false, ...options })

const sent = ({ text }: Reader.Reader): ReadonlyArray<unknown> =>
  [...text().matchAll(/^data: (.+)$/gm)].map(([, data = ""]) => {
    if (!data.startsWith("{")) return data
    const { error, id } = JSON.parse(data) as { readonly error: { readonly data: object }; readonly id: unknown }
    return { lost: id, ...error.data }
  })

const lost = (id: number) => ({ lost: id, tag: "ResultUnknown", fate: "unknown" })

const read = (one: SseWriter, after?: number) => {
  const reader = Reader.make()
  one.attach(reader.response, after)
  return sent(reader)
}

describe("what all streams keep together", () => {
  let budget: EventBudget
  beforeEach(() => {
    budget = new EventBudget(Bytes(100))
  })

  it("[G17] is within the budget, whoever reads", () => {
    const streams = ["a", "b", "c"].map((name) => stream(name, budget))
    for (const one of streams) {
      one.send(sized(80))
      expect(budget.bytes).toBeLessThanOrEqual(100)
    }
    expect(streams.map((one) => read(one).length)).toEqual([0, 0, 1])
  })

  it("[G17] is within the budget, also where one stream alone exceeds it", () => {
    const one = stream("a", budget)
    one.send(sized(101), { answers: 1 })
    expect([budget.bytes, budget.size]).toEqual([0, 0])
    expect(read(one)).toEqual([lost(1)])
  })

  it("[G11 G18] of each request whose answer was let go of, who resumes is told that it is lost", () => {
    const [first, second] = [stream("a", budget), stream("b", budget)]
    first.send(sized(60), { answers: 1 })
    first.end()
    second.send(sized(70), { answers: 2 })
    expect(read(first, 0)).toEqual([lost(1)])
    expect(read(second, 0)).toEqual([sized(70)])
  })

  it("[G11 G18] so is who comes back because an answer that was sent did not arrive", () => {
    const first = stream("a", budget)
    const reader = Reader.make()
    first.attach(reader.response)
    first.send(sized(10, "p"))
    first.send(sized(60), { answers: 1 })
    first.end()
    stream("b", budget).send(sized(70), { answers: 2 })
    expect(sent(reader)).toEqual([sized(10, "p"), sized(60)])
    expect(read(first, 1)).toEqual([lost(1)])
    expect(read(first, 2)).toEqual([])
  })

  it("[G18] a reader that is slow is told in its place, and its response ends then", () => {
    const slow = Reader.make(true)
    const first = stream("a", budget)
    first.attach(slow.response)
    first.send("progress")
    first.send(sized(60), { answers: 1 })
    first.end()
    stream("b", budget).send(sized(70), { answers: 2 })
    expect([sent(slow), slow.end()]).toEqual([["progress"], undefined])
    slow.drain()
    expect([sent(slow), slow.end()]).toEqual([["progress", lost(1)], "ended"])
  })

  it("[G11 G17] what was sent is let go of before what was not", () => {
    const first = stream("a", budget)
    first.attach(Reader.make().response)
    first.send(sized(30, "s"))
    first.detach()
    first.send(sized(30, "p"))
    first.send(sized(40), { answers: 1 })
    stream("b", budget).send(sized(30))
    expect(budget.bytes).toBe(100)
    expect(read(first, 0)).toEqual([sized(30, "p"), sized(40)])
  })

  it("[G11 G17] an answer that was sent is let go of before one that was not, however long ago that was", () => {
    const [waiting, answered] = [stream("a", budget, { client: 1 }), stream("b", budget, { client: 1 })]
    waiting.send(sized(30), { answers: 1 })
    answered.attach(Reader.make().response)
    answered.send(sized(60), { answers: 2 })
    stream("c", budget).send(sized(30))
    expect([read(waiting), read(answered, 0)]).toEqual([[sized(30)], [lost(2)]])
  })

  it("[G17] an answer outlives what is said beside it", () => {
    const first = stream("a", budget)
    first.send(sized(50, "p"))
    first.send(sized(40), { answers: 1 })
    stream("b", budget).send(sized(20))
    expect(read(first)).toEqual([sized(40)])
  })

  it("[G17] a reader whose unsent notifications were let go of is sent away, so that it comes back", () => {
    const slow = Reader.make(true)
    const first = stream("a", budget)
    first.attach(slow.response)
    first.send("1")
    first.send(sized(80))
    stream("b", budget).send(sized(60))
    expect(slow.end()).toBe("destroyed")
    expect(first.hasReader).toBe(false)
  })

  it("[X5] who keeps more than a fair share lets go of it; what others keep stays", () => {
    budget = new EventBudget(Bytes(1000))
    const greedy = {}
    const modest = stream("m", budget)
    modest.send(sized(200), { answers: 1 })
    const streams = Array.from({ length: 50 }, (_, n) => stream(`g${n}`, budget, { client: greedy }))
    for (const [n, one] of streams.entries()) {
      one.send(sized(100), { answers: n })
      expect(budget.bytes).toBeLessThanOrEqual(1000)
    }
    expect(read(modest)).toEqual([sized(200)])
    expect(streams.flatMap((one) => read(one)).filter((text) => text === sized(100))).toHaveLength(8)
  })

  it("[X5] who keeps less than a share loses nothing to many that keep a little", () => {
    budget = new EventBudget(Bytes(1000))
    const modest = stream("m", budget)
    modest.send(sized(100), { answers: 1 })
    const others = [1, 2, 3].map((n) => stream(String(n), budget))
    for (const one of others) one.send(sized(400), { answers: 9 })
    expect(read(modest)).toEqual([sized(100)])
    expect(others.map((one) => read(one))).toEqual([[lost(9)], [sized(400)], [sized(400)]])
  })
})

describe("what one stream keeps", () => {
  const bounds = { maxEvents: 3, maxBytes: Bytes(100), maxLogs: 2 }
  const bounded = () => stream("a", new EventBudget(Bytes(1_000_000)), { bounds })

  it("[G17 G18] is bounded in events; the oldest goes first, and no answer", () => {
    const one = bounded()
    one.send("answer", { answers: 1 })
    for (const text of ["1", "2", "3", "4"]) one.send(text)
    expect(read(one)).toEqual(["answer", "3", "4"])
  })

  it("[G17 G18] is bounded in bytes; an answer that is let go of is told to be lost, and the newest event stays", () => {
    const one = bounded()
    one.send(sized(60), { answers: 1 })
    one.send(sized(60), { answers: 2 })
    expect(read(one)).toEqual([lost(1), sized(60)])
    const other = bounded()
    other.send(sized(300), { answers: 3 })
    expect(read(other)).toEqual([sized(300)])
  })

  it("[G17] is bounded in log messages, which are counted where they are dropped", () => {
    const one = bounded()
    for (const text of ["1", "2", "3"]) one.send(text, { isLog: true })
    expect(one.dropped).toBe(1)
    expect(read(one)).toEqual(["1", "2"])
    one.send("4", { isLog: true })
    expect(read(one, 0)).toEqual(["1", "2", "4"])
  })

  it("[G11] whoever comes back reads on after the event that it names, and only what there is", () => {
    const one = bounded()
    for (const text of ["1", "2", "3", "4"]) one.send(text)
    expect(read(one)).toEqual(["2", "3", "4"])
    expect(read(one, 2)).toEqual(["3", "4"])
    expect(read(one, 0)).toEqual(["2", "3", "4"])
    expect(read(one, 99)).toEqual([])
  })

  it("[G11] the event without data names the last one that the client has", () => {
    const one = stream("a", new EventBudget(Bytes(1_000_000)), { sendsPrimingEvent: () => true })
    const primed = (after?: number) => {
      const reader = Reader.make()
      one.attach(reader.response, after)
      return /^id: a\.(\d+)\ndata: \n/.exec(reader.text())?.[1]
    }
    expect(primed()).toBe("0")
    one.send("1")
    one.send("2")
    expect(primed()).toBe("2")
    expect(primed(0)).toBe("0")
    expect(primed(1)).toBe("1")
  })

  it("[G18] a reader that has not been sent an answer is told so when the stream is closed", () => {
    const slow = Reader.make(true)
    const one = bounded()
    one.attach(slow.response)
    one.send("1")
    one.send("2")
    one.send("answer", { answers: 3 })
    one.close()
    expect([sent(slow), slow.end()]).toEqual([["1", lost(3)], "ended"])
  })

  it("[G11] the end of an old response is not that of the new one", async () => {
    const one = bounded()
    const [old, fresh] = [Reader.make(), Reader.make()]
    one.attach(old.response)
    one.attach(fresh.response)
    await new Promise((resolve) => setImmediate(resolve))
    expect(old.end()).toBe("ended")
    expect(one.hasReader).toBe(true)
    one.send("1")
    expect(sent(fresh)).toEqual(["1"])
  })

  it("[G13] a stream to which nobody can come back keeps nothing without its reader, and says nothing more", () => {
    const budget = new EventBudget(Bytes(1_000_000))
    const one = new SseWriter({ budget, sendsPrimingEvent: () => false })
    const slow = Reader.make(true)
    one.attach(slow.response)
    one.send("1")
    one.send("2")
    expect(budget.bytes).toBe(1)
    slow.response.emit("close")
    one.send("3")
    expect([budget.bytes, budget.size, one.isWaiting]).toEqual([0, 0, false])
  })
})

describe("who reads one stream", () => {
  const bounds = { maxEvents: 3, maxBytes: Bytes(100), maxLogs: 2 }
  const bounded = (options: Partial<ConstructorParameters<typeof SseWriter>[0]> = {}) =>
    stream("a", new EventBudget(Bytes(1_000_000)), { bounds, ...options })
  const turn = () => new Promise((resolve) => setImmediate(resolve))

  it("[G11] is seen to come and to go", async () => {
    const one = bounded()
    for (const reader of [Reader.make(), Reader.make()]) {
      one.attach(reader.response)
      expect(one.hasReader).toBe(true)
      one.detach()
      expect(one.hasReader).toBe(false)
    }
  })

  it("[G11] sees that the connection lives, unless more waits than it reads", () => {
    const [fast, slow] = [Reader.make(), Reader.make(true)]
    const one = bounded()
    one.tick()
    one.attach(fast.response)
    one.tick()
    expect(fast.text()).toBe(": keepalive\n\n")
    one.attach(slow.response)
    one.send("1")
    const written = slow.text()
    one.tick()
    expect(slow.text()).toBe(written)
    slow.drain()
    one.tick()
    expect(slow.text()).toBe(`${written}: keepalive\n\n`)
  })

  it("[G17] stays while what it was sent is let go of, and is sent away where more waits than is kept", () => {
    const [fast, slow] = [Reader.make(), Reader.make(true)]
    const one = bounded()
    one.attach(fast.response)
    for (const text of ["1", "2", "3", "4", "5"]) one.send(text)
    expect([sent(fast), fast.end(), one.hasReader]).toEqual([["1", "2", "3", "4", "5"], undefined, true])
    const other = bounded()
    other.attach(slow.response)
    for (const text of ["1", "2", "3", "4"]) other.send(text)
    expect([sent(slow), slow.end(), other.hasReader]).toEqual([["1"], undefined, true])
    other.send("5")
    expect([slow.end(), other.hasReader]).toEqual(["destroyed", false])
    expect(read(other)).toEqual(["3", "4", "5"])
  })

  it("[G17] of what goes out to it again, log messages count again, and nothing else does", () => {
    const one = bounded()
    one.attach(Reader.make().response)
    for (const text of ["1", "2", "3"]) one.send(text, { isLog: true })
    const slow = Reader.make(true)
    one.attach(slow.response, 0)
    expect(sent(slow)).toEqual(["1"])
    one.send("4", { isLog: true })
    expect(one.dropped).toBe(1)
    const other = bounded()
    other.attach(Reader.make().response)
    for (const text of ["1", "2", "3"]) other.send(text)
    other.detach()
    for (const text of ["4", "5", "6"]) other.send(text, { isLog: true })
    expect(other.dropped).toBe(1)
    const again = bounded()
    again.attach(Reader.make().response)
    for (const text of ["1", "2", "3"]) again.send(text)
    again.attach(Reader.make(true).response, 0)
    for (const text of ["4", "5"]) again.send(text, { isLog: true })
    expect(again.dropped).toBe(0)
  })

  it("[G11] of what goes out to it again, what waits under a key is not said twice", async () => {
    const one = bounded()
    one.attach(Reader.make().response)
    one.send("first")
    one.send("changed", { key: "list" })
    await turn()
    const slow = Reader.make(true)
    one.attach(slow.response, 0)
    one.send("changed again", { key: "list" })
    await turn()
    slow.drain()
    expect(sent(slow)).toEqual(["first", "changed"])
    one.send("changed once more", { key: "list" })
    await turn()
    slow.drain()
    expect(sent(slow)).toEqual(["first", "changed", "changed once more"])
  })

  it("[G13] to which nobody can come back: what it has not read is kept, and nothing else", () => {
    const budget = new EventBudget(Bytes(1_000_000))
    const one = new SseWriter({ budget, sendsPrimingEvent: () => false })
    const slow = Reader.make(true)
    one.attach(slow.response)
    one.send(sized(10, "a"))
    one.send(sized(20, "b"))
    one.send(sized(30, "c"))
    expect(budget.bytes).toBe(50)
    one.discard("sent")
    slow.drain()
    expect(budget.bytes).toBe(30)
    slow.drain()
    expect([budget.bytes, sent(slow)]).toEqual([0, [sized(10, "a"), sized(20, "b"), sized(30, "c")]])
  })
})

describe("the bounds of one stream", () => {
  const budget = () => new EventBudget(Bytes(1_000_000))
  const bounds = { maxEvents: 100, maxBytes: Bytes(50), maxLogs: 2 }

  it("[G17] let it have as much as they say", () => {
    const one = stream("a", budget(), { bounds })
    for (const text of [sized(20, "a"), sized(30, "b")]) one.send(text)
    expect(read(one)).toEqual([sized(20, "a"), sized(30, "b")])
  })

  it("[G17 G18] take the oldest answers where nothing else is there, and never what was said last", () => {
    const answers = stream("a", budget(), { bounds })
    for (const [id, length] of [[1, 10], [2, 10], [3, 60]] as const) answers.send(sized(length), { answers: id })
    expect(read(answers)).toEqual([lost(1), lost(2), sized(60)])
    const note = stream("b", budget(), { bounds })
    note.send(sized(40), { answers: 1 })
    note.send(sized(20))
    expect(read(note)).toEqual([lost(1), sized(20)])
  })

  it("[G17 G11] take what waits under a key, and log messages, which then wait no more: the next ones are said", async () => {
    for (const way of ["bounds", "budget"] as const) {
      const one = stream("a", budget(), { bounds: { ...bounds, maxEvents: 3 } })
      one.send("changed", { key: "list" })
      for (const text of ["log 1", "log 2"]) one.send(text, { isLog: true })
      if (way === "bounds") { for (const text of ["1", "2", "3"]) one.send(text) }
      else one.discard("unsent")
      one.send("changed again", { key: "list" })
      for (const text of ["log 3", "log 4", "log 5"]) one.send(text, { isLog: true })
      await new Promise((resolve) => setImmediate(resolve))
      expect([way, read(one), one.dropped]).toEqual([way, ["changed again", "log 3", "log 4"], 1])
    }
  })

  it("[G17 D11] keep nothing of a stream that somebody else continues; its reader gets all that was said, and nothing more", () => {
    const all = budget()
    const one = stream("a", all)
    const reader = Reader.make(true)
    one.attach(reader.response)
    for (const text of ["1", "2", "3"]) one.send(text)
    expect(one.release(Reader.make().response)).toBe(false)
    expect(sent(reader)).toEqual(["1"])
    expect(one.release(reader.response)).toBe(true)
    one.send("4", { answers: 1 })
    one.tick()
    expect([sent(reader), reader.end(), one.hasReader, one.isWaiting]).toEqual([
      ["1", "2", "3"],
      undefined,
      false,
      false
    ])
    expect([all.bytes, all.size, one.isOverAfter(3), one.release(reader.response)]).toEqual([0, 0, true, false])
  })

  it("[D11] somebody else continues no stream whose reader has gone, or is going", () => {
    for (const isGone of [true, false]) {
      const one = stream("a", budget())
      const reader = Reader.make()
      one.attach(reader.response)
      if (isGone) reader.leave()
      else Object.assign(reader.response, { destroyed: true })
      expect(one.release(reader.response)).toBe(false)
      one.send("1", { answers: 1 })
      expect(one.lastEvent).toBe(1)
    }
  })

  it("[G17] hold for ever once it is over: it ends once, and nothing comes after its end", () => {
    const all = budget()
    const one = stream("a", all)
    one.end()
    const { endedAt } = one
    expect(endedAt).toBeTypeOf("number")
    while (performance.now() === endedAt);
    one.end()
    expect(one.endedAt).toBe(endedAt)
    const closed = stream("b", all)
    closed.send("answer", { answers: 1 })
    closed.close()
    expect(all.bytes).toBe(0)
    closed.send("more")
    expect([all.bytes, all.size, closed.isWaiting]).toEqual([0, 0, false])
  })
})

describe("an answer beyond the budget, over HTTP", () => {
  test.scopedLive("[G11 G18] is told to be lost to the client that comes back for it", function*() {
    const { conversations, url } = yield* Raw.serve(undefined, { limits: { maxKeptBytes: Bytes(1000) } })
    yield* Effect.promise(async () => {
      const sessions = [await Raw.begin(url), await Raw.begin(url)]
      const broken: Array<string> = []
      for (const [n, session] of sessions.entries()) {
        const sending = Raw.send(url, "POST", session, { id: 7, method: "tools/call" })
        await expect.poll(() => conversations[n]?.received.at(-1)?.id).toBe(7)
        conversations[n]?.client.write(
          { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 1, progress: 1 } },
          7
        )
        const first = await sending
        broken.push(Raw.lastId(await first.until('"progress":1')))
        first.cut()
        await first.body
      }
      for (const { client } of conversations) client.write({ jsonrpc: "2.0", id: 7, result: { text: sized(600) } })
      const answers = await Promise.all(broken.map(async (id, n) => {
        const again = await Raw.send(url, "GET", { ...sessions[n], "Last-Event-ID": id })
        return Raw.events(await again.body).map(({ message: { error, id, result } }) => [id, error?.data ?? result])
      }))
      // Which of the two is lost depends on which end of a connection the gateway sees first.
      expect(answers.flat()).toHaveLength(2)
      expect(answers.flat()).toContainEqual([7, { tag: "ResultUnknown", fate: "unknown" }])
      expect(answers.flat()).toContainEqual([7, { text: sized(600) }])
    })
  })
})

describe("what a stream keeps", () => {
  test.scopedLive("[G13] nothing is kept of a stream to which nobody can come back, once it is sent", function*() {
    const budget = new EventBudget(Bytes(1_000_000))
    const url = yield* serve((response) => {
      const stream = new SseWriter({ budget, sendsPrimingEvent: () => false })
      stream.attach(response)
      stream.send("{}")
      stream.end()
    })
    const text = yield* Effect.promise(async () => (await fetch(url)).text())
    expect(text).toBe("event: message\ndata: {}\n\n")
    expect([budget.size, budget.bytes]).toEqual([0, 0])
  })

  test.scopedLive("[G13] nothing is kept of a stream to which nobody can come back, once its reader has gone", function*() {
    const budget = new EventBudget(Bytes(1_000_000))
    let isGone = () => {}
    const gone = new Promise<void>((resolve) => {
      isGone = resolve
    })
    const url = yield* serve((response) => {
      const stream = new SseWriter({ budget, sendsPrimingEvent: () => false })
      stream.attach(response)
      response.once("close", () => {
        stream.send("an answer that came too late")
        stream.end()
        isGone()
      })
    })
    yield* Effect.promise(async () => {
      const response = await fetch(url)
      await response.body?.cancel()
      await gone
    })
    expect([budget.size, budget.bytes]).toEqual([0, 0])
  })

  it.effect("[G13] a stream counts as long as it keeps something for a client that comes back", () =>
    Effect.sync(() => {
      const budget = new EventBudget(Bytes(1_000_000))
      const stream = new SseWriter({ name: "s.", budget, sendsPrimingEvent: () => false })
      stream.send("{}")
      expect([budget.size, budget.bytes]).toEqual([1, 2])
      stream.close()
      expect([budget.size, budget.bytes]).toEqual([0, 0])
    }))
})
