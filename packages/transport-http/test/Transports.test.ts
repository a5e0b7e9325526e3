import { assert, describe, it } from "vitest"
import {
  answerTo,
  forgotten,
  kinds,
  making,
  maxMessageBytes,
  refused,
  reset,
  say,
  status,
  target,
  turn
} from "./fixtures/Played.js"

const { sse } = kinds

for (const [kind, make] of Object.entries(kinds)) {
  describe(`failures over ${kind}`, () => {
    it("[T3:unit] a refused connection is the loss, once, before its request hears of it; then nothing is sent", async () => {
      const { asked, call, losses } = await make()
      const first = await call(1)
      const second = await call(2)
      await first.exchange.fail(refused)
      await first.settled
      assert.deepInclude(first.outcome.value, { fate: "notSent", reason: "lost" })
      assert.lengthOf(losses, 1)
      assert.deepInclude(losses[0], { kind: "closed", cause: refused })
      assert.include(losses[0]!.message, `${target}: `)
      await second.exchange.fail(refused)
      assert.lengthOf(losses, 1)
      const count = asked.length
      const late = await call(3)
      assert.deepInclude(late.outcome.value, { fate: "notSent", reason: "lost", message: losses[0]!.message })
      assert.strictEqual(asked.length, count)
    })

    it("[T3:unit] a connection that breaks ends its request alone, which may have been carried out", async () => {
      const { call, losses } = await make()
      const first = await call(1)
      const second = await call(2)
      await first.exchange.fail(reset)
      assert.deepInclude(first.outcome.value, { fate: "unknown", reason: "network" })
      assert.isUndefined(second.outcome.value)
      assert.deepStrictEqual(losses, [])
    })

    it("[C19:unit] closed, it ends what is under way: not sent before it had a socket, else unknown", async () => {
      const { asked, call, close, closes, destroyed, losses, transport } = await make()
      const waiting = await call(1)
      const sent = await call(2)
      sent.exchange.ask.dispatch?.begin()
      const closed = close()
      assert.strictEqual(transport.close(), transport.close())
      const late = await call(3)
      await closed
      await waiting.settled
      await sent.settled
      assert.deepInclude(waiting.outcome.value, { fate: "notSent", reason: "lost" })
      assert.deepInclude(sent.outcome.value, { fate: "unknown", reason: "lost" })
      assert.deepInclude(late.outcome.value, { fate: "notSent", message: `${target}: the connection is closed` })
      assert.isUndefined(asked.find(({ rpc }) => rpc?.id === 3))
      assert.isTrue(waiting.exchange.isInterrupted && sent.exchange.isInterrupted)
      assert.deepStrictEqual([closes.count, destroyed(), losses], [1, 1, []])
    })

    it("[C19:unit] a request is taken back before it has a socket, once, and not after", async () => {
      const { call, transport } = await make()
      const waiting = await call(1)
      const sent = await call(2)
      sent.exchange.ask.dispatch?.begin()
      assert.deepStrictEqual([1, 2, 9].map((id) => transport.withdraw?.(id)), [true, false, false])
      await waiting.settled
      assert.isTrue(waiting.exchange.isInterrupted)
      assert.deepInclude(waiting.outcome.value, { fate: "notSent" })
      assert.isFalse(sent.exchange.isInterrupted)
      assert.isUndefined(sent.outcome.value)
      assert.isFalse(transport.withdraw?.(1))
    })

    it("[C4:unit] one that is cancelled waits no longer; others, and an id that is none, are left alone", async () => {
      const { call, cancel, send } = await make()
      const first = await call(1)
      const second = await call(2)
      first.exchange.ask.dispatch?.begin()
      const told = await cancel(1)
      if (kind !== "stateless") await told.exchange.answer(202)
      await first.settled
      assert.strictEqual(told.outcome.value, "sent")
      assert.isTrue(first.exchange.isInterrupted)
      assert.deepInclude(first.outcome.value, { fate: "unknown" })
      for (const other of [await cancel(99), await send({ method: "notifications/cancelled" })]) {
        if (kind !== "stateless") await other.exchange.answer(202)
        assert.strictEqual(other.outcome.value, "sent")
      }
      assert.isFalse(second.exchange.isInterrupted)
    })

    it("[T12:unit] what is too long is dropped; its request ends, and what the server asked is refused where it may ask", async () => {
      const { asked, call, failed, send, stream } = await make()
      const request = await call(1)
      const body = stream ?? await request.exchange.stream()
      if (stream !== undefined) await request.exchange.answer(202)
      const long = (message: string): string =>
        `data: ${message.slice(0, -1)},"x":"${"x".repeat(maxMessageBytes)}"}\n\n`
      await say(body, long('{"jsonrpc":"2.0","method":"notifications/message"}'))
      assert.deepStrictEqual(failed, [])
      const before = asked.length
      await say(body, long('{"jsonrpc":"2.0","id":7,"method":"roots/list"}'))
      assert.strictEqual(asked.length, kind === "stateless" ? before : before + 1)
      if (kind !== "stateless") assert.deepInclude(asked.at(-1)!.rpc, { id: 7 })
      await say(body, long('{"jsonrpc":"2.0","id":1,"result":{}}'))
      assert.lengthOf(failed, 1)
      assert.deepInclude(failed[0]![1], { fate: "answered", reason: "protocol" })
      await say(body, long('{"jsonrpc":"2.0","id":99,"result":{}}'))
      assert.isDefined((await send({ method: "notifications/x" })).exchange)
    })

    it("[L19:unit] where nobody listens to it, a loss ends its request all the same, and it closes", async () => {
      const { call, close, transport } = await make()
      Object.assign(transport, { onlost: undefined, onmessage: undefined, onfailed: undefined, onclose: undefined })
      const { exchange, outcome } = await call(1)
      await exchange.fail(refused)
      assert.deepInclude(outcome.value, { fate: "notSent", reason: "lost" })
      await close()
    })

    it("[L19:unit] a receiver that throws, and what is no message, end nothing", async () => {
      const { call, messages, stream, transport } = await make()
      const errors: Array<Error> = []
      transport.onerror = (error) => errors.push(error)
      const request = await call(1)
      const body = stream ?? await request.exchange.stream()
      await say(body, 'data: no JSON\n\nevent: other\ndata: {}\n\ndata: {"jsonrpc":"2.0","method":"x"}\n\n')
      assert.lengthOf(errors, 1)
      assert.deepInclude(messages.at(-1), { method: "x" })
    })
  })
}

for (const kind of ["streamable", "sse"] as const) {
  describe(`a forgotten session over ${kind}`, () => {
    it("[R6:unit R7:unit] is its loss, once, and its request was not carried out", async () => {
      const { call, losses } = await kinds[kind]()
      const first = await call(1)
      const second = await call(2)
      await first.exchange.fail(forgotten)
      await second.exchange.fail(forgotten)
      for (const { outcome } of [first, second]) {
        assert.deepInclude(outcome.value, { fate: "rejected", reason: "session" })
      }
      assert.lengthOf(losses, 1)
      assert.deepInclude(losses[0], { kind: "session", retryAfter: 3000, cause: forgotten })
      assert.include(losses[0]!.message, `${target}: `)
    })

    it("[T3:unit] another refusal is its request's own", async () => {
      const { call, losses } = await kinds[kind]()
      for (const [code, fate] of [[503, "unknown"], [401, "rejected"], [400, "answered"]] as const) {
        const { exchange, outcome } = await call(1)
        await exchange.fail(status(code))
        assert.deepInclude(outcome.value, { fate })
      }
      assert.deepStrictEqual(losses, [])
    })
  })
}

describe("the older HTTP+SSE", () => {
  const begun = async () => {
    const made = await making.sse()
    const outcome: { value?: unknown } = {}
    made.transport.start().then(() => {
      outcome.value = "started"
    }, (error: unknown) => {
      outcome.value = error
    })
    await turn()
    return { ...made, get: made.asked[0]!, outcome }
  }

  it("[T3:unit] is begun when the server has named an address of its own origin, the first that it names", async () => {
    const { asked, call, get, outcome } = await begun()
    const early = await call(0, "initialize")
    assert.deepInclude(early.outcome.value, { fate: "notSent", reason: "lost" })
    const stream = await get.stream()
    assert.isUndefined(outcome.value)
    await say(stream, "event: endpoint\ndata: /messages?a=1\n\nevent: endpoint\ndata: /others\n\n")
    assert.strictEqual(outcome.value, "started")
    await call(1, "initialize")
    assert.strictEqual(asked.at(-1)!.ask.url.href, "http://server.test/messages?a=1")
    assert.isFalse(asked.at(-1)!.ask.inSession)
    assert.notProperty(asked.at(-1)!.ask.headers, "mcp-protocol-version")
    await asked.at(-1)!.fail(refused)
  })

  it("[T3:unit] is not begun where the server cannot be reached, or names no address", async () => {
    const down = await begun()
    await down.get.fail(refused)
    assert.deepInclude(down.outcome.value, { _tag: "ConnectError", reason: "refused" })
    const named = await begun()
    await say(await named.get.stream(), "event: endpoint\ndata: http://\n\n")
    assert.deepInclude(named.outcome.value, { _tag: "ConnectError", reason: "protocol" })
    const closed = await begun()
    await closed.transport.close()
    await turn()
    assert.deepInclude(closed.outcome.value, { fate: "notSent" })
    for (const { losses } of [down, closed]) assert.deepStrictEqual(losses, [])
  })

  it("[T3:unit] its stream is the session: when it ends, that is the loss; a request before is one of the attempt", async () => {
    const { call, losses, stream } = await sse()
    const { outcome } = await call(1)
    stream.end()
    await turn()
    assert.lengthOf(losses, 1)
    assert.strictEqual(losses[0]!.kind, "closed")
    assert.include(losses[0]!.message, "stream from the server")
    assert.isUndefined(outcome.value)
    const attempt = await begun()
    await say(await attempt.get.stream(), "event: endpoint\ndata: /messages\n\n")
    const first = await attempt.call(0, "initialize")
    await first.exchange.fail(status(404, { session: true }))
    assert.deepInclude(first.outcome.value, { _tag: "ConnectError", reason: "notFound" })
    assert.deepStrictEqual(attempt.losses, [])
  })

  it("[T2:unit] what the server says to a request is not read, and one is told apart from what waits behind none", async () => {
    const { call, send } = await sse()
    const { exchange, outcome } = await call(1)
    await exchange.answer(202)
    assert.deepStrictEqual([outcome.value, exchange.dumped, exchange.ask.prompt], ["sent", 1, false])
    assert.isTrue((await call(2, "ping")).exchange.ask.prompt)
    assert.deepInclude((await send({ method: "notifications/x" })).exchange.ask, { prompt: false, answerless: true })
    assert.deepInclude(exchange.ask.headers, { "mcp-protocol-version": "2024-11-05" })
    assert.isTrue(exchange.ask.inSession)
  })
})

describe("without sessions", () => {
  it("[E1:unit] what fails before the era is known is one of the attempt, or the server's own answer", async () => {
    const { call, losses, messages } = await making.stateless()
    const down = await call(0, "server/discover")
    assert.deepInclude(down.exchange.ask, { prompt: true, asksEra: true })
    await down.exchange.fail(refused)
    assert.deepInclude(down.outcome.value, { _tag: "ConnectError", reason: "refused" })
    const answered = await call(1, "server/discover")
    await answered.exchange.fail(status(400, { error: { code: -32601, data: 5 } }))
    assert.strictEqual(answered.outcome.value, "sent")
    assert.deepInclude(messages.at(-1), { id: 1, error: { code: -32601, data: 5, message: "no" } })
    assert.deepStrictEqual(losses, [])
  })

  it("[C6:unit] a response that is cut fails its request, unless its answer has come; comments are beats", async () => {
    const { call, messages, transport } = await kinds.stateless()
    const beats: Array<unknown> = []
    transport.onbeat = (id) => beats.push(id)
    const cut = await call(1)
    const body = await cut.exchange.stream()
    await say(body, ": there\n\n")
    assert.deepStrictEqual(beats, [1])
    body.end()
    await turn()
    assert.deepInclude(cut.outcome.value, { fate: "unknown", reason: "network" })
    const whole = await call(2)
    const answered = await whole.exchange.stream()
    await say(answered, answerTo(2))
    answered.destroy(new Error("cut"))
    await turn()
    assert.deepInclude(messages.at(-1), { id: 2 })
    assert.strictEqual(whole.outcome.value, "sent")
    assert.isFalse(whole.exchange.ask.prompt)
    assert.isTrue((await call(3, "subscriptions/listen")).exchange.ask.prompt)
  })

  it("[E2:unit] a notification is sent and its answer dropped; that one is cancelled shows in what is closed", async () => {
    const { asked, cancel, send } = await kinds.stateless()
    const told = await send({ method: "notifications/x" })
    await told.exchange.answer(202)
    assert.deepStrictEqual([told.outcome.value, told.exchange.dumped], ["sent", 1])
    const count = asked.length
    assert.strictEqual((await cancel(1)).outcome.value, "sent")
    assert.strictEqual(asked.length, count)
  })
})
