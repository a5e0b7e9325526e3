import type { Loss, RequestEvent } from "@mcp-lifeline/core"
import { RequestError, Sending } from "@mcp-lifeline/core"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Exit } from "effect"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import type { Answer, Response } from "../src/Answers.js"
import * as Answers from "../src/Answers.js"
import * as Messages from "../src/Messages.js"
import type { Options } from "../src/Requests.js"
import { Requests } from "../src/Requests.js"

const loss: Loss = { kind: "closed", message: "it is gone" }

const transportOf = (more: Partial<AdapterTransport> = {}) => {
  const sent: Array<JSONRPCMessage> = []
  const transport: AdapterTransport = {
    peer: {},
    stateful: true,
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
    send: (message) => {
      sent.push(message)
      return Promise.resolve()
    },
    ...more
  }
  return { sent, transport }
}

const make = (more: Partial<AdapterTransport> = {}) => {
  const { sent, transport } = transportOf(more)
  const logged: Array<string> = []
  const log = (message: string): void => void logged.push(message)
  const requests = new Requests(transport, log)
  const ask = (
    options: Partial<Options> = {},
    params?: unknown,
    method: "initialize" | "ping" | "tools/call" = "ping"
  ) => {
    const answers: Array<Answer> = []
    const id = requests.send(method, params, { timeout: 60_000, ...options }, (answer) => answers.push(answer))
    return { id, answers }
  }
  const answer = (id: number, body: object = { result: {} }): void =>
    requests.answered({ jsonrpc: "2.0", id, ...body } as Response)
  const progress = (params: object): void => requests.progressed({ method: "notifications/progress", params })
  const cancelled = (messages = sent) =>
    messages.flatMap((message) =>
      "method" in message && message.method === "notifications/cancelled" ? [message.params] : []
    )
  return { answer, ask, cancelled, log, logged, progress, requests, sent, transport }
}

const errorsOf = (answers: ReadonlyArray<Answer>): ReadonlyArray<RequestError> =>
  answers.flatMap((answer) => Exit.isFailure(answer) && answer.cause._tag === "Fail" ? [answer.cause.error] : [])

describe("requests that wait for their answers", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it("[C9:unit X1:unit] have ids that nobody can guess, and that are positive integers of 31 bits", () => {
    const { ask, requests } = make()
    const ids = Array.from({ length: 5000 }, () => ask().id)
    assert.strictEqual(new Set(ids).size, ids.length)
    assert.isTrue(ids.every((id) => Number.isInteger(id) && id > 0 && id < 2 ** 31))
    // A step to the next one that comes again could be guessed.
    assert.isAbove(new Set(ids.slice(1).map((id, index) => id - ids[index]!)).size, 4900)
    assert.isAbove(ids.filter((id) => id > 2 ** 30).length, 2000)
    const [id = 0] = ids
    assert.deepStrictEqual([requests.size, requests.has(id), requests.has(`${id}`), requests.has(0)], [
      5000,
      true,
      true,
      false
    ])
  })

  it("are sent as they are, with a token of progress and a task only where these are asked for", () => {
    const { ask, sent } = make()
    const [plain, task, progress] = [ask(), ask({ task: { ttl: 5 } }, { name: "x" }), ask({ progress: true })].map((
      { id }
    ) => id)
    const base = { jsonrpc: "2.0", method: "ping" }
    assert.deepStrictEqual(sent as ReadonlyArray<unknown>, [
      { ...base, id: plain },
      { ...base, id: task, params: { name: "x", task: { ttl: 5 } } },
      { ...base, id: progress, params: { _meta: { progressToken: progress } } }
    ])
  })

  it("[C5:virtual] leave no timer behind, and those without a limit have none", () => {
    const { answer, ask, requests } = make()
    const { id } = ask()
    assert.strictEqual(vi.getTimerCount(), 1)
    answer(id)
    assert.strictEqual(vi.getTimerCount(), 0)
    ask({ timeout: Number.POSITIVE_INFINITY })
    assert.strictEqual(vi.getTimerCount(), 0)
    ask()
    requests.end(loss)
    vi.advanceTimersByTime(0)
    assert.strictEqual(vi.getTimerCount(), 0)
    // One that is answered before its send returns.
    const early = make({
      send: (message) => {
        early.answer((message as { readonly id: number }).id)
        return Promise.resolve()
      }
    })
    assert.lengthOf(early.ask().answers, 1)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  const limits = [
    ["its timeout", { timeout: 600 }],
    ["a timeout that progress moves", { timeout: 600, resetTimeoutOnProgress: true, progress: true }]
  ] as const
  for (const [what, limit] of limits) {
    it(`[C21:virtual] stand still while the user is asked, but for pings and what is sent later: ${what}`, () => {
      const { answer, ask, progress, requests } = make()
      const asking: Array<string> = []
      const options = { ...limit, onevent: ({ _tag }: RequestEvent) => _tag !== "Progress" && asking.push(_tag) }
      const waiting = ask(options, {}, "tools/call")
      const answered = ask(options, {}, "tools/call")
      const ping = ask({ timeout: 600 })
      vi.advanceTimersByTime(400)
      const first = requests.asks()
      const second = requests.asks()
      const later = ask({ timeout: 600 }, {}, "tools/call")
      vi.advanceTimersByTime(200)
      assert.deepStrictEqual([ping.answers.length, later.answers.length], [1, 0])
      vi.advanceTimersByTime(400)
      assert.lengthOf(later.answers, 1)
      vi.advanceTimersByTime(3_600_000)
      answer(answered.id)
      assert.deepStrictEqual(asking, ["Asked", "Asked", "Answered"])
      progress({ progressToken: waiting.id, progress: 1 })
      const left = "progress" in limit ? 600 : 200
      first()
      first()
      vi.advanceTimersByTime(3_600_000)
      assert.lengthOf(waiting.answers, 0)
      second()
      progress({ progressToken: waiting.id, progress: 2 })
      vi.advanceTimersByTime(left - 1)
      assert.lengthOf(waiting.answers, 0)
      assert.strictEqual(asking.filter((one) => one === "Answered").length, 2)
      vi.advanceTimersByTime(1)
      assert.deepInclude(errorsOf(waiting.answers)[0], { fate: "unknown", reason: "timeout" })
      assert.strictEqual(vi.getTimerCount(), 0)
    })
  }

  it("[C5:virtual] one that is over in time is told to the server, and a late answer or a late rejection changes nothing", async () => {
    let reject: (error: unknown) => void = () => {}
    const { answer, ask, cancelled, logged, requests } = make({
      send: (message) => {
        first.sent.push(message)
        return "id" in message
          ? new Promise((_, fail) => {
            reject = fail
          })
          : Promise.resolve()
      }
    })
    const first = { sent: [] as Array<JSONRPCMessage> }
    const { answers, id } = ask({ timeout: 100 })
    vi.advanceTimersByTime(99)
    assert.lengthOf(answers, 0)
    vi.advanceTimersByTime(1)
    assert.deepInclude(errorsOf(answers)[0], { fate: "unknown", reason: "timeout" })
    assert.deepStrictEqual(cancelled(first.sent), [{ requestId: id, reason: "Request timed out" }])
    answer(id)
    reject(new Error("late"))
    requests.failed(id, new RequestError({ fate: "unknown", reason: "lost", message: "late" }))
    await Promise.resolve()
    assert.lengthOf(answers, 1)
    assert.lengthOf(logged, 1)
  })

  it("[C5:virtual] progress moves the end of one, no further than the whole may take", () => {
    const { ask, progress } = make()
    const bounded = ask({ timeout: 100, maxTotalTimeout: 250, resetTimeoutOnProgress: true, progress: true })
    const unbounded = ask({ timeout: 100, resetTimeoutOnProgress: true, progress: true })
    const unmoved = ask({ timeout: 100, progress: true })
    const ends = () => [bounded, unbounded, unmoved].map(({ answers }) => answers.length)
    for (const ended of [[0, 0, 0], [0, 0, 1], [0, 0, 1], [1, 0, 1]]) {
      vi.advanceTimersByTime(80)
      for (const { id } of [bounded, unbounded, unmoved]) progress({ progressToken: id, progress: 1 })
      assert.deepStrictEqual(ends(), ended)
    }
    vi.advanceTimersByTime(100)
    assert.deepStrictEqual(ends(), [1, 1, 1])
  })

  it("[C4] one that is given up is taken back where nothing has left, else the server is told; `initialize` is not cancelled", () => {
    const unsent = new Set<unknown>()
    const { ask, cancelled, requests } = make({ withdraw: (id) => unsent.delete(id) })
    let withdrawn = 0
    const onevent = (): void => void withdrawn++
    const one = ask({ onevent })
    unsent.add(one.id)
    requests.cancel(one.id, "enough")
    assert.deepStrictEqual([withdrawn, cancelled().length], [1, 0])
    const quiet = ask()
    unsent.add(quiet.id)
    requests.cancel(quiet.id, "enough")
    const sent = ask({ onevent }).id
    requests.cancel(sent, "enough")
    requests.cancel(ask({ onevent }, {}, "initialize").id, "enough")
    requests.cancel(4711, "nobody asked")
    assert.strictEqual(withdrawn, 1)
    assert.deepStrictEqual(cancelled(), [{ requestId: sent, reason: "enough" }])
    assert.strictEqual(requests.size, 0)
  })

  it("[C4] a cancellation that cannot be sent stops nothing, and is logged", async () => {
    const refuse = new Error("no pipe")
    let broken: () => Promise<void> = () => Promise.reject(refuse)
    const { ask, logged, requests } = make({
      send: (message) => "id" in message ? Promise.resolve() : broken()
    })
    requests.cancel(ask().id, "enough")
    await Promise.resolve()
    await Promise.resolve()
    broken = () => {
      throw refuse
    }
    requests.cancel(ask().id, "enough")
    assert.lengthOf(logged.filter((message) => message.includes("no pipe")), 2)
  })

  it("[C19:unit] the end leaves one that is being rejected its own fate, and the others end at once", async () => {
    let reject: (error: unknown) => void = () => {}
    let held = false
    const sent: Array<JSONRPCMessage> = []
    const { ask, cancelled, requests } = make({
      send: (message) => {
        sent.push(message)
        return held && "id" in message
          ? new Promise((_, fail) => {
            reject = fail
          })
          : Promise.resolve()
      }
    })
    const whole = ask()
    await Promise.resolve()
    requests.end(loss)
    assert.deepInclude(errorsOf(whole.answers)[0], { fate: "unknown", reason: "lost", message: "it is gone" })
    held = true
    const sending = ask()
    const other = ask()
    requests.end(loss)
    assert.lengthOf(sending.answers, 0)
    // The caller may still give one up.
    requests.cancel(sending.id, "enough")
    assert.deepStrictEqual(cancelled(sent), [{ requestId: sending.id, reason: "enough" }])
    reject(new RequestError({ fate: "notSent", reason: "lost", message: "never sent" }))
    await Promise.resolve()
    assert.deepInclude(errorsOf(other.answers)[0], { fate: "notSent", message: "never sent" })
    vi.advanceTimersByTime(0)
    assert.deepStrictEqual([sending.answers.length, other.answers.length], [0, 1])
    assert.strictEqual(requests.size, 0)
  })

  it("[C19:unit] those of which nothing has left end as not sent, also where the end of one gives up another", () => {
    const { ask, requests } = make({ withdraw: () => true })
    const answers: Array<Answer> = []
    requests.send("ping", undefined, { timeout: 60_000 }, (answer) => {
      answers.push(answer)
      requests.cancel(second.id, "enough")
    })
    const second = ask()
    const third = ask()
    requests.endUnsent(loss)
    assert.deepInclude(errorsOf(answers)[0], { fate: "notSent", reason: "lost" })
    assert.lengthOf(second.answers, 0)
    assert.deepInclude(errorsOf(third.answers)[0], { fate: "notSent", reason: "lost" })
  })

  it("[C6 T11:unit] a suspended session keeps those that may be answered; what is given up meanwhile is told once it goes on", async () => {
    const { answer, ask, cancelled, log, progress, requests, sent } = make()
    const seen: Array<unknown> = []
    const heard = Sending.progressTo((one) => void seen.push(one))
    const kept = ask(heard)
    const given = ask()
    const lost = ask()
    await Promise.resolve()
    requests.end(loss, new Set([kept.id, given.id]))
    assert.deepInclude(errorsOf(lost.answers)[0], { fate: "unknown", reason: "lost" })
    assert.deepStrictEqual([kept.answers.length, given.answers.length, requests.size], [0, 0, 2])
    requests.cancel(given.id, "enough")
    assert.deepStrictEqual(cancelled(), [])
    const next = transportOf()
    requests.moveTo(next.transport, log)
    assert.deepStrictEqual(cancelled(next.sent), [{ requestId: given.id, reason: "enough" }])
    progress({ progressToken: kept.id, progress: 1 })
    assert.deepStrictEqual(seen, [{ progress: 1 }])
    answer(kept.id)
    assert.isTrue(Exit.isSuccess(kept.answers[0]!))
    const before = sent.length
    requests.cancel(ask().id, "again")
    assert.deepInclude(cancelled(next.sent)[1], { reason: "again" })
    assert.strictEqual(sent.length, before)
    const other = transportOf()
    requests.moveTo(other.transport, log)
    assert.deepStrictEqual(other.sent, [])
    const dropped = ask()
    requests.failed(dropped.id, new RequestError({ fate: "unknown", reason: "lost", message: "dropped" }))
    assert.deepInclude(errorsOf(dropped.answers)[0], { message: "dropped" })
  })

  it("[C5] progress of a task is reported after its answer, until the connection ends, and of nothing else", async () => {
    const { answer, ask, logged, progress, requests } = make()
    const seen: Array<unknown> = []
    const heard = Sending.progressTo((one) => void seen.push(one))
    const report = (id: number): number => {
      seen.length = 0
      progress({ progressToken: id, progress: 1 })
      return seen.length
    }
    const task = ask(heard)
    answer(task.id, { result: { task: { taskId: "t" } } })
    const none = ask(heard)
    answer(none.id, { result: { task: { taskId: 5 } } })
    const failed = ask(heard)
    answer(failed.id, { error: { code: 1, message: "no" } })
    assert.deepStrictEqual([report(task.id), report(none.id), report(failed.id)], [1, 0, 0])
    await Promise.resolve()
    requests.end(loss)
    assert.strictEqual(report(task.id), 0)
    assert.isTrue(logged.every((message) => message.includes("no request")))
    assert.lengthOf(logged, 3)
  })

  it("[P12] progress that does not fit the protocol is dropped; one whose listener throws is logged", () => {
    const { ask, logged, progress, requests } = make()
    const seen: Array<unknown> = []
    const { id: progressToken } = ask(Sending.progressTo((one) => void seen.push(one)))
    const fits = { progressToken, progress: 1 }
    progress({ ...fits, total: 2, message: "half" })
    progress({ ...fits, progressToken: String(progressToken) })
    assert.deepStrictEqual(seen, [{ progress: 1, total: 2, message: "half" }, { progress: 1 }])
    const misfits = [
      { ...fits, progressToken: [progressToken] },
      { ...fits, progress: "1" },
      { ...fits, total: "2" },
      { ...fits, message: 5 }
    ]
    for (const misfit of misfits) progress(misfit)
    requests.progressed({ method: "notifications/progress" })
    requests.progressed(undefined)
    assert.lengthOf(seen, 2)
    assert.lengthOf(logged.splice(0).filter((message) => message.includes("does not fit")), 6)
    const thrower = (): never => {
      throw new Error("listener")
    }
    progress({ progressToken: ask(Sending.progressTo(thrower)).id, progress: 1 })
    assert.lengthOf(logged.filter((message) => message.includes("listener")), 1)
  })

  describe("whose answers are hard to read", () => {
    const unread = (id: number | undefined, hasMethod = false): Messages.Unread => ({
      text: '{"jsonrpc":"2.0", NaN }',
      isOfProtocol: true,
      id,
      hasMethod
    })

    it("[C9:unit] one that cannot be read ends its request after a second, with what came, unless a better one comes", () => {
      const { answer, ask, logged, requests } = make()
      const [one, other] = [ask({}, {}, "tools/call"), ask({}, {}, "tools/call")]
      for (let time = 0; time < 5; time++) requests.unread(unread(one.id))
      assert.lengthOf(logged, 1)
      assert.strictEqual(vi.getTimerCount(), 3)
      requests.unread(unread(other.id))
      vi.advanceTimersByTime(999)
      answer(other.id)
      assert.deepStrictEqual([one.answers.length, other.answers.length], [0, 1])
      vi.advanceTimersByTime(1)
      assert.deepStrictEqual(errorsOf(one.answers).map(({ fate, reason }) => [fate, reason]), [[
        "answered",
        "protocol"
      ]])
      assert.include(errorsOf(one.answers)[0]!.message, "NaN")
      assert.lengthOf(other.answers, 1)
    })

    it("[C14 K12:unit] one to a ping that cannot be read says at once that the session lives", () => {
      const { ask, requests } = make()
      for (const result of [[], null, "pong", true, 0]) {
        const { answers, id } = ask()
        for (const one of Messages.read(JSON.stringify({ jsonrpc: "2.0", id, result })).unread) requests.unread(one)
        assert.deepStrictEqual(answers, [Exit.succeed({})])
      }
    })

    it("[C9:unit] one without an id is that of the only request that waits; one with another id is nobody's", () => {
      for (const id of [undefined, null, 0, -1, 1.5, 99, "another", true, {}]) {
        const { answer, ask, requests } = make()
        const one = ask()
        const isNameless = id === undefined || id === null
        requests.answered({ jsonrpc: "2.0", id, result: { a: 1 } } as never)
        assert.deepStrictEqual(one.answers, isNameless ? [Exit.succeed({ a: 1 })] : [])
        answer(one.id)
        const [two, three] = [ask(), ask()]
        requests.answered({ jsonrpc: "2.0", id, result: { a: 2 } } as never)
        requests.unread(unread(undefined))
        vi.advanceTimersByTime(2000)
        assert.deepStrictEqual([two.answers, three.answers], [[], []])
      }
    })

    it("[C9:unit] one to a notification, which nobody answers, is not taken for that of a request that follows", () => {
      const { answer, ask, requests } = make()
      const first = ask()
      answer(first.id)
      requests.notified()
      const one = ask()
      const error = { code: -32_601, message: "no such method" }
      requests.answered({ jsonrpc: "2.0", error } as never)
      assert.deepStrictEqual(one.answers, [])
      answer(one.id)
      const two = ask()
      requests.answered({ jsonrpc: "2.0", error } as never)
      assert.deepStrictEqual(errorsOf(two.answers).map(({ reason }) => reason), ["remote"])
    })

    it("[C9:unit] a request of the server that cannot be read is refused by its id; what a program prints is nothing", () => {
      const { ask, requests, sent } = make()
      const one = ask()
      requests.unread(unread(7, true))
      requests.unread({ ...unread(undefined), isOfProtocol: false })
      vi.advanceTimersByTime(2000)
      assert.deepStrictEqual(one.answers, [])
      assert.deepInclude(sent.at(-1) as object, { id: 7 })
      assert.nestedPropertyVal(sent.at(-1), "error.code", -32_600)
    })
  })

  it("[P12] a response is a result or an error, whole, and nothing besides", () => {
    const read = (body: object): Answer | undefined => Answers.of({ jsonrpc: "2.0", id: 1, ...body } as Response, false)
    for (const more of [{}, { took: 1 }]) {
      assert.deepStrictEqual(read({ result: { a: 1 }, ...more }), Exit.succeed({ a: 1 }))
    }
    assert.isTrue(Exit.isFailure(read({ error: { code: 1, message: "no" } })!))
    const error = { code: 1, message: "no" }
    const misfits = [
      {},
      { jsonrpc: "1.0", result: {} },
      { result: {}, error },
      { result: [] },
      { error: "no" },
      { error: { ...error, code: "1" } },
      { error: { ...error, code: 1.5 } },
      { error: { ...error, message: 5 } }
    ]
    for (const misfit of misfits) assert.isUndefined(read(misfit), JSON.stringify(misfit))
  })
})
