import { Bytes } from "@mcp-lifeline/core/text"
import type { Amount, Quota } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { beforeEach, describe, expect, it } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import { anyone } from "../src/Caller.js"
import { ClientSession } from "../src/ClientSession.js"
import type { Conversation } from "../src/Conversation.js"
import { EventBudget } from "../src/EventBudget.js"
import * as Raw from "./support/RawEndpoint.js"
import * as Reader from "./support/Reader.js"

// What is tested here is a part, without the one who ends it.
beforeEach(() => mayLeave("events", "shares"))

const make = (
  close: Conversation["close"] = () => Promise.resolve(),
  saved?: Promise<void>,
  more: Partial<ConstructorParameters<typeof ClientSession>[0]> = {}
) => {
  const state = {
    reasons: [] as Array<string>,
    errors: [] as Array<unknown>,
    client: undefined as Raw.Scripted | undefined,
    received: [] as Array<Raw.Message>,
    introduced: [] as Array<unknown>
  }
  const budget = new EventBudget(Bytes(10_000_000))
  const session = new ClientSession({
    caller: anyone,
    begin: (client) => {
      state.client = Raw.scripted(client)
      return Raw.conversing((message) => void state.received.push(message), {
        close: (reason) => {
          state.reasons.push(reason)
          return close(reason)
        }
      })
    },
    budget,
    maxCalls: 10,
    open: Raw.plenty(),
    onError: (error) => void state.errors.push(error),
    startsServers: () => true,
    onSetting: () => Promise.resolve(),
    onInitialized: (result) => {
      state.introduced.push(result)
      return { id: "one", saved }
    },
    ...more
  })
  const say = (message: object, about?: number): void => state.client?.write({ jsonrpc: "2.0", ...message }, about)
  /** Sends a call, about which something is said at once, so that a stream begins. */
  const call = (id: number, reader = Reader.make()) => {
    session.post([{ jsonrpc: "2.0", id, method: "tools/call", params: {} }], false, reader.response)
    state.client?.write({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: id } }, id)
    return reader
  }
  const answered = (id: number, reader = Reader.make()) => {
    call(id, reader)
    say({ id, result: {} })
    return reader
  }
  const listen = (id: string | undefined, reader = Reader.make()) => {
    session.listen(reader.response, id)
    return reader
  }
  const begin = () => {
    const reader = Reader.make()
    const ids: Array<string | undefined> = []
    session.initialize({ jsonrpc: "2.0", id: 0, method: "initialize" }, reader.response, (id) => void ids.push(id))
    return { ...reader, ids }
  }
  return { answered, begin, budget, call, listen, say, session, state }
}

const idAt = ({ text }: Reader.Reader, place: number): string =>
  [...text().matchAll(/^id: (.+)$/gm)].at(place)?.[1] ?? ""

const change = { method: "notifications/message", params: { level: "info", data: "x" } }

const messages = ({ text }: Reader.Reader): ReadonlyArray<any> =>
  [...text().matchAll(/^data: (\{.+)$/gm)].map(([, data = ""]) => JSON.parse(data))

const interrupted = (id: number) => ({
  jsonrpc: "2.0",
  id,
  error: {
    code: -32_000,
    message: "it is enough before the request was answered: it may have been carried out",
    data: { tag: "Interrupted", fate: "unknown" }
  }
})

describe("a session that ends", () => {
  it("[G18:unit] answers what its conversation has not, and says so once; its conversation hears why", async () => {
    const { call, session, state } = make()
    const readers = [call(1), call(2)]
    await session.close("it is enough")
    await session.close("once more")
    expect(state.reasons).toEqual(["it is enough"])
    for (const [index, reader] of readers.entries()) {
      expect(messages(reader).slice(1)).toEqual([interrupted(index + 1)])
    }
    expect(session.isBusy).toBe(false)
  })

  it("[G18:unit] answers also where its conversation cannot be closed, which is no secret", async () => {
    const broken = new Error("broken")
    const { call, session, state } = make(() => Promise.reject(broken))
    const reader = call(1)
    await session.close("it is enough")
    expect(messages(reader).slice(1)).toEqual([interrupted(1)])
    expect(state.errors).toEqual([broken])
  })

  it("[G18:unit] who reads slowly is sent all that was said, and the answer as it is", async () => {
    const { call, session } = make()
    const reader = call(1, Reader.make(true))
    await session.close("it is enough")
    expect(messages(reader)).toEqual([])
    for (let times = 0; times < 3; times++) reader.drain()
    expect(messages(reader)).toEqual([expect.objectContaining({ method: "notifications/progress" }), interrupted(1)])
    expect(reader.end()).toBe("ended")
  })

  it("[G18:unit] whose server still answers is waited for before its conversation ends", async () => {
    const { call, session, state } = make()
    const reader = call(1)
    const request = state.client!.requests.get(1)!
    request.work = { stop: () => undefined }
    const closed = session.close("it is enough")
    await new Promise((resolve) => setImmediate(resolve))
    expect(state.reasons).toEqual([])
    request.answer({ result: { n: 1 } })
    await closed
    expect(state.reasons).toEqual(["it is enough"])
    expect(messages(reader).at(-1)).toEqual({ jsonrpc: "2.0", id: 1, result: { n: 1 } })
  })

  it("[G3:unit] ends the stream of what is about no request, too", async () => {
    const { session } = make()
    const reader = Reader.make()
    session.listen(reader.response, undefined)
    expect(session.isBusy).toBe(true)
    await session.close("it is enough")
    expect([reader.end(), session.isBusy]).toEqual(["ended", false])
  })
})

describe("the first request of a session", () => {
  const result = { protocolVersion: "2025-06-18", capabilities: {} }
  const introduction = { jsonrpc: "2.0", id: 0, result }

  it("[G1:unit] is answered with the session's id, whatever form its answer has, as soon as that is written", async () => {
    let keep = (): void => undefined
    const kept = new Promise<void>((resolve) => (keep = resolve))
    for (const form of ["message", "text"]) {
      for (const saved of [undefined, kept]) {
        const { begin, say, session, state } = make(undefined, saved)
        const { headers, ids, text } = begin()
        if (form === "message") say({ id: 0, result })
        else state.client?.writeResult(0, JSON.stringify(result))
        expect([text() !== "", ids.length]).toEqual(saved === undefined ? [true, 1] : [false, 0])
        keep()
        await saved
        expect([JSON.parse(text()), headers()["Mcp-Session-Id"], ids]).toEqual([introduction, "one", ["one"]])
        expect([state.introduced, session.version]).toEqual([[result], "2025-06-18"])
        // What is answered later is no introduction.
        session.post([{ jsonrpc: "2.0", id: 1, method: "tools/list" }], false, Reader.make().response)
        state.client?.writeResult(1, "{}")
        expect(state.introduced).toHaveLength(1)
      }
    }
  })

  it("[G1:unit] has no session where it is refused, and the newest version where the answer names none", () => {
    const refused = make()
    const { headers, ids, text } = refused.begin()
    refused.say({ id: 0, error: { code: -1, message: "no" } })
    expect([JSON.parse(text()).error.message, ids]).toEqual(["no", [undefined]])
    expect(headers()).not.toHaveProperty("Mcp-Session-Id")
    const silent = make()
    silent.begin()
    silent.say({ id: 0, result: {} })
    expect(silent.session.version).toBe("2025-11-25")
  })
})

describe("the requests of a session", () => {
  const post = ({ session }: ReturnType<typeof make>, ...ids: ReadonlyArray<number>) =>
    session.post(ids.map((id) => ({ jsonrpc: "2.0", id, method: "ping" })), ids.length > 1, Reader.make().response)

  it("[G17:unit] are refused where they are too many, or their ids are in use, also by each other", () => {
    const one = make()
    expect(post(one, 1, 2)).toBeUndefined()
    const used = { status: 400, code: -32_600, isRead: true }
    expect(post(one, 2)).toMatchObject({ ...used, id: 2 })
    expect(post(one, 3, 4, 3)).toMatchObject({ ...used, id: 3 })
    expect(post(one, 3, 4, 5, 6, 7, 8, 9, 10)).toBeUndefined()
    expect(post(one, 11)).toMatchObject({ status: 429, id: 11, headers: { "Retry-After": "1" }, isRead: true })
    expect(one.state.received).toHaveLength(10)
  })

  it("[X5:unit G17] take their place once for a POST, and give it back when the last of them is over, however that ends", () => {
    const taken: Array<readonly [count: number, bytes: number]> = []
    let held = 0
    const open = {
      take: (_: unknown, { bytes, count }: Amount) => {
        taken.push([count, bytes])
        held += count
      },
      release: (_: unknown, { count }: Amount) => void (held -= count)
    } as object as Quota
    const one = make(undefined, undefined, { open })
    const send = (...ids: ReadonlyArray<number>) =>
      one.session.post(
        ids.map((id) => ({ jsonrpc: "2.0", id, method: "tools/call", params: {} })),
        ids.length > 1,
        Reader.make().response,
        { bytes: Bytes(16_384 + 70) }
      )
    for (let round = 0; round < 2; round++) {
      send(1, 2, 3)
      send(4)
      expect(held).toBe(4)
      one.say({ id: 1, result: {} })
      one.session.requests.cancel({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } })
      expect(held).toBe(4)
      one.say({ id: 3, error: { code: -1, message: "no" } })
      expect(held).toBe(1)
      one.say({ id: 4, result: {} })
      expect(held).toBe(0)
    }
    expect(taken).toEqual([[3, 70], [1, 70], [3, 70], [1, 70]])
  })

  it("[D4:unit] tell whether another replica may have carried them out before, each for itself", () => {
    const { session, state } = make()
    for (const [id, isRepeated] of [[1, true], [2, false]] as const) {
      const message = { jsonrpc: "2.0", id, method: "tools/call", params: {} } as const
      session.post([message], false, Reader.make().response, { isRepeated })
    }
    expect(state.received.map(({ isRepeated }) => isRepeated)).toEqual([true, undefined])
  })

  it("[G10 G13:unit] of a session that goes on are in the version in which it began", () => {
    for (const version of ["2025-03-26", "2025-11-25"]) {
      const resumed = { initialize: {}, settings: { subscriptions: [] }, version, lists: [] }
      expect(make(undefined, undefined, { resumed }).session.version).toBe(version)
    }
  })

  it("[G3:unit] are cancelled by a notification that says so, and by nothing else", () => {
    const one = make()
    const { call, say, session, state } = one
    const reader = call(1)
    const params = { requestId: 1 }
    for (const message of [{ id: 2, method: "tools/call" }, { method: "notifications/progress" }]) {
      session.post([{ jsonrpc: "2.0", ...message, params } as JSONRPCMessage], false, Reader.make().response)
    }
    for (const requestId of [undefined, 7]) {
      const cancel = { jsonrpc: "2.0" as const, method: "notifications/cancelled", params: { requestId } }
      session.post([cancel], false, Reader.make().response)
    }
    say({ id: 1, result: {} })
    expect(messages(reader).at(-1)).toEqual({ jsonrpc: "2.0", id: 1, result: {} })
    expect(state.errors).toEqual([])
  })

  it("[H9:unit] put their server in doubt where the client goes away before their answer, each time, and no other", () => {
    const { call, listen, say, state } = make()
    const readers = [call(1), call(2)]
    const doubted: Array<number> = []
    for (const id of [1, 2]) {
      state.client!.requests.get(id)!.work = { stop: () => undefined, doubt: () => void doubted.push(id) }
    }
    readers[0]!.leave()
    expect(doubted).toEqual([1])
    const again = listen(idAt(readers[0]!, -1))
    again.leave()
    expect(doubted).toEqual([1, 1])
    say({ id: 2, result: {} })
    readers[1]!.leave()
    expect(doubted).toEqual([1, 1])
    expect(state.client!.requests.get(1)?.isOver).toBe(false)
  })

  it("[G13:unit] of a batch, a request that an earlier message cancels begins nothing", () => {
    const { session, state } = make()
    const batch = [{ method: "notifications/cancelled", params: { requestId: 1 } }, { id: 1, method: "tools/call" }]
    session.post(batch.map((one) => ({ jsonrpc: "2.0", ...one } as JSONRPCMessage)), true, Reader.make().response)
    expect([state.received, session.requests.size]).toEqual([[], 0])
  })

  it("[G13:unit] of a batch, each message is taken as what it is, in order", () => {
    const { session, state } = make()
    const batch = [{ method: "notifications/odd" }, { id: 1, method: "tools/call" }, { id: 7, result: {} }]
    session.post(batch.map((one) => ({ jsonrpc: "2.0", ...one } as JSONRPCMessage)), true, Reader.make().response)
    expect(state.received).toMatchObject(batch)
    expect([...(state.client?.requests ?? [])].map(({ id }) => id)).toEqual([1])
  })

  it("[X1:unit] what the server says and JSON cannot hold is not said, and told to the gateway's log", () => {
    const { call, say, state } = make()
    const reader = call(1)
    say({ ...change, params: { big: 1n } }, 1)
    expect(messages(reader)).toHaveLength(1)
    expect(state.errors).toEqual([new Error("notifications/message for a client cannot be written as JSON")])
  })

  it("[G15:unit] make it one that is used until they are answered, and as long as somebody reads the answers", () => {
    const one = make()
    expect(one.session.isBusy).toBe(false)
    post(one, 1)
    expect(one.session.isBusy).toBe(true)
    one.say({ id: 1, result: {} })
    expect(one.session.isBusy).toBe(false)
    const { answered, session } = one
    const slow = answered(2, Reader.make(true))
    expect(session.isBusy).toBe(true)
    for (let times = 0; times < 3; times++) slow.drain()
    expect([slow.end(), session.isBusy]).toEqual(["ended", false])
  })
})

describe("the streams of a session", () => {
  it("[G11:unit] one of requests goes on for its own event ids, not for those of an earlier process that look the same", () => {
    const { call, listen, say } = make()
    const id = idAt(call(1), 0)
    say({ method: "notifications/progress", params: { progressToken: 1, progress: 2 } }, 1)
    const [epoch = "", key = "", event] = id.split(".")
    expect([key, event]).toEqual([expect.stringMatching(/^1~/), "0"])
    for (
      const other of [
        `${epoch.replace(/./g, "0")}.${key}.0`,
        `${epoch}.${key}.x`,
        `${epoch}.${key}.`.replace("1~", "9~")
      ]
    ) {
      const reader = listen(other)
      expect(messages(reader)).toMatchObject([{ id: 1, error: { data: { fate: "unknown" } } }])
      // The ids name a stream of which nothing follows: no client comes back for what another one would get.
      expect([reader.end(), /id: \w+\.over~\.1\n/.test(reader.text())]).toEqual(["ended", true])
    }
    expect(messages(listen(id))).toHaveLength(2)
  })

  it("[G11:unit] the one of the session goes on after the event that was read last; an id of another sends nothing again", () => {
    const { listen, say } = make()
    const first = listen(undefined)
    for (let n = 0; n < 3; n++) say(change)
    const after = idAt(first, 1)
    expect(messages(first)).toHaveLength(3)
    const [epoch = "", , event] = after.split(".")
    for (const other of [undefined, `${"0".repeat(epoch.length)}.0.${event}`, `${epoch}.7.${event}`, `${epoch}.0.x`]) {
      expect(messages(listen(other))).toEqual([])
    }
    expect(messages(listen(after))).toHaveLength(2)
    expect(messages(listen(`x.0.x`))).toEqual([])
  })

  it("[G17:unit] a hundred are kept after their answers, and none that is not over goes for them", () => {
    const { answered, call, listen, say } = make()
    const open = call(1)
    const first = answered(2)
    for (let id = 3; id <= 100; id++) answered(id)
    expect(messages(listen(idAt(first, 0)))).toHaveLength(2)
    answered(101)
    // The oldest that is over is forgotten: who has read it has all, and who has not is told so.
    expect(messages(listen(idAt(first, 0)))).toMatchObject([{ id: 2, error: { data: { fate: "unknown" } } }])
    expect(messages(listen(idAt(first, -1)))).toEqual([])
    say({ id: 1, result: {} })
    expect(messages(open).at(-1)).toEqual({ jsonrpc: "2.0", id: 1, result: {} })
  })

  it("[G17:unit] of a thousand more it is known which event was the last", () => {
    const { answered, listen } = make()
    const [first, second] = [answered(1), answered(2)]
    for (let id = 3; id <= 1101; id++) answered(id)
    expect(messages(listen(idAt(second, -1)))).toEqual([])
    expect(messages(listen(idAt(first, -1)))).toMatchObject([{ id: 1, error: { data: { fate: "unknown" } } }])
  })

  it("[G11 G17:unit] those that are over are kept for five minutes; the others are shown to live", () => {
    const { answered, budget, call, listen, session } = make()
    const [own, over, open] = [listen(undefined), answered(1), call(2)]
    const ticks = () => [own, open].map(({ text }) => text().match(/: keepalive/g)?.length)
    session.tick(performance.now() + 4.9 * 60_000)
    expect(messages(listen(idAt(over, 0)))).toHaveLength(2)
    const before = budget.bytes
    session.tick(performance.now() + 5.1 * 60_000)
    expect(messages(listen(idAt(over, 0)))).toMatchObject([{ error: { data: { fate: "unknown" } } }])
    expect(budget.bytes).toBeLessThan(before)
    expect(ticks()).toEqual([2, 2])
  })

  it("[G21:unit] the session's own ends when its client has not renewed its credentials for a minute; what it misses waits, and calls go on", () => {
    const { call, listen, say, session } = make()
    const expired = (millis: number) => ({ subject: "ann", claims: {}, expiresAt: Date.now() - millis })
    const [own, open] = [listen(undefined), call(1)]
    session.caller = expired(59_000)
    session.tick(performance.now())
    expect([own.end(), open.end()]).toEqual([undefined, undefined])
    session.caller = expired(61_000)
    session.tick(performance.now())
    expect([own.end(), open.end()]).toEqual(["ended", undefined])
    say(change)
    session.caller = expired(-1000)
    const again = listen(idAt(own, -1))
    expect(messages(again)).toEqual([{ jsonrpc: "2.0", ...change }])
    session.tick(performance.now())
    expect(again.end()).toBe(undefined)
  })

  it("[X5:unit] keep nothing after the end of the session, whether somebody reads them or not", async () => {
    const { answered, budget, call, listen, say, session } = make()
    const own = listen(undefined)
    say(change)
    own.leave()
    call(1).leave()
    answered(2).leave()
    say({ method: "notifications/progress", params: { progressToken: 1, progress: 2 } }, 1)
    const open = call(3)
    expect(budget.bytes).toBeGreaterThan(0)
    await session.close("it is enough")
    expect([budget.bytes, open.end()]).toEqual([0, "ended"])
  })
})
