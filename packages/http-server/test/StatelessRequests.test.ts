import { Bytes } from "@mcp-lifeline/core/text"
import type { ClientRequest } from "@mcp-lifeline/protocol"
import type { IncomingMessage } from "node:http"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import * as Arrival from "../src/Arrival.js"
import * as Authentication from "../src/Authentication.js"
import { anyone } from "../src/Caller.js"
import { EventBudget } from "../src/EventBudget.js"
import { OpenStreams } from "../src/OpenStreams.js"
import { SseWriter } from "../src/SseWriter.js"
import { StatelessRequests } from "../src/StatelessRequests.js"
import { key, type Message, plenty, stateless as version, subscriptions } from "./support/RawEndpoint.js"
import * as Reader from "./support/Reader.js"

// What is tested here is a part, without the one who ends it.
beforeEach(() => mayLeave("shares"))

interface Begun {
  readonly request: ClientRequest
  readonly subject: string
  readonly say: (message: Message) => void
  readonly stopped: Array<unknown>
}

interface Sent {
  readonly subject?: string
  readonly expiresAt?: number
  readonly name?: unknown
  readonly address?: string
  readonly forwarded?: string
  readonly state?: unknown
  readonly method?: string
  readonly uris?: ReadonlyArray<string>
  readonly streams?: OpenStreams
}

const make = (maxCalls = 10, during: (begun: Begun) => void = () => undefined) => {
  const calls: Array<Begun> = []
  const state = {
    ticks: 0,
    closed: [] as Array<string>,
    endedOf: [] as Array<unknown>,
    movable: [] as Array<unknown>,
    errors: [] as Array<unknown>
  }
  const room = subscriptions()
  const open = plenty()
  const held = () => ({ places: open.held.count, bodies: open.held.bytes, ...room.held })
  const requests = new StatelessRequests({
    stateless: {
      request: (request, { subject }) => {
        const begun: Begun = {
          request,
          subject,
          say: (message) =>
            message.method === undefined
              ? request.answer(message as never)
              : request.say({ jsonrpc: "2.0", ...message } as never),
          stopped: []
        }
        request.work = {
          stop: (reason) => {
            begun.stopped.push(reason)
            return "unknown"
          }
        }
        calls.push(begun)
        during(begun)
      },
      tick: () => void state.ticks++,
      endOf: ({ subject }, why) => void state.endedOf.push([subject, why]),
      forget: async () => void state.movable.push(calls.map(({ request }) => request.mayMove)),
      close: async (why) => void state.closed.push(why)
    },
    budget: new EventBudget(Bytes(1_000_000)),
    maxCalls,
    open,
    subscriptions: room,
    onError: (error) => void state.errors.push(error)
  })
  const post = (
    id: number | string,
    { address = "a", expiresAt, forwarded, method = "tools/call", name = "n", subject = "o", state, streams, uris }:
      Sent = {}
  ) => {
    const reader = Reader.make()
    const clientInfo = name === null ? null : { name, version: "1" }
    const _meta = { [key("protocolVersion")]: version, [key("clientInfo")]: clientInfo }
    const message = {
      jsonrpc: "2.0",
      id,
      method,
      params: { name: "x", requestState: state, notifications: { resourceSubscriptions: uris }, _meta }
    } as const
    const headers = { "mcp-protocol-version": version, "mcp-method": method, "mcp-name": "x" }
    const from = { headers, socket: { remoteAddress: address } } as object as IncomingMessage
    if (forwarded !== undefined) Arrival.note(from, { address: forwarded })
    streams?.letIn(Object.assign(from, { method: "POST" }), reader.response)
    const refusal = requests.post(message, from, { subject, claims: {}, expiresAt }, reader.response, {
      bytes: Bytes(16_384 + 100)
    })
    return { ...reader, refusal, json: () => JSON.parse(reader.text()) }
  }
  return { calls, held, post, requests, state }
}

const progress = { method: "notifications/progress", params: { progressToken: 1, progress: 1 } }

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

describe("a request without a session", () => {
  it("[E8:unit] is over with its answer, and nothing more is said", () => {
    const { calls, post } = make()
    const { json, status, text } = post(1)
    const { subject, request, say } = calls[0]!
    expect([status(), subject]).toEqual([undefined, "o"])
    say({ result: { content: [] } })
    expect([status(), json(), request.isOver]).toEqual([200, { jsonrpc: "2.0", id: 1, result: { content: [] } }, true])
    const before = text()
    say(progress)
    say({ result: { content: [] } })
    expect(text()).toBe(before)
  })

  it("[E8:unit] a status says what is wrong with the request itself, not what its server found later", () => {
    const errors = [[-32_600, 400, 200], [-32_602, 400, 200], [-32_601, 404, 404], [-32_022, 400, 200]]
    errors.push([-32_021, 400, 400], [-32_603, 200, 200])
    for (const [code, atOnce, later] of errors) {
      const error = { error: { code: code!, message: "no" } }
      expect([code, make(10, ({ say }) => say(error)).post(1).status()]).toEqual([code, atOnce])
      const { calls, post } = make()
      const { status } = post(1)
      calls[0]?.say(error)
      expect([code, status()]).toEqual([code, later])
    }
  })

  it("[E8:unit] of a client that goes away is cancelled, unless it is answered", () => {
    const { calls, post } = make()
    const [gone, answered] = [post(1), post(2)]
    gone.leave()
    calls[1]?.say({ result: {} })
    answered.leave()
    expect(calls.map(({ stopped }) => stopped)).toEqual([["the client has gone"], []])
    expect(calls[0]?.request.isOver).toBe(true)
  })

  it("[E8:unit] what JSON cannot hold is not said, and harms no answer", () => {
    const { calls, post, state } = make()
    const { json } = post(1)
    calls[0]?.say({ ...progress, params: { big: 1n } })
    calls[0]?.say({ id: 1, result: {} })
    expect(json()).toEqual({ jsonrpc: "2.0", id: 1, result: {} })
    expect(state.errors).toEqual([new Error("notifications/progress for a client cannot be written as JSON")])
  })

  it("[E8:unit] a notification is taken, and begins nothing", () => {
    const { calls, requests } = make()
    const reader = Reader.make()
    requests.post(
      { jsonrpc: "2.0", method: "notifications/cancelled" },
      { headers: {}, socket: {} } as never,
      anyone,
      reader.response
    )
    expect([reader.status(), reader.end(), calls]).toEqual([202, "ended", []])
  })

  it("[E8:unit G11] its stream has no ids of events to come back with, shows that it lives, and ends with the answer", () => {
    const { calls, post, requests } = make()
    const { end, headers, text } = post(1)
    calls[0]?.say(progress)
    expect(headers()).toMatchObject({ "Content-Type": "text/event-stream" })
    requests.tick()
    calls[0]?.say({ id: 1, result: {} })
    expect(text()).toMatch(
      /^event: message\ndata: .+progress.+\n\n: keepalive\n\nevent: message\ndata: .+"result":\{\}.+\n\n$/
    )
    expect(end()).toBe("ended")
    requests.tick()
    expect(text()).not.toMatch(/keepalive.*keepalive/s)
  })
})

describe("a client without a session", () => {
  const refusing = (sent: Sent) => {
    const { post } = make(2)
    for (const id of [1, 2]) expect(post(id, sent).refusal).toBeUndefined()
    return (id: number, sent: Sent) => post(id, sent).refusal
  }

  it("[X5 G17:unit G26] is known by its address, also behind a proxy, and what it says it is, of which no more than 100 characters count, where nothing tells who calls", () => {
    const long = "x".repeat(100)
    const others = [{ subject: "another" }, { address: "b" }, { forwarded: "b" }, { name: null }, { name: "y" }]
    for (const other of others) {
      const refused = refusing({ subject: "", name: `${long}a` })
      expect(refused(3, { subject: "", name: `${long}b` })).toMatchObject({
        status: 429,
        id: 3,
        headers: { "Retry-After": "1" },
        isRead: true
      })
      expect(refused(4, { subject: "", name: `${long}a`, ...other })).toBeUndefined()
    }
  })

  it("[X5 G17:unit] is its caller, whatever it says it is and from wherever it asks", () => {
    for (const other of [{ address: "b" }, { name: null }, { name: "y" }]) {
      const refused = refusing({ subject: "one" })
      expect(refused(3, { subject: "one", ...other })).toMatchObject({ status: 429 })
      expect(refused(4, { subject: "another" })).toBeUndefined()
    }
  })
})

describe("a caller that is removed", () => {
  it("[G22:unit] has its requests ended, and those of no other caller; none of them goes on elsewhere", () => {
    const { calls, post, requests, state } = make()
    const sent = [post(1, { subject: "ann" }), post(2, { subject: "ben" }), post(3, { subject: "ann" })]
    // As while all is forgotten here.
    for (const { request } of calls) request.mayMove = true
    requests.endOf({ subject: "ann" }, "the client was removed")
    expect(calls.map(({ request }) => [request.isOver, request.mayMove])).toEqual([[true, false], [false, true], [
      true,
      false
    ]])
    expect(sent[0]?.json()).toMatchObject({
      id: 1,
      error: { message: expect.stringMatching(/^the client was removed/) }
    })
    expect(sent.map(({ status }) => status())).toEqual([200, undefined, 200])
    expect(state.endedOf).toEqual([["ann", "the client was removed"]])
  })

  it("[D11:unit] what goes on elsewhere when all is forgotten is what was open then, and only until that is done", async () => {
    const { calls, post, requests, state } = make()
    post(1)
    await requests.forget("this replica is lost")
    post(2)
    expect([state.movable, calls.map(({ request }) => request.mayMove)]).toEqual([[[true]], [false, false]])
  })
})

describe("a request that is refused", () => {
  it("[X5:unit G17] has taken nothing, whatever it is refused for, also the next time", () => {
    const { calls, held, post } = make(1)
    const listen = (id: number, uris: ReadonlyArray<string>) => post(id, { method: "subscriptions/listen", uris })
    for (let round = 0; round < 2; round++) {
      expect(held()).toEqual({ places: 0, bodies: 0, count: 0, bytes: 0 })
      expect(listen(1, ["a://1", "a://22"]).refusal).toBeUndefined()
      expect(post(2).refusal).toBeUndefined()
      expect(calls.map(({ request }) => request.bytes)).toEqual([16_484, 16_484])
      // A stream of changes takes no place of a call.
      const before = { places: 1, bodies: 200, count: 2, bytes: 11 }
      expect(held()).toEqual(before)
      for (const { refusal } of [listen(3, ["a://3"]), post(4), listen(5, ["x".repeat(20_000)])]) {
        expect(refusal).toMatchObject({ status: 429, isRead: true })
        expect(held()).toEqual(before)
      }
      for (const { request } of calls.splice(0)) request.interrupt("enough")
    }
    expect(held()).toEqual({ places: 0, bodies: 0, count: 0, bytes: 0 })
  })
})

describe("credentials that expire", () => {
  it("[G22:unit] end a stream of changes after a minute; calls, and streams whose credentials do not expire, go on", () => {
    const { calls, post, requests } = make()
    const expiresAt = Date.now() + 1000
    post(1, { method: "subscriptions/listen", expiresAt })
    post(2, { method: "subscriptions/listen" })
    post(3, { expiresAt })
    const isOver = () => calls.map(({ request }) => request.isOver)
    vi.setSystemTime(expiresAt + 60_000)
    requests.tick()
    expect(isOver()).toEqual([false, false, false])
    vi.setSystemTime(expiresAt + 60_001)
    requests.tick()
    expect(isOver()).toEqual([true, false, false])
  })
})

describe("credentials that are not accepted any more", () => {
  it("[G22:unit] end a stream of changes when they are checked again, and no call", () => {
    let isAccepted = true
    const streams = new OpenStreams({ check: () => isAccepted ? anyone : Authentication.unauthorized("no") })
    const { calls, post } = make()
    post(1, { streams })
    const { text } = post(2, { streams, method: "subscriptions/listen" })
    const isOver = () => calls.map(({ request }) => request.isOver)
    streams.recheck()
    expect(isOver()).toEqual([false, false])
    isAccepted = false
    streams.recheck()
    expect(isOver()).toEqual([false, true])
    expect(text()).toContain("the credentials of the stream are not accepted any more")
    calls[0]?.request.interrupt("enough")
  })
})

describe("the end of the gateway", () => {
  it("[E8:unit G18] answers what is open with what is known of it, and ends all conversations", async () => {
    const { calls, post, requests, state } = make()
    const [answered, open] = [post(1), post(2)]
    calls[0]?.say({ result: {} })
    const before = answered.text()
    await requests.close()
    expect(answered.text()).toBe(before)
    expect(open.json()).toMatchObject({ id: 2, error: { data: { tag: "Interrupted", fate: "unknown" } } })
    expect([calls.map(({ stopped }) => stopped), state.closed]).toEqual([
      [[], ["the gateway is shutting down"]],
      ["the gateway is shutting down"]
    ])
  })

  it("[E8:unit G18] waits for what is answered some steps after it was interrupted", async () => {
    const { calls, post, requests } = make()
    const { json, status } = post(1)
    const { request } = calls[0]!
    request.work = { stop: () => undefined }
    let isClosed = false
    const closed = requests.close().then(() => isClosed = true)
    await vi.advanceTimersByTimeAsync(10)
    expect([isClosed, status()]).toEqual([false, undefined])
    request.answer({ result: {} })
    await closed
    expect(json()).toMatchObject({ id: 1, result: {} })
  })

  it("[X5:unit E8] keeps nothing of what is over: no beat reaches its stream", () => {
    const { calls, post, requests } = make()
    for (const id of [1, 2]) post(id)
    for (const { say } of calls) say(progress)
    const beat = vi.spyOn(SseWriter.prototype, "tick")
    try {
      calls[0]?.say({ result: {} })
      requests.tick()
      expect(beat).toHaveBeenCalledTimes(1)
      calls[1]?.request.cancel()
      requests.tick()
      expect(beat).toHaveBeenCalledTimes(1)
    } finally {
      beat.mockRestore()
    }
  })

  it("[E8:unit] whoever answers hears each beat", () => {
    const { requests, state } = make()
    requests.tick()
    expect(state.ticks).toBe(1)
  })
})
