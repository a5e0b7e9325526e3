import { type Connection, RequestError, Sending } from "@mcp-lifeline/core"
import { Deferred, Effect, Fiber, TestClock } from "effect"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import { SessionState } from "../../src/state/SessionState.js"

const all = { logging: {}, resources: { subscribe: true } }

const session = (
  capabilities: Connection["capabilities"] = all,
  answer: (what: string) => Effect.Effect<unknown, RequestError> = () => Effect.void,
  stateful = true
) => {
  const asked: Array<string> = []
  return Effect.map(Effect.runtime<never>(), (runtime) => {
    const send = Sending.by(runtime, (method, params, { timeout }) => {
      const what = params.uri ?? params.level ?? ""
      asked.push(`${method} ${what} ${timeout}`)
      return answer(what)
    })
    return { asked, connection: { capabilities, stateful, send } as unknown as Connection }
  })
}

const subscribe = (state: SessionState, uri: string) => state.note("resources/subscribe", { uri })

describe("what a session was asked to keep", () => {
  test.effect("[C7:unit] each new one is asked for again: the last level, and the subscriptions that have not ended, as its server can", function*() {
    const state = new SessionState()
    state.note("resources/unsubscribe", { uri: "never" })
    state.note("logging/setLevel", { level: "debug" })
    state.note("logging/setLevel", { level: "error" })
    for (const uri of ["a", "b", "a", "c"]) subscribe(state, uri)
    state.note("resources/unsubscribe", { uri: "b" })
    state.note("tools/call", { name: "b" })
    const [level, ...uris] = ["logging/setLevel error 50", "resources/subscribe a 50", "resources/subscribe c 50"]
    for (const _ of [1, 2]) {
      const one = yield* session()
      yield* state.restore("one", one.connection, 50)
      expect(one.asked).toEqual([level, ...uris])
    }
    const rows = [[{ logging: {} }, [level]], [{ resources: { subscribe: true } }, uris], [{ resources: {} }, []], [
      {},
      []
    ]]
    for (const [capabilities, expected] of rows) {
      const one = yield* session(capabilities as Connection["capabilities"])
      yield* state.restore("one", one.connection, 50)
      expect(one.asked).toEqual(expected)
    }
    subscribe(state, "b")
    state.note("resources/unsubscribe", { uri: "a" })
    const last = yield* session({ resources: { subscribe: true } })
    yield* state.restore("one", last.connection, 50)
    expect(last.asked).toEqual(["resources/subscribe c 50", "resources/subscribe b 50"])
  })

  test.effect("[C7:unit] what it refuses, or leaves without an answer, keeps nothing else from being asked for, and ends in time", function*() {
    const state = new SessionState()
    for (const uri of ["gone", "silent", "there"]) subscribe(state, uri)
    const error = new RequestError({ fate: "answered", reason: "remote", code: -1, message: "no such resource" })
    const { asked, connection } = yield* session(
      all,
      (what) => what === "gone" ? Effect.fail(error) : what === "silent" ? Effect.never : Effect.void
    )
    const restoring = yield* Effect.fork(state.restore("one", connection, 50))
    yield* TestClock.adjust(49)
    expect([asked.length, restoring.unsafePoll()]).toEqual([3, null])
    yield* TestClock.adjust(1)
    yield* Fiber.join(restoring)
  })

  test.effect("[C7:unit] eight at a time of a session, and all at once of a connection that keeps them itself", function*() {
    for (const [stateful, first] of [[true, 8], [false, 20]] as const) {
      const state = new SessionState()
      for (let i = 0; i < 20; i++) subscribe(state, `${i}`)
      const answer = yield* Deferred.make<void>()
      const { asked, connection } = yield* session(all, () => Deferred.await(answer), stateful)
      const restoring = yield* Effect.fork(state.restore("one", connection, 50))
      yield* TestClock.adjust(0)
      expect(asked).toHaveLength(first)
      yield* Deferred.succeed(answer, undefined)
      yield* Fiber.join(restoring)
      expect(asked).toHaveLength(20)
    }
  })
})
