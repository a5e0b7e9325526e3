import { type ClientRequest, ClientRequests } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { describe, expect, it, vi } from "vitest"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import {
  early,
  earlyLimits,
  parkedLimits,
  parkedPlaces,
  parking,
  questionLimits,
  questions
} from "../../src/eras/parkedLimits.js"
import { StatelessClient } from "../../src/eras/StatelessClient.js"
import { hearing } from "../support/hearing.js"
import { introduction, key, meta } from "../support/RawEndpoint.js"

type Message = any

const { capabilities } = introduction

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const make = ({ answer = () => undefined, bytes = 0, isAtOnce = false, isShared = false, places, refused = [] }: {
  readonly answer?: (message: Message) => object | undefined
  readonly isAtOnce?: boolean
  readonly isShared?: boolean
  readonly bytes?: number
  readonly places?: ReturnType<typeof parkedPlaces>
  readonly refused?: Array<string>
} = {}) => {
  const written: Array<Message> = []
  const received: Array<Message> = []
  const receive = (message: JSONRPCMessage): void => void received.push(message)
  const take = (inner: ClientRequest): void => {
    const { id, method, params } = inner
    const message = { jsonrpc: "2.0" as const, id, method, params }
    receive(message)
    inner.work = {
      stop: () => {
        receive({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } })
        return "unknown"
      }
    }
    const why = method === "initialize" ? refused.shift() : undefined
    const said = why !== undefined
      ? { error: { code: -32_000, message: why } }
      : method === "initialize"
      ? { result: introduction }
      : answer(message)
    const deliver = (): void => said && inner.answer(said as never)
    if (isAtOnce) deliver()
    else queueMicrotask(deliver)
  }
  const stateless: StatelessClient = new StatelessClient({
    name: "a server",
    isShared,
    park: parking(places)(""),
    session: {
      receive,
      request: take,
      introduce: () => Promise.resolve({ ...introduction, capabilities: { ...capabilities, tasks: {} } } as never)
    }
  })
  const requests = new ClientRequests()
  const responder = hearing((message) => written.push(message))
  const host = {
    deliver: (message: Message): void =>
      message.method === undefined
        ? stateless.requests.get(message.id)?.answer(message)
        : stateless.deliver(message),
    receive: (message: Message): void =>
      message.method === "notifications/cancelled"
        ? void requests.cancel(message)
        : stateless.request(Object.assign(requests.open(message, responder), { bytes })),
    end: () => stateless.end()
  }
  let last = 0
  return {
    host,
    stateless,
    received,
    about: (id: RequestId) => written.filter((one) => one.id === id),
    written,
    sent: (method: string) => received.filter((one) => one.method === method),
    answers: () => received.filter((one) => one.method === undefined),
    request: (method: string, params: object = {}, more: object = {}): number => {
      const id = ++last
      host.receive({
        jsonrpc: "2.0",
        id: `h${id}`,
        method,
        params: { ...params, _meta: meta(more, { elicitation: {} }) }
      } as never)
      return id
    },
    asks: async (id: string, method = "elicitation/create"): Promise<void> => {
      host.deliver({ jsonrpc: "2.0", id, method, params: { message: id } } as never)
      await turn()
    }
  }
}

const listen = (...uris: ReadonlyArray<string>) => ({
  notifications: { toolsListChanged: true, ...(uris.length === 0 ? {} : { resourceSubscriptions: uris }) }
})

const acknowledged = "notifications/subscriptions/acknowledged"

describe("tasks of a session", () => {
  it("[C17] are neither announced to a client without one, nor begun because it wishes so", async () => {
    const { about, request, sent } = make()
    request("server/discover")
    await turn()
    expect(JSON.parse(JSON.stringify(about("h1")[0].result.capabilities))).toEqual(capabilities)
    request("tools/call", { name: "long", task: { ttl: 1 } })
    expect(sent("tools/call")[0].params).toMatchObject({ name: "long" })
    expect(sent("tools/call")[0].params).not.toHaveProperty("task")
  })
})

describe("a session that is refused", () => {
  it.each([false, true])(
    "[C13 E8] a stream of changes is refused with why, each time, and opened once there is a server (at once: %s)",
    async (isAtOnce) => {
      const { about, request, sent, written } = make({ isAtOnce, refused: ["no server", "still none"] })
      for (const why of ["no server", "still none"]) {
        const id = request("subscriptions/listen", listen())
        await turn()
        expect(about(`h${id}`)).toEqual([{ jsonrpc: "2.0", id: `h${id}`, error: { code: -32_000, message: why } }])
      }
      request("subscriptions/listen", listen())
      await turn()
      expect(written.at(-1)).toMatchObject({
        method: acknowledged,
        params: { notifications: { toolsListChanged: true } }
      })
      request("subscriptions/listen", listen())
      await turn()
      expect(sent("initialize")).toHaveLength(3)
    }
  )

  it("[C13 E8] calls that wait for it are refused, and later ones find out by themselves", async () => {
    const { about, host, received, request, written } = make({ refused: ["no server"] })
    const call = request("tools/call", { name: "x" })
    await turn()
    expect(about(`h${call}`)[0].error.message).toBe("no server")
    const next = request("tools/call", { name: "x" })
    expect(received.filter(({ method }) => method === "initialize")).toHaveLength(1)
    const number = received.at(-1).id
    host.deliver({ jsonrpc: "2.0", id: number, result: { content: [] } } as never)
    expect(about(`h${next}`)[0].result).toMatchObject({ content: [] })
    expect(written).toHaveLength(2)
  })

  it("[C19 G18] a call says what is known of itself if all is interrupted before the session has begun", async () => {
    const { about, request, stateless } = make()
    const call = request("tools/call", { name: "x" })
    const [initialize] = stateless.requests
    initialize!.work = { stop: () => "notSent" }
    await stateless.requests.interrupt("the gateway is shutting down")
    expect(about(`h${call}`)).toMatchObject([{ error: { data: { tag: "Interrupted", fate: "unknown" } } }])
  })

  it("[C13] a call that is under way is not ended by a stream that is refused", async () => {
    const { about, request } = make({ refused: ["no server", "no server"] })
    request("tools/call", { name: "x" })
    await turn()
    const call = request("tools/call", { name: "y" })
    const stream = request("subscriptions/listen", listen())
    await turn()
    expect(about(`h${stream}`)[0].error.message).toBe("no server")
    expect(about(`h${call}`)).toEqual([])
  })
})

describe("what a server asks", () => {
  it("[E8] is given to the call that waits, and its answer to the server", async () => {
    const { about, answers, asks, request } = make()
    const call = request("tools/call", { name: "x" })
    await asks("q1")
    const [{ result }] = about(`h${call}`)
    expect(result).toMatchObject({
      resultType: "input_required",
      inputRequests: { q1: { method: "elicitation/create", params: { message: "q1" } } }
    })
    request("tools/call", {
      name: "x",
      requestState: result.requestState,
      inputResponses: { q1: { action: "accept" } }
    })
    expect(answers()).toEqual([{ jsonrpc: "2.0", id: "q1", result: { action: "accept" } }])
  })

  it("[E8] is shown to nobody where several clients may have made the calls that wait", async () => {
    const { answers, asks, request, sent, written } = make({ isShared: true })
    request("tools/call", { name: "mine" })
    request("tools/call", { name: "theirs" })
    await asks("q1")
    expect(written).toEqual([])
    expect(answers()).toEqual([{
      jsonrpc: "2.0",
      id: "q1",
      error: {
        code: -32_600,
        message: expect.stringMatching(/2 calls are under way.*elicitation\/create.*shown to nobody/)
      }
    }])
    expect(sent("tools/call")).toHaveLength(2)
  })

  it("[E8] is given to the only call that waits, also where there may be several clients", async () => {
    const { about, answers, asks, host, received, request } = make({ isShared: true })
    request("tools/call", { name: "done" })
    host.deliver({ jsonrpc: "2.0", id: received.at(-1).id, result: {} } as never)
    request("tools/list")
    const call = request("tools/call", { name: "x" })
    await asks("q1")
    expect(about(`h${call}`)[0].result.resultType).toBe("input_required")
    // A call that the host was asked something during waits still.
    request("tools/call", { name: "other" })
    await asks("q2")
    expect(answers()).toMatchObject([{ id: "q2", error: { code: -32_600 } }])
  })

  it("[E8] is about a call of the server that asks, where that is known: calls of other servers do not count", async () => {
    const { about, answers, host, received, request, stateless } = make({ isShared: true })
    const call = (name: string, server: string) => {
      const id = request("tools/call", { name })
      const inner = stateless.requests.get(received.at(-1).id)!
      inner.backend = { id: server } as never
      return { id, inner }
    }
    const [mine] = [call("x", "own"), call("y", "shared")]
    const ask = async (id: string) => {
      mine.inner.say({ jsonrpc: "2.0", id, method: "elicitation/create", params: { message: "?" } })
      await turn()
    }
    await ask("q1")
    expect(about(`h${mine.id}`)[0].result).toMatchObject({ resultType: "input_required", inputRequests: { q1: {} } })
    call("z", "own")
    await ask("q2")
    expect(answers()).toMatchObject([{ id: "q2", error: { code: -32_600 } }])
    expect([stateless.parkedCalls, stateless.isIdle]).toEqual([1, false])
    stateless.cancel(`h${mine.id}`)
    expect([stateless.parkedCalls, mine.inner.isOver]).toEqual([0, true])
    host.end()
  })

  it("[E8] goes to the latest call where one host made them all", async () => {
    const { about, asks, request } = make()
    const [first, second] = [request("tools/call", { name: "x" }), request("tools/call", { name: "y" })]
    await asks("q1")
    expect(about(`h${first}`)).toEqual([])
    expect(about(`h${second}`)[0].result.resultType).toBe("input_required")
  })

  it("[E8] is declined where the client has not said that it can, and the host hears nothing", async () => {
    const { answers, asks, request, written } = make()
    request("tools/call", { name: "x" }, { [key("clientCapabilities")]: { sampling: {} } })
    await asks("q1")
    expect(written).toEqual([])
    expect(answers()).toMatchObject([{
      id: "q1",
      error: { code: -32_021, message: expect.stringContaining("elicitation") }
    }])
  })

  it("[E8] is declined where no call waits, or where it is nothing that clients know", async () => {
    const { answers, asks, request, written } = make()
    request("tools/list")
    await asks("q1")
    await asks("q2", "odd/question")
    expect(written).toEqual([])
    expect(answers()).toMatchObject([
      { id: "q1", error: { code: -32_600, message: expect.stringContaining("during a call only") } },
      { id: "q2", error: { code: -32_601 } }
    ])
  })

  it("[E8] is declined when the call is over before the host was told, and when the host gives no answer", async () => {
    const { about, answers, asks, host, received, request } = make()
    request("tools/call", { name: "x" })
    const number = received.at(-1).id
    host.deliver({ jsonrpc: "2.0", id: "q1", method: "elicitation/create", params: {} } as never)
    host.deliver({ jsonrpc: "2.0", id: number, result: {} } as never)
    expect(answers()).toMatchObject([{ id: "q1", error: { message: "the call is over" } }])
    const call = request("tools/call", { name: "x" })
    await asks("q2")
    const { requestState } = about(`h${call}`)[0].result
    request("tools/call", { name: "x", requestState, inputResponses: { other: {}, q2: 7 } })
    expect(answers().at(-1)).toMatchObject({ id: "q2", error: { message: "the client gave no answer" } })
    const again = request("tools/call", { name: "x", requestState, inputResponses: { q2: {} } })
    expect(about(`h${again}`)[0].error).toMatchObject({
      code: -32_602,
      message: expect.stringContaining("requestState")
    })
  })

  it("[E8] the state of a server that is behind a Lifeline, too, goes to that server", async () => {
    const { received, request } = make()
    request("tools/call", { name: "x", requestState: "mcp-lifeline:7", inputResponses: { q1: {} } })
    expect(received.at(-1)).toMatchObject({ method: "tools/call", params: { requestState: "mcp-lifeline:7" } })
  })

  it("[E8] is not asked any more once the server withdraws it, or the host cancels its call", async () => {
    const { about, answers, host, received, request } = make()
    const call = request("tools/call", { name: "x" })
    host.deliver({ jsonrpc: "2.0", id: "q1", method: "elicitation/create", params: {} } as never)
    host.deliver({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "q1" } } as never)
    await turn()
    expect(about(`h${call}`)).toEqual([])
    const number = received.find(({ method }) => method === "tools/call").id
    host.deliver({ jsonrpc: "2.0", id: "q2", method: "elicitation/create", params: {} } as never)
    host.receive({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: `h${call}` } } as never)
    await turn()
    expect(about(`h${call}`)).toEqual([])
    expect(answers()).toMatchObject([{ id: "q2", error: {} }])
    expect(received.find(({ method }) => method === "notifications/cancelled").params.requestId).toBe(number)
  })

  it("[E8] a call that the host cancels while it is asked is cancelled at the server, and its state is gone", async () => {
    const { about, answers, asks, request, sent, stateless } = make()
    const call = request("tools/call", { name: "x" })
    await asks("q1")
    const { requestState } = about(`h${call}`)[0].result
    stateless.cancel("another")
    expect(sent("notifications/cancelled")).toEqual([])
    stateless.cancel(`h${call}`)
    expect(sent("notifications/cancelled")).toHaveLength(1)
    const back = request("tools/call", { name: "x", requestState, inputResponses: { q1: {} } })
    expect(about(`h${back}`)[0].error.code).toBe(-32_602)
    expect(answers()).toMatchObject([{ id: "q1", error: { message: "the call is over" } }])
  })

  it("[E8] a call that the host cancels while it is asked is given up, too, if its answer has come already", async () => {
    const { asks, host, received, request, stateless } = make()
    const call = request("tools/call", { name: "x" })
    const number = received.at(-1).id
    await asks("q1")
    host.deliver({ jsonrpc: "2.0", id: number, result: { content: ["done"] } } as never)
    expect(stateless.isIdle).toBe(false)
    stateless.cancel(`h${call}`)
    expect(stateless.isIdle).toBe(true)
  })

  it("[X5 E8] a call whose host was asked and does not come back is given up after 10 minutes", async () => {
    vi.useFakeTimers({ toFake: ["performance"] })
    try {
      const { about, answers, asks, request, sent, stateless } = make()
      const call = request("tools/call", { name: "x" })
      await asks("q1")
      vi.advanceTimersByTime(10 * 60 * 1000)
      stateless.tick()
      expect([stateless.isIdle, sent("notifications/cancelled")]).toEqual([false, []])
      vi.advanceTimersByTime(1)
      stateless.tick()
      expect(stateless.isIdle).toBe(true)
      expect(sent("notifications/cancelled")).toHaveLength(1)
      expect(answers()).toMatchObject([{ id: "q1", error: {} }])
      const { requestState } = about(`h${call}`)[0].result
      const back = request("tools/call", { name: "x", requestState, inputResponses: { q1: {} } })
      expect(about(`h${back}`)[0].error.code).toBe(-32_602)
    } finally {
      vi.useRealTimers()
    }
  })

  it("[E8] progress after the answer, of a task, goes to no other call", () => {
    const { host, request, written } = make()
    request("tools/call", { name: "x" })
    host.deliver({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 1, progress: 1 } })
    expect(written).toEqual([])
  })

  it("[E8] an answer of the server that comes while the host is asked is kept for it", async () => {
    const { about, asks, host, received, request } = make()
    const call = request("tools/call", { name: "x" })
    const number = received.at(-1).id
    await asks("q1")
    host.deliver({ jsonrpc: "2.0", id: number, result: { content: ["done"] } } as never)
    const { requestState } = about(`h${call}`)[0].result
    const next = request("tools/call", { name: "x", requestState, inputResponses: { q1: {} } })
    expect(about(`h${next}`)[0].result).toMatchObject({ content: ["done"], resultType: "complete" })
  })

  it("[E8 G17] of hosts that were asked and never come back, a bounded number is waited for", async () => {
    const { about, asks, request, sent } = make()
    const states: Array<string> = []
    for (let n = 1; n <= 1001; n++) {
      const call = request("tools/call", { name: "x" })
      await asks(`q${n}`)
      states.push(about(`h${call}`)[0].result.requestState)
    }
    expect(sent("notifications/cancelled")).toHaveLength(1)
    const gone = request("tools/call", { name: "x", requestState: states[0] })
    expect(about(`h${gone}`)[0].error.code).toBe(-32_602)
    const there = request("tools/call", { name: "x", requestState: states[1], inputResponses: { q2: {} } })
    expect(about(`h${there}`)).toEqual([])
  })

  it("[E8 X5] of hosts that never come back, the bodies of calls are bounded, too", async () => {
    const places = parkedPlaces()
    const { asks, host, request, sent, stateless } = make({ bytes: parkedLimits.bytes / 4, places })
    const totals = () => places.map(({ total }) => total)
    for (let n = 1; n <= 6; n++) {
      request("tools/call", { name: "x" })
      await asks(`q${n}`)
    }
    expect([stateless.parkedCalls, ...totals()]).toEqual([4, 4, parkedLimits.bytes])
    expect(sent("notifications/cancelled")).toHaveLength(2)
    host.end()
    expect(totals()).toEqual([0, 0])
  })

  it("[E8 X5] questions of one call are bounded until its host comes back; what is too much is declined", async () => {
    const { about, answers, asks, host, request, stateless } = make()
    const call = request("tools/call", { name: "x" })
    await asks("first")
    const { requestState } = about(`h${call}`)[0].result
    const ask = (id: string, message: string) =>
      host.deliver({ jsonrpc: "2.0", id, method: "elicitation/create", params: { message } })
    const { count, item } = questionLimits.holder
    ask("long", "x".repeat(item))
    for (let n = 0; n < count; n++) ask(`q${n}`, "?")
    ask("more", "?")
    await turn()
    expect(answers().map(({ error, id }) => [id, error.message.slice(0, 18)])).toEqual([
      ["long", "too many questions"],
      ["more", "too many questions"]
    ])
    expect(questions.held.count).toBe(count)
    const then = request("tools/call", { name: "x", requestState, inputResponses: { first: {} } })
    await turn()
    expect(Object.keys(about(`h${then}`)[0].result.inputRequests)).toHaveLength(count)
    ask("again", "?")
    stateless.cancel(`h${then}`)
    host.end()
    expect([questions.held.count, answers().at(-1)?.error.message]).toEqual([0, "the call is over"])
  })

  it("[E8 X5 G18] answers that come before their hosts are bounded; in place of one that is too long, the host gets an error", async () => {
    const { about, asks, host, received, request } = make()
    const states: Array<string> = []
    const answer = async (id: string, text: string) => {
      const call = request("tools/call", { name: "x" })
      const number = received.at(-1).id
      await asks(id)
      states.push(about(`h${call}`)[0].result.requestState)
      host.deliver({ jsonrpc: "2.0", id: number, result: { text } })
    }
    await answer("q1", "short")
    await answer("q2", "x".repeat(earlyLimits.holder.item))
    expect(early.held.count).toBe(1)
    const [one, two] = states.map((requestState) => request("tools/call", { name: "x", requestState }))
    expect(about(`h${one}`)[0].result.text).toBe("short")
    expect(about(`h${two}`)[0].error).toMatchObject({
      message: expect.stringContaining("too long to be kept"),
      data: { fate: "unknown" }
    })
    await answer("q3", "x".repeat(earlyLimits.holder.item - 1000))
    host.end()
    expect(early.held).toEqual({ count: 0, bytes: 0 })
  })
})

describe("streams of changes", () => {
  it("[E8 X5] keep of each change one, while they are not acknowledged", async () => {
    mayLeave("quotas")
    const { host, request, written } = make({
      answer: ({ method }) => method === "resources/subscribe" ? undefined : { result: {} }
    })
    vi.useFakeTimers()
    try {
      request("subscriptions/listen", listen("test://a", "test://b"))
      await vi.advanceTimersByTimeAsync(0)
      for (let n = 0; n < 1000; n++) {
        for (const uri of ["test://a", "test://b"]) {
          host.deliver({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri, n } })
        }
        host.deliver({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
      }
      await vi.advanceTimersByTimeAsync(10_000)
    } finally {
      vi.useRealTimers()
    }
    expect(written.map(({ method, params }) => [method.split("/").at(-1), params.uri, params.n])).toEqual([
      ["acknowledged", undefined, undefined],
      ["updated", "test://a", 999],
      ["updated", "test://b", 999],
      ["list_changed", undefined, undefined]
    ])
  })

  const subscribed = (refusesFirst: boolean) => {
    let refusals = refusesFirst ? 1 : 0
    return make({
      answer: ({ method }) => {
        if (method !== "resources/subscribe") return { result: {} }
        return refusals-- > 0 ? { error: { code: -32_002, message: "no such resource" } } : { result: {} }
      }
    })
  }

  it("[E8] a resource that was refused is asked for again by the next stream that wants it", async () => {
    mayLeave("quotas")
    const { request, sent, written } = subscribed(true)
    const told = async () => {
      request("subscriptions/listen", listen("test://one"))
      await turn()
      return written.at(-1).params.notifications.resourceSubscriptions
    }
    expect(await told()).toBeUndefined()
    expect(await told()).toEqual(["test://one"])
    expect(sent("resources/subscribe")).toHaveLength(2)
  })

  it("[E8] a resource is asked for once for all streams, and taken back with the last one", async () => {
    const { host, request, sent } = subscribed(false)
    const streams = [
      request("subscriptions/listen", listen("test://one")),
      request("subscriptions/listen", listen("test://one"))
    ]
    await turn()
    expect(sent("resources/subscribe")).toHaveLength(1)
    for (const [n, stream] of streams.entries()) {
      expect(sent("resources/unsubscribe")).toHaveLength(0)
      host.receive({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: `h${stream}` } } as never)
      expect(sent("resources/unsubscribe")).toHaveLength(n)
    }
  })

  it("[E8 G17] are bounded in number", async () => {
    const { about, request } = make({ answer: () => ({ result: {} }) })
    for (let n = 0; n < 1024; n++) request("subscriptions/listen", listen())
    const many = request("subscriptions/listen", listen())
    expect(about(`h${many}`)[0].error.message).toContain("limit")
    for (const params of [{}, { notifications: 7 }, { notifications: { resourceSubscriptions: [7] } }]) {
      const id = request("subscriptions/listen", params)
      expect(about(`h${id}`)[0].error.code).toBe(-32_602)
    }
  })

  it("[E8] what changes before a stream is acknowledged comes after that, and only what it asked for", async () => {
    const { host, request, written } = make({ answer: () => ({ result: {} }) })
    request("subscriptions/listen", listen())
    host.deliver({ jsonrpc: "2.0", method: "notifications/tools/list_changed" } as never)
    host.deliver({ jsonrpc: "2.0", method: "notifications/resources/list_changed" } as never)
    expect(written).toEqual([])
    await turn()
    expect(written.map(({ method }) => method)).toEqual([acknowledged, "notifications/tools/list_changed"])
    expect(written[1].params._meta).toEqual({ [key("subscriptionId")]: "h1" })
  })
})
