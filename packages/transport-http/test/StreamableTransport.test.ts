import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import {
  answerTo,
  connecting,
  forgotten,
  kinds,
  refused,
  reset,
  say,
  status,
  target,
  turn,
  until
} from "./fixtures/Played.js"

const { streamable } = kinds

describe("Streamable HTTP", () => {
  const initialized = async () => {
    const made = await streamable()
    const told = await made.send({ method: "notifications/initialized" })
    await told.exchange.answer(202)
    return { ...made, get: made.asked.findLast(({ ask }) => ask.method === "GET")! }
  }

  it("[T1:unit] says whose it is and, once that is up, which session it has, if it has one", async () => {
    const begun = await connecting()
    await begun.transport.start().then(() => {})
    assert.deepStrictEqual(begun.transport.peer, { url: target })
    const seen = () => [begun.transport.stateful, begun.transport.sessionId]
    assert.deepStrictEqual(seen(), [false, undefined])
    await (await begun.call(0, "initialize")).exchange.json({ result: {} })
    assert.deepStrictEqual(seen(), [true, undefined])
    begun.transport.setProtocolVersion?.("2025-11-25")
    assert.deepStrictEqual(seen(), [true, "s1"])
    const none = await connecting()
    const { exchange } = await none.call(0, "initialize")
    await exchange.answer(200, { "content-type": "application/json" }, '{"jsonrpc":"2.0","id":0,"result":{}}')
    none.transport.setProtocolVersion?.("2025-11-25")
    assert.deepStrictEqual([none.transport.stateful, none.transport.sessionId], [false, undefined])
  })

  it("[T4:unit] the stream from the server is opened once the session is up, and ends with its loss", async () => {
    const { asked, call, get, losses } = await initialized()
    assert.deepInclude(get.ask.headers, { "mcp-session-id": "s1", accept: "text/event-stream" })
    assert.deepInclude(get.ask, { inSession: true, prompt: true })
    const { exchange } = await call(1)
    await exchange.fail(forgotten)
    assert.lengthOf(losses, 1)
    assert.isTrue(get.isInterrupted)
    assert.lengthOf(asked.filter(({ ask }) => ask.method === "GET"), 1)
  })

  it("[T4:unit] it is not opened where the session could not be begun, or is lost already", async () => {
    const { asked, send } = await streamable()
    const told = await send({ method: "notifications/initialized" })
    await told.exchange.fail(status(503))
    assert.deepInclude(told.outcome.value, { fate: "unknown" })
    assert.lengthOf(asked.filter(({ ask }) => ask.method === "GET"), 0)
  })

  it("[R7:unit] a refusal of what begins the session proves nothing: the session is asked", async () => {
    for (const isGone of [true, false]) {
      const { asked, losses, send } = await streamable()
      const told = await send({ method: "notifications/initialized" })
      await told.exchange.fail(forgotten)
      const ping = asked.at(-1)!
      assert.deepInclude(ping.rpc, { method: "ping" })
      if (isGone) await ping.fail(forgotten)
      else await ping.json({ id: "a", result: {} })
      if (isGone) assert.deepInclude(told.outcome.value, { fate: "rejected", reason: "session" })
      else assert.strictEqual(told.outcome.value, "sent")
      assert.lengthOf(asked.filter(({ ask }) => ask.method === "GET"), isGone ? 0 : 1)
      assert.deepStrictEqual(losses, [])
    }
  })

  it("[T4:unit] what is no stream is not read, and a server that forgets the session says so there, too", async () => {
    const page = await initialized()
    await page.get.answer(200, { "content-type": "text/html" })
    assert.strictEqual(page.get.dumped, 1)
    assert.deepStrictEqual(page.losses, [])
    const lost = await initialized()
    await lost.get.fail(forgotten)
    assert.deepStrictEqual(lost.losses, [])
    // The session is asked itself: some servers know no stream, and answer that there is nothing.
    await lost.asked.at(-1)!.fail(forgotten)
    assert.deepInclude(lost.losses[0], { kind: "session", retryAfter: 3000 })
    const living = await initialized()
    await living.get.fail(forgotten)
    await living.asked.at(-1)!.json({ id: "a", result: {} })
    assert.deepStrictEqual(living.losses, [])
    assert.lengthOf(living.asked.filter(({ ask }) => ask.method === "GET"), 1)
  })

  it("[T4:unit] some servers answer there: what is accepted waits for it; without a stream it is no answer", async () => {
    const { call, get, messages } = await initialized()
    const body = await get.stream()
    const { exchange, outcome } = await call(1)
    await exchange.answer(202)
    assert.deepStrictEqual([outcome.value, exchange.dumped], ["sent", 1])
    await say(body, answerTo(1))
    assert.deepInclude(messages.at(-1), { id: 1 })
    const none = await streamable()
    const other = await none.call(1)
    await other.exchange.answer(202)
    assert.deepInclude(other.outcome.value, { fate: "answered", reason: "protocol" })
  })

  it("[T8:unit] a session id that may not be sent ends the attempt; nothing of its answer is read", async () => {
    const { asked, call, messages, send, transport } = await connecting()
    const { exchange, outcome } = await call(0, "initialize")
    await exchange.answer(200, { "content-type": "application/json", "mcp-session-id": "a b" })
    assert.deepInclude(outcome.value, { _tag: "ConnectError", reason: "protocol" })
    assert.strictEqual(exchange.dumped, 1)
    assert.isUndefined(transport.sessionId)
    // Before it is up, a failure is one of the attempt; a JSON-RPC error is the answer to it.
    const again = await call(1, "initialize")
    await again.exchange.fail(refused)
    assert.deepInclude(again.outcome.value, { _tag: "ConnectError", reason: "refused" })
    const answered = await call(2, "initialize")
    await answered.exchange.fail(status(400, { error: { code: -32600, data: 5 } }))
    assert.strictEqual(answered.outcome.value, "sent")
    assert.deepEqual(messages.at(-1), { jsonrpc: "2.0", id: 2, error: { code: -32600, data: 5, message: "no" } })
    const told = await send({ method: "notifications/x" })
    await told.exchange.fail(status(400, { error: { code: -32600, data: 5 } }))
    assert.deepInclude(told.outcome.value, { _tag: "ConnectError", reason: "protocol" })
    assert.lengthOf(messages, 1)
    const unknown = await call(3, "initialize")
    await unknown.exchange.fail(forgotten)
    assert.deepInclude(unknown.outcome.value, { _tag: "ConnectError", reason: "notFound" })
    await transport.close()
    assert.lengthOf(asked.filter(({ ask }) => ask.method === "DELETE"), 0)
  })

  it("[C6:unit] a stream that is cut is resumed where it stood, and fails its request where it cannot be", async () => {
    const { asked, call, losses, messages } = await streamable()
    const { exchange, outcome } = await call(1)
    const body = await exchange.stream()
    await say(body, "id: e1\nretry: 1\ndata:\n\n")
    body.destroy(new Error("cut"))
    await until(() => asked.at(-1)!.ask.method === "GET")
    const get = asked.at(-1)!
    assert.deepInclude(get.ask.headers, { "last-event-id": "e1" })
    assert.isFalse(get.ask.prompt)
    const resumed = await get.stream()
    resumed.write(answerTo(1))
    resumed.end()
    await turn()
    assert.deepInclude(messages.at(-1), { id: 1 })
    const plain = await call(2)
    ;(await plain.exchange.stream()).destroy(new Error("cut"))
    await turn()
    assert.deepInclude(plain.outcome.value, { fate: "unknown", reason: "network" })
    assert.deepStrictEqual([outcome.value, losses], ["sent", []])
  })

  it("[C6:unit] where it cannot be, since the session or the server is gone, that is the loss", async () => {
    for (const [failure, kind] of [[forgotten, "session"], [refused, "closed"]] as const) {
      const { asked, call, losses } = await streamable()
      const body = await (await call(1)).exchange.stream()
      await say(body, "id: e1\nretry: 1\ndata:\n\n")
      body.destroy(new Error("cut"))
      for (const method of kind === "session" ? ["GET", "POST"] : ["GET"]) {
        await until(() => asked.length > 1 && asked.at(-1)!.ask.method === method)
        await asked.at(-1)!.fail(failure)
      }
      await until(() => losses.length > 0)
      assert.deepStrictEqual(losses.map((loss) => loss.kind), [kind])
    }
  })

  it("[C6:unit] a request that is answered on the stream from the server has not failed, whatever becomes of its own", async () => {
    const { call, get, losses, messages } = await initialized()
    const body = await get.stream()
    const { exchange, outcome } = await call(1)
    await say(body, answerTo(1))
    assert.deepInclude(messages.at(-1), { id: 1 })
    await exchange.fail(reset)
    assert.deepStrictEqual([outcome.value, losses], ["sent", []])
  })

  it("[T3:unit] a JSON-RPC error with a status that is no success is the request's own failure, with its code and data", async () => {
    const { call, losses, messages } = await streamable()
    const before = messages.length
    const { exchange, outcome } = await call(1)
    await exchange.fail(status(400, { error: { code: -32600, data: 5 } }))
    assert.deepInclude(outcome.value, { fate: "answered", reason: "remote", code: -32600, data: 5, message: "no" })
    assert.deepStrictEqual([messages.length, losses], [before, []])
  })

  it("[T2:unit] the session is ended at the close, in its time, but not one that the server has forgotten", async () => {
    const { asked, closes, transport } = await streamable()
    const closed = transport.close()
    await turn()
    assert.deepInclude(asked.at(-1)!.ask, { method: "DELETE", prompt: true })
    assert.strictEqual(asked.at(-1)!.ask.headers["mcp-session-id"], "s1")
    await asked.at(-1)!.answer(200)
    assert.strictEqual(asked.at(-1)!.dumped, 1)
    await closed
    const silent = await streamable(20)
    await silent.transport.close()
    assert.isTrue(silent.asked.at(-1)!.isInterrupted)
    const failing = await streamable()
    const failed = failing.transport.close()
    await turn()
    await failing.asked.at(-1)!.fail(reset)
    await failed
    const lost = await streamable()
    await (await lost.call(1)).exchange.fail(forgotten)
    await lost.transport.close()
    assert.lengthOf(lost.asked.filter(({ ask }) => ask.method === "DELETE"), 0)
    assert.deepStrictEqual([closes, silent.closes, failing.closes, lost.closes].map(({ count }) => count), [1, 1, 1, 1])
  })

  it("[T2:unit] closed while the session is begun, it opens no stream; what it says meanwhile may have arrived", async () => {
    const { asked, send, transport } = await streamable()
    const begun = await send({ method: "notifications/initialized" })
    const told = await send({ method: "notifications/x" })
    const closed = transport.close()
    await turn()
    await begun.exchange.answer(202)
    assert.strictEqual(begun.outcome.value, "sent")
    await asked.find(({ ask }) => ask.method === "DELETE")!.answer(200)
    await closed
    assert.lengthOf(asked.filter(({ ask }) => ask.method === "GET"), 0)
    assert.deepInclude(told.outcome.value, { fate: "unknown", reason: "lost" })
  })

  it("[T11:unit] a session that is taken out keeps what can be answered, hears nothing more, and is ended apart", async () => {
    const { asked, call, get, later, messages, transport } = await initialized()
    const streamed = await call(1)
    const body = await streamed.exchange.stream()
    await say(body, "id: e1\nretry: 1\ndata:\n\n")
    const unplaced = await call(2)
    await unplaced.exchange.stream()
    const events = await get.stream()
    await say(events, "id: s7\ndata:\n\n")
    const session = transport.suspend?.()
    assert.deepStrictEqual([...session?.answerable ?? []], [1])
    assert.isUndefined(transport.suspend?.())
    await say(body, answerTo(1))
    assert.notDeepInclude(messages.at(-1), { id: 1 })
    await transport.close()
    assert.isTrue(events.destroyed)
    assert.lengthOf(asked.filter(({ ask }) => ask.method === "DELETE"), 0)
    assert.strictEqual(streamed.outcome.value, "sent")
    const ended = Effect.runPromise(session!.end)
    await turn()
    assert.strictEqual(later.asked[0]?.ask.method, "DELETE")
    await later.asked[0]!.answer(204)
    await ended
    assert.strictEqual(later.destroyed(), 1)
    const next = await connecting()
    next.transport.borrow!(session!)
    next.transport.goOn!(() => true)
    await until(() => next.asked.length === 2)
    assert.sameMembers(next.asked.map(({ ask }) => ask.headers["last-event-id"]), ["s7", "e1"])
  })

  it("[T11:unit] there is none to take out of one that has none yet, has lost it, or is being closed", async () => {
    const early = await connecting()
    await (await early.call(0, "initialize")).exchange.json({ result: {} })
    assert.isUndefined(early.transport.suspend?.())
    const lost = await streamable()
    await (await lost.call(1)).exchange.fail(forgotten)
    assert.isUndefined(lost.transport.suspend?.())
    const gone = await streamable()
    await (await gone.call(1)).exchange.fail(refused)
    assert.isDefined(gone.transport.suspend?.())
    const closing = await streamable()
    const closed = closing.close()
    assert.isUndefined(closing.transport.suspend?.())
    await closed
  })

  const suspended = async (ids: ReadonlyArray<number>) => {
    const { call, close, transport } = await streamable()
    for (const id of ids) {
      const body = await (await call(id)).exchange.stream()
      await say(body, `id: e${id}\nretry: 1\ndata:\n\n`)
    }
    const session = transport.suspend!()!
    await close()
    return session
  }

  const goneOn = async (ids: ReadonlyArray<number>, isWaiting: (id: unknown) => boolean = () => true) => {
    const made = await connecting()
    made.transport.borrow!(await suspended(ids))
    made.transport.goOn!(isWaiting)
    const resuming = async (id: number) => {
      const find = () => made.asked.find(({ ask }) => ask.headers["last-event-id"] === `e${id}`)
      await until(() => find() !== undefined)
      return find()!
    }
    return { ...made, resuming }
  }

  it("[T11:unit] what fails while a borrowed session is tried is a failure to connect, or names a lost session; it is not ended", async () => {
    const cases = [
      [reset, { _tag: "ConnectError", reason: "closed" }],
      [status(503), { _tag: "ConnectError", reason: "server" }],
      [status(400), { _tag: "ConnectError", reason: "protocol" }],
      [forgotten, { fate: "rejected", reason: "session" }]
    ] as const
    for (const [failure, expected] of cases) {
      const { asked, call, close, losses, transport } = await connecting()
      transport.borrow!(await suspended([]))
      const { exchange, outcome } = await call(1, "ping")
      assert.deepInclude(exchange.ask.headers, { "mcp-session-id": "s1", "mcp-protocol-version": "2025-11-25" })
      await exchange.fail(failure)
      assert.deepInclude(outcome.value, expected)
      assert.isUndefined(transport.suspend!())
      await close()
      assert.deepStrictEqual([losses, asked.filter(({ ask }) => ask.method === "DELETE")], [[], []])
    }
  })

  it("[T11:unit] of a session that goes on, only streams of requests that still wait are resumed", async () => {
    const { asked, resuming, transport } = await goneOn([1, 2, 3], (id) => id !== 2)
    await Promise.all([resuming(1), resuming(3)])
    transport.goOn!(() => true)
    await turn()
    assert.sameMembers(asked.map(({ ask }) => ask.headers["last-event-id"]), [undefined, "e1", "e3"])
  })

  it("[T11:unit] a request of a session that went on is answered or fails once; closed, it is ended without a word", async () => {
    const { asked, cancel, close, failed, messages, resuming } = await goneOn([1, 2, 3, 4])
    const first = await resuming(1)
    const body = await first.stream()
    body.write(answerTo(1))
    body.end()
    await turn()
    assert.deepInclude(messages.at(-1), { id: 1 })
    await (await resuming(2)).fail(status(400))
    assert.deepStrictEqual(failed.map(([id]) => id), [2])
    assert.deepInclude(failed[0]![1], { fate: "unknown", reason: "network" })
    const third = await resuming(3)
    await (await cancel(3)).exchange.answer(202)
    assert.isTrue(third.isInterrupted)
    const fourth = await resuming(4)
    await close()
    assert.isTrue(fourth.isInterrupted)
    assert.lengthOf(failed, 1)
    assert.lengthOf(asked.filter(({ ask }) => ask.method === "DELETE"), 1)
  })

  it("[T11:unit] taken out once more, a session keeps what went on with it, and says of none that it has failed", async () => {
    const { close, failed, resuming, transport } = await goneOn([1, 2])
    const first = await resuming(1)
    const body = await (await resuming(2)).stream()
    await say(body, answerTo(2))
    assert.deepStrictEqual([...transport.suspend!()!.answerable], [1])
    await first.fail(status(400))
    await close()
    assert.deepStrictEqual(failed, [])
  })

  it("[T11:unit] a message that was under way when the session was taken out, and that has no answer, was perhaps sent", async () => {
    const { close, send, transport } = await streamable()
    const told = await send({ method: "notifications/x" })
    assert.isDefined(transport.suspend!())
    await close()
    assert.deepInclude(told.outcome.value, { fate: "unknown", reason: "lost" })
  })
})
