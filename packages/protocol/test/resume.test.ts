import type { ConnectOptions, Loss, RequestReason } from "@mcp-lifeline/core"
import { ConnectError, RequestError, Sending, SuspendedSession } from "@mcp-lifeline/core"
import { Binding, SdkConnection } from "@mcp-lifeline/protocol"
import type { AdapterTransport, TransportSession } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Fiber, Scope } from "effect"
import { timersOf } from "../../testing/test/support/Timers.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { parts } from "../src/sdkParts.js"
import { initializeResult, transportOf } from "./scripted.js"

const options: ConnectOptions = { report: () => {} }
const loss: Loss = { kind: "closed", message: "the network is gone" }
const request = { timeout: 60_000 }

type Sent = { readonly id: number; readonly method: string }

const suspendable = (ping: (id: number) => Promise<void> = () => Promise.resolve()) => {
  const sent: Array<Sent> = []
  const happened: Array<string> = []
  let waits: (id: RequestId) => boolean = () => false
  const secondCall = (): number => sent.filter(({ method }) => method === "tools/call")[1]?.id ?? 0
  const session: TransportSession = {
    knows: {},
    get answerable() {
      return new Set<RequestId>([secondCall()])
    },
    end: Effect.sync(() => {
      happened.push("ended")
    })
  }
  const receive = (message: object): void =>
    transport.onmessage?.({ jsonrpc: "2.0", ...message } as unknown as JSONRPCMessage)
  const { closed, transport: plain } = transportOf((message) => {
    const one = message as unknown as Sent
    sent.push(one)
    if (one.method === "initialize") queueMicrotask(() => receive({ id: one.id, result: initializeResult }))
    return one.method === "ping" ? ping(one.id) : Promise.resolve()
  })
  const transport: AdapterTransport = Object.assign(plain, {
    suspend: (): TransportSession | undefined => {
      happened.push("suspended")
      return session
    },
    borrow: (given: TransportSession) => happened.push(given === session ? "borrowed" : "borrowed from another"),
    goOn: (isWaiting: (id: RequestId) => boolean) => {
      happened.push("goes on")
      waits = isWaiting
    }
  })
  return { closed, happened, receive, sent, transport, waits: (id: RequestId) => waits(id) }
}

const suspended = Effect.gen(function*() {
  const scope = yield* Scope.make()
  const old = suspendable()
  const connection = yield* SdkConnection.connect(old.transport, options).pipe(Scope.extend(scope))
  connection.onLost(() => {})
  const call = () => Effect.fork(Effect.either(Sending.ask(connection, "tools/call", { name: "x" }, request)))
  const calls = [yield* call(), yield* call()] as const
  yield* Effect.yieldNow()
  assert.isFalse(connection.resumed)
  old.transport.onlost?.(loss)
  const session = connection.suspend?.(loss)
  assert.isDefined(session)
  yield* Scope.close(scope, Exit.void)
  return { calls, connection, old, session: session! }
})

const { resume } = Binding.make(parts)

describe("a session that goes on over another connection", () => {
  test.scopedLive("[T11:virtual] answers who still waits", function*() {
    const { calls, connection, old, session } = yield* suspended
    const [lost, kept] = calls
    const [first = 0, second = 0] = old.sent.filter(({ method }) => method === "tools/call").map(({ id }) => id)
    const error = yield* Effect.flip(Effect.flatten(Fiber.join(lost)))
    assert.deepInclude(error, { fate: "unknown", reason: "lost", message: "the network is gone" })
    assert.isNull(kept.unsafePoll())
    assert.isTrue(session.isAwaited)
    const refused = yield* Effect.flip(Sending.ask(connection, "ping", undefined, request))
    assert.deepInclude(refused, { fate: "notSent", reason: "lost" })
    const next = suspendable((id) => {
      queueMicrotask(() => next.receive({ id, result: {} }))
      return Promise.resolve()
    })
    const resumed = yield* resume(next.transport, options, session)
    if (typeof resumed === "string") return assert.fail(resumed)
    assert.isTrue(resumed.resumed)
    assert.deepInclude(resumed.serverInfo, { name: "scripted" })
    assert.deepStrictEqual(next.sent.map(({ method }) => method), ["ping"])
    assert.deepStrictEqual(next.happened, ["borrowed from another", "goes on"])
    assert.deepStrictEqual([next.waits(second), next.waits(first)], [true, false])
    assert.isFalse(session.held)
    next.receive({ id: second, result: { content: [] } })
    const answered = yield* Effect.flatten(Fiber.join(kept))
    assert.deepStrictEqual(answered, { content: [] })
    const fiber = yield* Effect.fork(Sending.ask(resumed, "tools/list", {}, request))
    yield* Effect.yieldNow()
    const id = next.sent.at(-1)!.id
    next.receive({ id, result: { tools: [] } })
    assert.deepStrictEqual(yield* Fiber.join(fiber), { tools: [] })
  })

  test.scopedLive("[T11:virtual] that is ended fails who still waits, and is ended at the server, once", function*() {
    const { calls, old, session } = yield* suspended
    yield* session.end
    const error = yield* Effect.flip(Effect.flatten(Fiber.join(calls[1])))
    assert.deepInclude(error, { fate: "unknown", reason: "lost", message: "the session was ended" })
    yield* session.end
    assert.deepStrictEqual(old.happened, ["suspended", "ended"])
    assert.isFalse(session.isAwaited)
    const given = yield* suspended
    yield* Fiber.join(given.calls[0])
    yield* Fiber.interrupt(given.calls[1])
    assert.isFalse(given.session.isAwaited)
    assert.isTrue(given.session.held)
  })

  const refusal = (reason: RequestReason, cause?: unknown): RequestError =>
    new RequestError({ fate: "unknown", reason, message: reason, cause })
  const unreachable = (["refused", "unreachable", "tls", "rateLimited"] as const).map((reason) =>
    new ConnectError({ backend: "", reason, permanent: false, message: reason })
  )
  const closed = new ConnectError({ backend: "", reason: "closed", permanent: false, message: "closed" })

  for (
    const [what, error, expected] of [
      ["is silent", refusal("timeout"), "unanswered"],
      ["fails", refusal("server"), "unanswered"],
      ["closes the connection", refusal("network", closed), "unanswered"],
      ["has forgotten it", refusal("session"), "forgotten"],
      ["asks to wait", refusal("rateLimited"), "forgotten"],
      ["wants a login", refusal("unauthorized"), "forgotten"],
      ...unreachable.map((one) => [`cannot be reached (${one.reason})`, refusal("network", one), one] as const)
    ] as const
  ) {
    test.scopedLive(`[T11:virtual] is not resumed where the server ${what}, and nothing is left of the attempt`, function*() {
      const { session } = yield* suspended
      const next = suspendable(() => Promise.reject(error))
      const outcome = yield* Effect.merge(resume(next.transport, options, session))
      assert.strictEqual(outcome as unknown, expected)
      assert.strictEqual(next.closed(), 1)
      assert.isTrue(session.held)
      assert.notInclude(next.happened, "goes on")
    })
  }

  for (
    const [millis, beside, whom] of [
      [5000, undefined, "whose connector runs nothing beside"],
      [5000, () => Effect.succeedNone, "that nobody waits for"],
      [1000, Effect.asSome, "that a call waits for"]
    ] as const
  ) {
    test.scopedLive(`[T11:virtual V10] a server ${whom} has ${millis} ms to answer for its session`, function*() {
      const { session } = yield* suspended
      const next = suspendable(() => Promise.reject(refusal("timeout")))
      const resuming = resume(next.transport, { ...options, beside }, session)
      const counts = yield* Effect.promise(() =>
        timersOf(millis, () => Effect.runPromise(Effect.scoped(Effect.merge(resuming))))
      )
      assert.deepStrictEqual(counts, { set: 1, cleared: 1 })
    })
  }

  const answers: ReadonlyArray<readonly [string, object, boolean]> = [
    ["has no ping", { error: { code: -32601, message: "Method not found" } }, true],
    ["refuses ping otherwise", { error: { code: -32000, message: "no" } }, false]
  ]
  for (const [what, body, isResumed] of answers) {
    test.scopedLive(`[T11:virtual] a server that ${what}: ${isResumed ? "resumed" : "a new session"}`, function*() {
      const { session } = yield* suspended
      const next = suspendable((id) => {
        queueMicrotask(() => next.receive({ id, ...body }))
        return Promise.resolve()
      })
      const outcome = yield* resume(next.transport, options, session)
      assert.strictEqual(outcome === "forgotten", !isResumed)
    })
  }

  test.scopedLive("[T11:virtual] is forgotten where somebody took it before, or while the server was asked", function*() {
    const taken = yield* suspended
    taken.session.take()
    const late = suspendable()
    assert.strictEqual(yield* resume(late.transport, options, taken.session), "forgotten")
    assert.deepStrictEqual([late.sent, late.happened], [[], []])
    const { session } = yield* suspended
    const next = suspendable((id) => {
      session.take()
      queueMicrotask(() => next.receive({ id, result: {} }))
      return Promise.resolve()
    })
    assert.strictEqual(yield* resume(next.transport, options, session), "forgotten")
    assert.notInclude(next.happened, "goes on")
  })

  test.scopedLive("[T11:virtual] an attempt that is interrupted asks no more, and leaves the session", function*() {
    const { session } = yield* suspended
    const next = suspendable(() => new Promise(() => {}))
    const fiber = yield* Effect.fork(Effect.scoped(resume(next.transport, options, session)))
    while (next.sent.length === 0) yield* Effect.sleep(1)
    yield* Fiber.interrupt(fiber)
    assert.deepStrictEqual(next.sent.map(({ method }) => method), ["ping", "notifications/cancelled"])
    assert.isTrue(session.held)
    assert.strictEqual(next.closed(), 1)
  })

  test.scopedLive("[T11:virtual] there is none of a transport that keeps none, or of a connection that is being closed", function*() {
    const none = suspendable()
    Object.assign(none.transport, { suspend: undefined })
    const connection = yield* SdkConnection.connect(none.transport, options)
    assert.isUndefined(connection.suspend?.(loss))
    const empty = suspendable()
    Object.assign(empty.transport, { suspend: () => undefined })
    assert.isUndefined((yield* SdkConnection.connect(empty.transport, options)).suspend?.(loss))
    const scope = yield* Scope.make()
    const closing = suspendable()
    const closed = yield* SdkConnection.connect(closing.transport, options).pipe(Scope.extend(scope))
    yield* Scope.close(scope, Exit.void)
    assert.isUndefined(closed.suspend?.(loss))
    assert.deepStrictEqual(closing.happened, [])
  })
})

describe("the loss of a session that may go on", () => {
  test.scopedLive("[T11:virtual] ends the calls where nobody hears of it, and leaves them to whoever does", function*() {
    for (const hears of [false, true]) {
      const { receive, sent, transport } = suspendable()
      const connection = yield* SdkConnection.connect(transport, options)
      if (hears) connection.onLost(() => {})
      const call = yield* Effect.fork(Effect.either(Sending.ask(connection, "tools/list", {}, request)))
      yield* Effect.yieldNow()
      transport.onlost?.(loss)
      yield* Effect.sleep(5)
      if (hears) {
        assert.isNull(call.unsafePoll())
        receive({ id: sent.at(-1)!.id, result: { tools: [] } })
      }
      assert.strictEqual((yield* Fiber.join(call))._tag, hears ? "Right" : "Left")
    }
  })

  test.scopedLive("[R7:unit] a forgotten session leaves the calls to the server's own answers", function*() {
    const { receive, sent, transport } = suspendable()
    const connection = yield* SdkConnection.connect(transport, options)
    const call = yield* Effect.fork(Sending.ask(connection, "tools/list", {}, request))
    yield* Effect.yieldNow()
    transport.onlost?.({ kind: "session", message: "404" })
    yield* Effect.sleep(5)
    assert.isNull(call.unsafePoll())
    receive({ id: sent.at(-1)!.id, result: { tools: [] } })
    assert.deepStrictEqual(yield* Fiber.join(call), { tools: [] })
  })

  test.scopedLive("[C9] a notification is sent, and one that cannot be says what became of it; an end at the close is no loss", function*() {
    const { sent, transport } = suspendable()
    const losses: Array<Loss> = []
    const scope = yield* Scope.make()
    const withRoots = { ...options, handlers: { roots: Effect.never } }
    const connection = yield* SdkConnection.connect(transport, withRoots).pipe(Scope.extend(scope))
    connection.onLost((one) => losses.push(one))
    yield* connection.notify("notifications/roots/list_changed")
    assert.strictEqual(sent.at(-1)!.method, "notifications/roots/list_changed")
    const { send } = transport
    transport.send = () => Promise.reject(new Error("no pipe"))
    const unsent = yield* Effect.flip(connection.notify("notifications/roots/list_changed"))
    assert.deepInclude(unsent, { fate: "notSent", reason: "fault" })
    assert.lengthOf(losses, 0)
    transport.send = () => Promise.reject(refusalOfSession)
    assert.strictEqual((yield* Effect.flip(connection.notify("notifications/roots/list_changed"))).reason, "session")
    assert.deepStrictEqual(losses.map(({ kind }) => kind), ["session"])
    transport.send = send
    yield* Scope.close(scope, Exit.void)
    assert.lengthOf(losses, 1)
    const late = yield* Effect.flip(connection.notify("notifications/roots/list_changed"))
    assert.deepInclude(late, { fate: "notSent", reason: "lost", message: "the network is gone" })
  })

  const refusalOfSession = new RequestError({ fate: "rejected", reason: "session", message: "the network is gone" })

  it("[T11:unit] is claimed once", () => {
    const session = new SuspendedSession({ knows: 1, isAwaited: () => true, end: Effect.void })
    assert.deepStrictEqual([session.take(), session.take()], [1, undefined])
  })
})
