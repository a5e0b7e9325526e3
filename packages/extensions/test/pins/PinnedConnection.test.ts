import { type Connection, type Connector, Policy, RequestError, type RequestOptions, Sending } from "@mcp-lifeline/core"
import type { Hub } from "@mcp-lifeline/core/internal"
import { PinStore } from "@mcp-lifeline/extensions"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, identity, Scope, TestClock } from "effect"
import { taking } from "../../../testing/test/support/taking.js"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import { PinnedConnection } from "../../src/pins/PinnedConnection.js"
import * as PinnedConnector from "../../src/pins/PinnedConnector.js"
import { PinnedTools } from "../../src/pins/PinnedTools.js"

const described = (name: string, description: string) => ({ ...ScriptedConnector.tool(name), description })

interface Sent {
  readonly method: string
  readonly params: any
  readonly options: RequestOptions
}

const pinned = (
  { capabilities = { tools: {} }, connects = identity, mode = "block", stateful = true }: {
    readonly capabilities?: Connection["capabilities"]
    readonly connects?: (making: Effect.Effect<Connection>) => Effect.Effect<Connection>
    readonly mode?: "warn" | "block"
    readonly stateful?: boolean
  } = {}
) =>
  Effect.gen(function*() {
    const sent: Array<Sent> = []
    let unanswered = 0
    const server = {
      tools: [described("read", "Reads."), described("write", "Writes.")],
      listsAfter: 0,
      callsAfter: 0,
      isPaged: false,
      error: undefined as RequestError | undefined,
      onList: (): void => {},
      onAnnounce: (): void => {}
    }
    const request = (method: string, params: any, options: RequestOptions) =>
      Effect.suspend((): Effect.Effect<object, RequestError> => {
        sent.push({ method, params, options })
        if (method !== "tools/list") {
          unanswered++
          const answer = Effect.delay(Effect.succeed({ content: [] }), server.callsAfter)
          return Effect.ensuring(answer, Effect.sync(() => unanswered--))
        }
        server.onList()
        const { error, tools } = server
        if (error !== undefined) return Effect.fail(error)
        const next = server.isPaged && params?.cursor === undefined ? { nextCursor: "2" } : {}
        return Effect.delay(Effect.succeed({ tools, ...next }), server.listsAfter)
      })
    const inner = {
      serverInfo: { name: "scripted", version: "1" },
      capabilities,
      stateful,
      peer: {},
      send: Sending.by(yield* Effect.runtime<never>(), request)
    } as never as Connection
    const pins = new PinnedTools({ server: "one", mode, store: PinStore.memory(), maxDepth: 10 })
    const announced = { count: 0 }
    const made = new PinnedConnection({
      inner,
      backend: "one",
      policy: Policy.defaults,
      pins,
      clock: yield* Effect.clock,
      announce: () => {
        announced.count++
        server.onAnnounce()
      }
    })
    const connection = yield* connects(made.connection)
    const lists = () => sent.filter(({ method }) => method === "tools/list").length
    const calls = () => sent.filter(({ method }) => method === "tools/call")
    const call = (name = "read", options: RequestOptions = { timeout: 10_000 }) =>
      Sending.ask(connection, "tools/call", { name }, options)
    return { made, connection, pins, sent, server, lists, calls, call, announced, unanswered: () => unanswered }
  })

const adjusted = <A, E>(effect: Effect.Effect<A, E>, millis = 0) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.either(effect))
    yield* TestClock.adjust(millis)
    return yield* Fiber.join(fiber)
  })

describe("a pinned connection", () => {
  test.effect("[G24] compares again after each announcement, and each time that it begins to hear of them: the second time, too", function*() {
    const { call, calls, lists, made, server } = yield* pinned()
    const hears = (...announced: ReadonlyArray<"tools" | "prompts">) => made.hears({ announced, unannounced: [] })
    yield* call()
    expect(lists()).toBe(1)
    for (
      const [happens, more] of [
        [() => {}, 0],
        [() => made.changed(), 1],
        [() => made.changed(), 1],
        [() => hears("tools"), 1],
        [() => hears("prompts"), 0],
        [() => hears("prompts", "tools"), 1],
        [() => made.hears({ announced: [], unannounced: ["prompts"] }), 0]
      ] as const
    ) {
      happens()
      const before = lists()
      yield* call()
      yield* call()
      expect(lists() - before).toBe(more)
    }
    // A change that nobody has heard of counts once it is heard again.
    server.tools = [described("read", "Reads, and sends."), server.tools[1]!]
    const passed = calls().length
    yield* call()
    hears("tools")
    expect(yield* Effect.flip(call())).toMatchObject({ message: expect.stringContaining("has changed") })
    expect(calls()).toHaveLength(passed + 1)
  })

  for (const stateful of [true, false]) {
    test.effect(`[G24] a comparison holds for exactly half a minute where changes may be missed, each time: stateful ${stateful}`, function*() {
      const { call, lists, made } = yield* pinned({ stateful })
      yield* call()
      yield* TestClock.adjust("1 hour")
      yield* call()
      expect(lists()).toBe(stateful ? 1 : 2)
      made.hears({ announced: [], unannounced: ["tools"] })
      yield* TestClock.adjust("1 hour")
      yield* call()
      for (let round = 0; round < 2; round++) {
        const before = lists()
        yield* TestClock.adjust(29_999)
        yield* call()
        expect(lists()).toBe(before)
        yield* TestClock.adjust(1)
        yield* call()
        expect(lists()).toBe(before + 1)
      }
      made.hears({ announced: ["tools"], unannounced: [] })
      yield* call()
      const before = lists()
      yield* TestClock.adjust("1 day")
      yield* call()
      expect(lists()).toBe(before)
    })
  }

  test.effect("[G24] the time of the comparison is taken from the call's: what is left is sent, and at least a millisecond", function*() {
    for (
      const [given, after, timeout, maxTotalTimeout] of [
        [{ timeout: 10_000 }, 4000, 6000, undefined],
        [{ timeout: 10_000, maxTotalTimeout: 60_000 }, 4000, 6000, 56_000],
        [{ timeout: 10_000, maxTotalTimeout: 4000 }, 4000, 6000, 1],
        [{ timeout: 10_000, maxTotalTimeout: 9000 }, 0, 10_000, 9000]
      ] as ReadonlyArray<readonly [RequestOptions, number, number, number | undefined]>
    ) {
      const { call, calls, server } = yield* pinned()
      server.listsAfter = after
      expect((yield* adjusted(call("read", given), after))._tag).toBe("Right")
      expect(calls()[0]?.options.timeout).toBe(timeout)
      expect(calls()[0]?.options.maxTotalTimeout).toBe(maxTotalTimeout)
    }
  })

  test.effect("[G24] a comparison that takes longer than the call may was not sent, and the next call compares again", function*() {
    const { call, calls, lists, server } = yield* pinned()
    for (let round = 1; round < 3; round++) {
      server.listsAfter = 50_000
      const late = yield* Effect.fork(Effect.flip(call("read", { timeout: 3000 })))
      yield* TestClock.adjust(2999)
      expect(late.unsafePoll()).toBeNull()
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(late)).toMatchObject({ fate: "notSent", message: expect.stringContaining("compared") })
      expect(calls()).toEqual([])
      expect(lists()).toBe(round)
    }
    server.listsAfter = 0
    expect((yield* adjusted(call(), 0))._tag).toBe("Right")
    expect(calls()).toHaveLength(1)
  })

  for (
    const [way, connects] of [
      ["interruptibly", identity<Effect.Effect<Connection>>],
      ["uninterruptibly", (making: Effect.Effect<Connection>) => Effect.uninterruptible(making)]
    ] as const
  ) {
    test.effect(`[G24] a call that is given up during the comparison was not sent, and says so at once; later it does not: of a connection that was made ${way}`, function*() {
      const { connection, calls, lists, server, unanswered } = yield* pinned({ connects })
      let withdrawn = 0
      const given: RequestOptions = { timeout: 60_000, onevent: () => withdrawn++ }
      const begin = () => connection.send("tools/call", { name: "read" }, given, () => {})
      server.listsAfter = 5000
      for (const round of [1, 2]) {
        const cancel = begin()
        yield* TestClock.adjust(1000)
        cancel()
        expect(withdrawn).toBe(1)
        yield* TestClock.adjust(0)
        expect([withdrawn, calls().length, lists()]).toEqual([1, 0, round])
        withdrawn = 0
      }
      server.listsAfter = 0
      server.callsAfter = 60_000
      const cancel = begin()
      yield* TestClock.adjust(0)
      expect(calls()).toHaveLength(1)
      expect(unanswered()).toBe(1)
      cancel()
      yield* TestClock.adjust(0)
      expect([withdrawn, unanswered()]).toEqual([0, 0])
    })
  }

  test.effect.each(
    [
      ["interruptibly", identity],
      ["uninterruptibly", Effect.uninterruptible]
    ] as const
  )(
    "[G24] a call that is given up in the step in which the comparison ends is not sent: a connection that was made %s",
    function*([, connects]) {
      const { announced, call, calls, connection, made, server } = yield* pinned({ connects })
      yield* call()
      for (const round of [1, 2]) {
        server.tools = round === 1 ? server.tools.slice(0, 1) : [...server.tools, described("write", "Writes.")]
        made.changed()
        let withdrawn = 0
        const options: RequestOptions = { timeout: 60_000, onevent: () => withdrawn++ }
        const cancel = connection.send!("tools/call", { name: "read" }, options, () => {})
        server.onAnnounce = cancel
        yield* TestClock.adjust(0)
        expect([announced.count, withdrawn > 0, calls().length]).toEqual([round, true, 1])
      }
    }
  )

  test.effect("[G24] a server that announces a change each time that it is asked is asked three times for a call, and then believed", function*() {
    const { call, calls, lists, made, server } = yield* pinned()
    server.onList = () => made.changed()
    for (const round of [1, 2]) {
      expect((yield* adjusted(call()))._tag).toBe("Right")
      expect([lists(), calls().length]).toEqual([3 * round, round])
    }
  })

  test.effect("[G24] of two tools of one name only the one that was approved is listed, on every page, and counts for calls", function*() {
    const { call, connection, server } = yield* pinned()
    const [read, write] = server.tools as [typeof server.tools[0], typeof server.tools[0]]
    const other = described("read", "Reads, and sends.")
    yield* call()
    const names = (params?: { cursor: string }) =>
      Effect.map(
        Sending.ask(connection, "tools/list", params, { timeout: 1000 }),
        ({ tools }) => tools.map(({ description }) => description)
      )
    server.tools = [read, other, write]
    for (const params of [undefined, { cursor: "2" }]) expect(yield* names(params)).toEqual(["Reads.", "Writes."])
    yield* call()
    server.tools = [other, read, write]
    for (const params of [undefined, { cursor: "2" }]) expect(yield* names(params)).toEqual(["Reads.", "Writes."])
    // Which of them a call reaches, the server knows.
    expect(yield* Effect.flip(call())).toMatchObject({ message: expect.stringContaining("has changed") })
  })

  test.effect("[G24] tells that the tools differ when a call finds it, and only then", function*() {
    const { announced, call, connection, made, server } = yield* pinned()
    yield* call()
    made.changed()
    yield* call()
    expect(announced.count).toBe(0)
    for (const round of [1, 2]) {
      server.tools = round === 1 ? server.tools.slice(1) : [described("read", "Reads."), ...server.tools]
      made.changed()
      yield* Effect.either(call())
      yield* Effect.either(call())
      expect(announced.count).toBe(round)
    }
    // Whoever lists the tools learns of it from the answer.
    server.tools = server.tools.slice(1)
    made.changed()
    yield* Sending.ask(connection, "tools/list", undefined, { timeout: 1000 })
    expect(announced.count).toBe(2)
  })

  test.effect("[G24] a list that fails, or is given up, blocks no later one", function*() {
    const { connection, server } = yield* pinned()
    const list = Sending.ask(connection, "tools/list", undefined, { timeout: 1000 })
    server.listsAfter = 1e9
    for (const _ of [1, 2]) {
      const waiting = yield* Effect.fork(list)
      yield* TestClock.adjust(10)
      yield* Fiber.interrupt(waiting)
    }
    server.listsAfter = 0
    server.onList = () => {
      throw new Error("the connection is broken")
    }
    for (const _ of [1, 2]) expect(Exit.isFailure(yield* Effect.exit(list))).toBe(true)
    server.onList = () => {}
    expect((yield* list).tools).toHaveLength(2)
  })

  test.effect("[G24] a server without tools, or one that cannot list them, says so itself, as it would without pins", function*() {
    const unknown = new RequestError({
      fate: "answered",
      reason: "remote",
      code: -32_601,
      message: "Method not found"
    })
    for (const capabilities of [{}, { tools: {} }]) {
      for (const mode of ["block", "warn"] as const) {
        const { calls, connection, lists, server } = yield* pinned({ capabilities, mode })
        server.error = unknown
        for (const round of [1, 2]) {
          const answer = yield* Effect.either(Sending.ask(connection, "tools/list", undefined, { timeout: 1000 }))
          expect(answer).toMatchObject({ _tag: "Left", left: { code: -32_601, message: "Method not found" } })
          expect(lists()).toBe(round)
        }
        expect(calls()).toEqual([])
      }
    }
  })

  test.effect("[G24] a list whose second page fails is no list: its first page was not compared", function*() {
    const { connection, lists, server } = yield* pinned()
    server.isPaged = true
    const broken = new RequestError({ fate: "answered", reason: "remote", code: -32_603, message: "broken" })
    server.onList = () => {
      server.error = lists() % 2 === 0 ? broken : undefined
    }
    for (const _ of [1, 2]) {
      const answer = yield* Effect.either(Sending.ask(connection, "tools/list", undefined, { timeout: 1000 }))
      expect(answer).toMatchObject({ _tag: "Left", left: { message: "broken" } })
    }
  })

  test.effect("[G24] a page that is asked for before the first list waits for that", function*() {
    const { connection } = yield* pinned()
    const { tools } = yield* Sending.ask(connection, "tools/list", { cursor: "2" }, { timeout: 1000 })
    expect(tools.map(({ name }) => name)).toEqual(["read", "write"])
  })

  test.effect("[G24] calls that come at once wait for one comparison, each time", function*() {
    const { call, lists, made, server } = yield* pinned()
    server.listsAfter = 1000
    for (const round of [1, 2]) {
      made.changed()
      yield* adjusted(Effect.all(Array.from({ length: 5 }, () => call()), { concurrency: "unbounded" }), 1000)
      expect(lists()).toBe(round)
    }
  })

  test.effect("[G24] with warn, calls wait for no comparison", function*() {
    const { call, lists } = yield* pinned({ mode: "warn" })
    yield* call("any")
    expect(lists()).toBe(0)
  })
})

const counted = <A>(hub: Hub<A>): { count: number } => {
  const listeners = { count: 0 }
  const listen = hub.listen.bind(hub)
  hub.listen = (...given) => {
    const stop = listen(...given)
    listeners.count++
    let hasStopped = false
    return () => {
      if (!hasStopped) listeners.count--
      hasStopped = true
      stop()
    }
  }
  return listeners
}

describe("a connector of pinned connections", () => {
  const follow = Effect.sync(() => {
    const memory = PinStore.memory()
    let reads = 0
    const store = { ...memory, get: Effect.zipRight(Effect.sync(() => void reads++), memory.get) }
    const pins = new PinnedTools({ server: "one", mode: "block", store, maxDepth: 10 })
    const listeners = [counted(pins.changed), counted(pins.approvals)]
    const script = ScriptedConnector.make()
    const connector: Connector = PinnedConnector.around(script, { backend: "one", policy: Policy.defaults, pins })
    const told: Array<string> = []
    const hearing = { onNotification: (): void => {} }
    const connect = Effect.gen(function*() {
      const scope = yield* Scope.make()
      const report = taking("Notification", ({ notification }) => {
        told.push(notification.method)
        hearing.onNotification()
      })
      const connection = yield* Scope.extend(connector.connect({ report }), scope)
      yield* TestClock.adjust(0)
      return { connection, close: Scope.close(scope, Exit.void) }
    })
    const readsIn = (millis: number) =>
      Effect.suspend(() => {
        const before = reads
        return Effect.map(TestClock.adjust(millis), () => reads - before)
      })
    return {
      connect,
      hearing,
      listeners: () => listeners.map(({ count }) => count),
      memory,
      pins,
      readsIn,
      script,
      told
    }
  })

  const list = ({ connection }: { readonly connection: Connection }) =>
    Sending.ask(connection, "tools/list", undefined, { timeout: 1000 })

  test.effect("[G24] approvals of other programs are looked for every two seconds while something waits for one, the second time, too", function*() {
    const { connect, pins, readsIn, script } = yield* follow
    const one = yield* connect
    yield* list(one)
    expect(yield* readsIn(600_000)).toBe(0)
    for (const description of ["Reads, and sends.", "Reads, and deletes."]) {
      script.offer = { ...script.offer, tools: [described("echo", description)] }
      yield* list(one)
      expect(pins.hasChanges).toBe(true)
      expect(yield* readsIn(1999)).toBe(0)
      expect(yield* readsIn(1)).toBe(1)
      expect(yield* readsIn(20_000)).toBe(10)
      yield* pins.approve
      yield* TestClock.adjust(2000)
      expect(yield* readsIn(600_000)).toBe(0)
    }
    yield* one.close
  })

  test.effect("[G24] after it has missed changes of tools, they are compared before the next call", function*() {
    const { connect, script } = yield* follow
    const one = yield* connect
    yield* list(one)
    const call = Sending.ask(one.connection, "tools/call", { name: "echo" }, { timeout: 1000 })
    const hearing = { announced: ["tools"], unannounced: [] } as const
    for (const reads of [1, 2, 3]) {
      yield* call
      expect(script.ledger.sent("tools/list")).toHaveLength(reads)
      script.current.options.report({ _tag: "Hearing", hearing })
    }
    yield* one.close
  })

  test.effect("[G24] a call that is made in the step of an announcement is compared first, each time", function*() {
    const { connect, hearing, script } = yield* follow
    const one = yield* connect
    yield* list(one)
    hearing.onNotification = () => {
      one.connection.send("tools/call", { name: "echo" }, { timeout: 1000 }, () => {})
    }
    for (const description of ["Reads, and sends.", "Reads, and deletes."]) {
      script.offer = { ...script.offer, tools: [described("echo", description)] }
      script.current.notify("notifications/tools/list_changed")
      yield* TestClock.adjust(0)
    }
    expect(script.ledger.sent("tools/call")).toEqual([])
    yield* one.close
  })

  test.effect("[G24] once what cannot be read was removed, the tools listed next count as approved, and the next call waits for them", function*() {
    const { connect, memory, pins, script } = yield* follow
    const one = yield* connect
    yield* list(one)
    yield* memory.update(() => ({ _tag: "Unreadable" as const, file: "f", reason: "r" }))
    yield* pins.reload
    yield* memory.update(() => undefined)
    yield* pins.reload
    yield* Sending.ask(one.connection, "tools/call", { name: "echo" }, { timeout: 1000 })
    expect(script.ledger.sent("tools/list")).toHaveLength(2)
    yield* one.close
  })

  test.effect("[G24] a connection that is closed, or could not be made, listens to nothing and looks for nothing", function*() {
    const { connect, listeners, pins, readsIn, script, told } = yield* follow
    const one = yield* connect
    const other = yield* connect
    yield* list(one)
    expect(listeners()).toEqual([2, 2])
    script.failNext(1)
    yield* Effect.flip(connect)
    expect(listeners()).toEqual([2, 2])
    script.offer = { ...script.offer, tools: [described("echo", "Sends.")] }
    yield* list(one)
    expect(yield* readsIn(2000)).toBe(2)
    yield* one.close
    expect(yield* readsIn(2000)).toBe(1)
    told.length = 0
    yield* pins.approve
    expect(told).toHaveLength(1)
    yield* TestClock.adjust(2000)
    yield* other.close
    expect(listeners()).toEqual([0, 0])
    yield* pins.compare([described("echo", "Deletes.")], true)
    expect(yield* readsIn(60_000)).toBe(0)
  })
})
