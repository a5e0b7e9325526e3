/**
 * What the transports make of failures, over a client that the test plays by hand: no network, no waiting.
 */
import type { Loss, RequestError } from "@mcp-lifeline/core"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { PassThrough } from "node:stream"
import { assert, describe, it } from "vitest"
import type { Answer } from "../src/Answer.js"
import type { HttpClient } from "../src/HttpClient.js"
import type { HttpFailure } from "../src/HttpFailure.js"
import * as Failure from "../src/HttpFailure.js"
import type { Ask } from "../src/Send.js"
import * as SseTransport from "../src/SseTransport.js"
import * as StatelessTransport from "../src/StatelessTransport.js"
import * as StreamableTransport from "../src/StreamableTransport.js"

const url = new URL("http://server.test/mcp?key=1")
const target = "http://server.test/mcp"
const maxMessageBytes = 200
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2))

const network = (code: string) => Failure.fromNetwork(Object.assign(new Error(code), { code }))
const refused = network("ECONNREFUSED")
const reset = network("ECONNRESET")
const status = (status: number, more: Partial<Failure.StatusFailure> = {}) =>
  new Failure.StatusFailure({
    status,
    detail: "no",
    error: undefined,
    retryAfter: undefined,
    renewable: false,
    authorized: false,
    session: false,
    ...more
  })
const forgotten = status(404, { session: true, retryAfter: 3000 })

/** An exchange that the test ends. */
interface Asked {
  readonly ask: Ask
  readonly rpc: { readonly id?: number; readonly method?: string; readonly error?: unknown } | undefined
  readonly fail: (failure: HttpFailure) => Promise<void>
  /** Answers; gives the body, which the test writes. */
  readonly answer: (status: number, headers?: Answer["headers"], text?: string) => Promise<PassThrough>
  /** Answers with one message as JSON. */
  readonly json: (body: object) => Promise<PassThrough>
  /** Answers with a stream of events. */
  readonly stream: () => Promise<PassThrough>
  /** Whether the transport has given it up. */
  isInterrupted: boolean
  dumped: number
}

const client = () => {
  const asked: Array<Asked> = []
  let destroyed = 0
  const made: HttpClient = {
    exchange: (ask, use) =>
      Effect.async((resume) => {
        const answer = async (status: number, headers: Answer["headers"] = {}, text?: string) => {
          const body = Object.assign(new PassThrough(), {
            dump: () => {
              one.dumped++
              return Promise.resolve()
            }
          })
          ask.dispatch?.begin()
          resume(use({ status, headers, body }))
          if (text !== undefined) body.end(text)
          await turn()
          return body
        }
        const one: Asked = {
          ask,
          rpc: ask.body === undefined ? undefined : JSON.parse(ask.body) as NonNullable<Asked["rpc"]>,
          fail: (failure) => {
            resume(Effect.fail(failure))
            return turn()
          },
          answer,
          json: (body) =>
            answer(
              200,
              { "content-type": "application/json", "mcp-session-id": "s1" },
              JSON.stringify({ jsonrpc: "2.0", id: one.rpc?.id, ...body })
            ),
          stream: () => answer(200, { "content-type": "text/event-stream" }),
          isInterrupted: false,
          dumped: 0
        }
        asked.push(one)
        return Effect.sync(() => {
          one.isInterrupted = true
        })
      }),
    probe: () => Effect.die("nobody probes"),
    destroy: Effect.sync(() => {
      destroyed++
    })
  }
  return { asked, client: made, destroyed: () => destroyed }
}

/** Watches a transport as a connection does. */
const watched = (transport: AdapterTransport, { asked, destroyed }: ReturnType<typeof client>) => {
  const losses: Array<Loss> = []
  const messages: Array<JSONRPCMessage> = []
  const failed: Array<readonly [unknown, RequestError]> = []
  const closes = { count: 0 }
  Object.assign(transport, {
    onlost: (loss: Loss) => losses.push(loss),
    onmessage: (message: JSONRPCMessage) => messages.push(message),
    onfailed: (id: unknown, error: RequestError) => failed.push([id, error]),
    onclose: () => closes.count++
  })
  /** Sends a message, and gives what becomes of it, and its exchange. */
  const send = async (message: object) => {
    const outcome: { value?: unknown } = {}
    const settled = transport.send({ jsonrpc: "2.0", ...message } as JSONRPCMessage).then(
      () => {
        outcome.value = "sent"
      },
      (error: unknown) => {
        outcome.value = error
      }
    )
    const before = asked.length
    await turn()
    return { outcome, settled, exchange: asked[before] ?? asked.at(-1)! }
  }
  /** Closes it; the server confirms the end of the session. */
  const close = async (): Promise<void> => {
    const closed = transport.close()
    await turn()
    await asked.find(({ ask }) => ask.method === "DELETE")?.answer(200)
    return closed
  }
  const call = (id: number, method = "tools/call") => send({ id, method })
  const cancel = (requestId: number) => send({ method: "notifications/cancelled", params: { requestId } })
  return { asked, call, cancel, close, closes, destroyed, failed, losses, messages, send, transport }
}

const parameters = { of: () => ({}), learn: () => {} } as unknown as StatelessTransport.Options["parameters"]

const kinds = {
  streamable: async (closeTimeout = 60_000) => {
    const played = client()
    const later = client()
    const transport = await Effect.runPromise(StreamableTransport.make({
      client: played.client,
      url,
      target,
      makeClient: Effect.succeed(later.client),
      closeTimeout,
      maxMessageBytes
    }))
    const made = watched(transport, played)
    await transport.start()
    const begun = await made.call(0, "initialize")
    await begun.exchange.json({ result: {} })
    transport.setProtocolVersion?.("2025-11-25")
    return { ...made, later, stream: undefined }
  },
  sse: async () => {
    const played = client()
    const transport = await Effect.runPromise(
      SseTransport.make({ client: played.client, url, target, maxMessageBytes })
    )
    const made = watched(transport, played)
    const started = transport.start()
    await turn()
    const stream = await played.asked[0]!.stream()
    stream.write("event: endpoint\ndata: /messages\n\n")
    await started
    transport.setProtocolVersion?.("2024-11-05")
    return { ...made, stream }
  },
  stateless: async () => {
    const played = client()
    const transport = await Effect.runPromise(
      StatelessTransport.make({ client: played.client, url, target, maxMessageBytes, parameters })
    )
    const made = watched(transport, played)
    await transport.start()
    transport.setProtocolVersion?.("2026-07-28")
    return { ...made, stream: undefined }
  }
}

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
      const { call, close, closes, destroyed, losses, transport } = await make()
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
      assert.isTrue(waiting.exchange.isInterrupted && sent.exchange.isInterrupted)
      assert.deepStrictEqual([closes.count, destroyed(), losses], [1, 1, []])
    })

    it("[C19:unit] a request is taken back before it has a socket, once, and not after", async () => {
      const { call, transport } = await make()
      const waiting = await call(1)
      const sent = await call(2)
      sent.exchange.ask.dispatch?.begin()
      assert.deepStrictEqual([transport.withdraw?.(1), transport.withdraw?.(2), transport.withdraw?.(9)], [
        true,
        false,
        false
      ])
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
      await cancel(99)
      await send({ method: "notifications/cancelled" })
      assert.isFalse(second.exchange.isInterrupted)
    })

    it("[T12:unit] what is too long is dropped; its request ends, and what the server asked is refused where it may ask", async () => {
      const { asked, call, failed, send, stream } = await make()
      const request = await call(1)
      const body = stream ?? await request.exchange.stream()
      if (stream !== undefined) await request.exchange.answer(202)
      const long = (message: string): string =>
        `data: ${message.slice(0, -1)},"x":"${"x".repeat(maxMessageBytes)}"}\n\n`
      body.write(long('{"jsonrpc":"2.0","method":"notifications/message"}'))
      await turn()
      assert.deepStrictEqual(failed, [])
      const before = asked.length
      body.write(long('{"jsonrpc":"2.0","id":7,"method":"roots/list"}'))
      await turn()
      assert.strictEqual(asked.length, kind === "stateless" ? before : before + 1)
      if (kind !== "stateless") assert.deepInclude(asked.at(-1)!.rpc, { id: 7 })
      body.write(long('{"jsonrpc":"2.0","id":1,"result":{}}'))
      await turn()
      assert.lengthOf(failed, 1)
      assert.deepInclude(failed[0]![1], { fate: "answered", reason: "protocol" })
      body.write(long('{"jsonrpc":"2.0","id":99,"result":{}}'))
      await turn()
      assert.isDefined((await send({ method: "notifications/x" })).exchange)
    })

    it("[L19:unit] a receiver that throws, and what is no message, end nothing", async () => {
      const { call, messages, stream, transport } = await make()
      const errors: Array<Error> = []
      transport.onerror = (error) => errors.push(error)
      const request = await call(1)
      const body = stream ?? await request.exchange.stream()
      body.write('data: no JSON\n\nevent: other\ndata: {}\n\ndata: {"jsonrpc":"2.0","method":"x"}\n\n')
      await turn()
      assert.lengthOf(errors, 1)
      assert.deepInclude(messages.at(-1), { method: "x" })
    })
  })
}

const streamable = kinds.streamable
const sse = kinds.sse

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
      for (
        const [failure, fate] of [[status(503), "unknown"], [status(401), "rejected"], [
          status(400),
          "answered"
        ]] as const
      ) {
        const { exchange, outcome } = await call(1)
        await exchange.fail(failure)
        assert.deepInclude(outcome.value, { fate })
      }
      assert.deepStrictEqual(losses, [])
    })
  })
}

describe("Streamable HTTP", () => {
  const initialized = async () => {
    const made = await streamable()
    const told = await made.send({ method: "notifications/initialized" })
    await told.exchange.answer(202)
    return { ...made, get: made.asked.findLast(({ ask }) => ask.method === "GET")! }
  }

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

  it("[T4:unit] what is no stream is not read, and a server that forgets the session says so there, too", async () => {
    const page = await initialized()
    await page.get.answer(200, { "content-type": "text/html" })
    assert.strictEqual(page.get.dumped, 1)
    assert.deepStrictEqual(page.losses, [])
    const lost = await initialized()
    await lost.get.fail(forgotten)
    assert.deepInclude(lost.losses[0], { kind: "session", retryAfter: 3000 })
  })

  it("[T4:unit] some servers answer there: what is accepted waits for it; without a stream it is no answer", async () => {
    const { call, get, messages } = await initialized()
    const body = await get.stream()
    const { exchange, outcome } = await call(1)
    await exchange.answer(202)
    assert.deepStrictEqual([outcome.value, exchange.dumped], ["sent", 1])
    body.write('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')
    await turn()
    assert.deepInclude(messages.at(-1), { id: 1 })
    const none = await streamable()
    const other = await none.call(1)
    await other.exchange.answer(202)
    assert.deepInclude(other.outcome.value, { fate: "answered", reason: "protocol" })
  })

  it("[T8:unit] a session id that may not be sent ends the attempt; nothing of its answer is read", async () => {
    const played = client()
    const transport = await Effect.runPromise(StreamableTransport.make({
      client: played.client,
      url,
      target,
      makeClient: Effect.succeed(played.client),
      closeTimeout: 60_000,
      maxMessageBytes
    }))
    const { call } = watched(transport, played)
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
    await answered.exchange.fail(status(400, { error: { code: -32600, data: undefined } }))
    assert.strictEqual(answered.outcome.value, "sent")
    await transport.close()
    assert.strictEqual(played.asked.filter(({ ask }) => ask.method === "DELETE").length, 0)
  })

  it("[C6:unit] a stream that is cut is resumed where it stood, and fails its request where it cannot be", async () => {
    const { asked, call, losses, messages } = await streamable()
    const { exchange, outcome } = await call(1)
    const body = await exchange.stream()
    body.write("id: e1\nretry: 1\ndata:\n\n")
    await turn()
    body.destroy(new Error("cut"))
    while (asked.at(-1)!.ask.method !== "GET") await turn()
    const get = asked.at(-1)!
    assert.deepInclude(get.ask.headers, { "last-event-id": "e1" })
    assert.isFalse(get.ask.prompt)
    const resumed = await get.stream()
    resumed.write('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')
    resumed.end()
    await turn()
    assert.deepInclude(messages.at(-1), { id: 1 })
    const plain = await call(2)
    ;(await plain.exchange.stream()).destroy(new Error("cut"))
    await turn()
    assert.deepInclude(plain.outcome.value, { fate: "unknown", reason: "network" })
    assert.deepStrictEqual([outcome.value, losses], ["sent", []])
  })

  it("[T2:unit] the session is ended at the close, in its time, but not one that the server has forgotten", async () => {
    const { asked, closes, transport } = await streamable()
    const closed = transport.close()
    await turn()
    assert.deepInclude(asked.at(-1)!.ask, { method: "DELETE" })
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

  it("[T11:unit] a session that is taken out keeps what can be answered, hears nothing more, and is ended apart", async () => {
    const { asked, call, get, later, messages, transport } = await initialized()
    const streamed = await call(1)
    const body = await streamed.exchange.stream()
    body.write("id: e1\ndata:\n\n")
    await turn()
    const unplaced = await call(2)
    await unplaced.exchange.stream()
    const session = transport.suspend?.()
    assert.deepStrictEqual([...session?.answerable ?? []], [1])
    assert.isUndefined(transport.suspend?.())
    body.write('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')
    await turn()
    assert.notDeepInclude(messages.at(-1), { id: 1 })
    await transport.close()
    assert.isTrue(get.isInterrupted)
    assert.lengthOf(asked.filter(({ ask }) => ask.method === "DELETE"), 0)
    assert.strictEqual(streamed.outcome.value, "sent")
    const ended = Effect.runPromise(session!.end)
    await turn()
    assert.strictEqual(later.asked[0]?.ask.method, "DELETE")
    await later.asked[0]!.answer(204)
    await ended
    assert.strictEqual(later.destroyed(), 1)

    // Another transport goes on with it, for those who still wait.
    const next = await streamable()
    next.transport.borrow?.(session!)
    const asking = await next.call(3, "ping")
    assert.strictEqual(asking.exchange.ask.headers["mcp-session-id"], "s1")
    await asking.exchange.fail(forgotten)
    assert.deepInclude(asking.outcome.value, { fate: "rejected", reason: "session" })
    assert.deepStrictEqual(next.losses, [])
    next.transport.goOn?.((id) => id === 1)
    const opened = () => next.asked.filter(({ ask }) => ask.method === "GET")
    while (opened().length < 2) await turn()
    const gets = opened()
    assert.sameMembers(gets.map(({ ask }) => ask.headers["last-event-id"]), ["e1", undefined])
    await gets.find(({ ask }) => ask.headers["last-event-id"] === "e1")!.fail(status(400))
    assert.lengthOf(next.failed, 1)
    assert.strictEqual(next.failed[0]![0], 1)
    next.transport.goOn?.(() => true)
    await turn()
    assert.lengthOf(opened(), 2)
  })

  it("[T11:unit] there is none to take out of one that has none, has lost it, or is being closed", async () => {
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
})

describe("the older HTTP+SSE", () => {
  const begun = async () => {
    const played = client()
    const transport = await Effect.runPromise(
      SseTransport.make({ client: played.client, url, target, maxMessageBytes })
    )
    const made = watched(transport, played)
    const outcome: { value?: unknown } = {}
    transport.start().then(() => {
      outcome.value = "started"
    }, (error: unknown) => {
      outcome.value = error
    })
    await turn()
    return { ...made, get: played.asked[0]!, outcome }
  }

  it("[T3:unit] is begun when the server has named an address of its own origin, the first that it names", async () => {
    const { asked, call, get, outcome } = await begun()
    const early = await call(0, "initialize")
    assert.deepInclude(early.outcome.value, { fate: "notSent", reason: "lost" })
    const stream = await get.stream()
    assert.isUndefined(outcome.value)
    stream.write("event: endpoint\ndata: /messages?a=1\n\nevent: endpoint\ndata: /others\n\n")
    await turn()
    assert.strictEqual(outcome.value, "started")
    await call(1, "initialize")
    assert.strictEqual(asked.at(-1)!.ask.url.href, "http://server.test/messages?a=1")
    assert.isFalse(asked.at(-1)!.ask.inSession)
    assert.notProperty(asked.at(-1)!.ask.headers, "mcp-protocol-version")
    await asked.at(-1)!.fail(refused)
  })

  it("[T3:unit] is not begun where the server cannot be reached, gives no stream, ends it, or names no address", async () => {
    const page = await begun()
    await page.get.answer(200, { "content-type": "text/html" })
    assert.deepInclude(page.outcome.value, { _tag: "ConnectError", reason: "protocol" })
    assert.strictEqual(page.get.dumped, 1)
    const down = await begun()
    await down.get.fail(refused)
    assert.deepInclude(down.outcome.value, { _tag: "ConnectError", reason: "refused" })
    const ended = await begun()
    ;(await ended.get.stream()).end()
    await turn()
    assert.deepInclude(ended.outcome.value, { _tag: "ConnectError", reason: "closed" })
    for (const data of ["http://elsewhere.test/messages", "http://"]) {
      const named = await begun()
      ;(await named.get.stream()).write(`event: endpoint\ndata: ${data}\n\n`)
      await turn()
      assert.deepInclude(named.outcome.value, { _tag: "ConnectError", reason: "protocol" }, data)
    }
    const closed = await begun()
    await closed.transport.close()
    await turn()
    assert.deepInclude(closed.outcome.value, { fate: "notSent" })
    // Of what never was a connection, there is no loss.
    for (const { losses } of [page, down, ended, closed]) assert.deepStrictEqual(losses, [])
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
    ;(await attempt.get.stream()).write("event: endpoint\ndata: /messages\n\n")
    await turn()
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
    assert.isTrue((await send({ method: "notifications/x" })).exchange.ask.prompt)
    assert.deepInclude(exchange.ask.headers, { "mcp-protocol-version": "2024-11-05" })
    assert.isTrue(exchange.ask.inSession)
  })
})

describe("without sessions", () => {
  it("[E1:unit] what fails before the era is known is one of the attempt, or the server's own answer", async () => {
    const played = client()
    const transport = await Effect.runPromise(
      StatelessTransport.make({ client: played.client, url, target, maxMessageBytes, parameters })
    )
    const { call, losses, messages } = watched(transport, played)
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
    body.write(": there\n\n")
    await turn()
    assert.deepStrictEqual(beats, [1])
    body.end()
    await turn()
    assert.deepInclude(cut.outcome.value, { fate: "unknown", reason: "network" })
    const whole = await call(2)
    const answered = await whole.exchange.stream()
    answered.write('data: {"jsonrpc":"2.0","id":2,"result":{}}\n\n')
    await turn()
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
