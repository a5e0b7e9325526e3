import { Cause, Effect, Exit, Stream } from "effect"
import { assert, describe, it } from "vitest"
import * as Errors from "../src/Errors.js"
import * as Live from "../src/Live.js"

/** They are internal, and so in no declaration. */
const { ask, attempt } = Errors as unknown as Record<
  "ask" | "attempt",
  (f: () => Promise<unknown>) => Effect.Effect<unknown, Errors.LifelineError>
>
const { make } = Live as unknown as {
  readonly make: <A>(get: () => A, changes: () => AsyncIterable<A>) => Live.Live<A>
}

const outcome = async <A, E>(effect: Effect.Effect<A, E>) => {
  const exit = await Effect.runPromiseExit(effect)
  return Exit.isSuccess(exit) ? ["success", exit.value] : Cause.hasDies(exit.cause)
    ? ["defect", Cause.squash(exit.cause)]
    : ["failure", Cause.squash(exit.cause)]
}

const facade = (_tag: string, fields: object = {}) =>
  Object.assign(new Error("why", { cause: "it" }), { _tag, ...fields })

describe("what a promise of the facade rejects with", () => {
  it.each([
    ["BackendUnavailable", "BackendUnavailable"],
    ["ConnectError", "ConnectError"],
    ["ConnectionLost", "ConnectionLost"],
    ["ProtocolError", "ProtocolError"],
    ["RemoteError", "RemoteError"],
    ["RequestTimeout", "RequestTimeout"],
    ["ResultUnknown", "ResultUnknown"],
    ["SessionExpired", "SessionExpired"],
    ["UnauthorizedError", "ConnectError"]
  ])("[N1:unit] %s is an error of this package, with its fields", async (tag, own) => {
    for (const  of of[ask, attempt]) {
      const error = facade(tag, { code: -7, backend: "docs" })
      const [how, failure] = await outcome(of(() => Promise.reject(error)))
      assert.strictEqual(how, "failure")
      assert.deepInclude({ ...failure as object }, { _tag: own, backend: "docs" })
      const { cause, code, message } = failure as { cause: unknown; code?: number; message: string }
      assert.deepEqual([message, cause, code], ["why", "it", tag === "RemoteError" ? -7 : undefined])
    }
  })

  it("[N1:unit] a refused option is an error where something is made, and a mistake of the program in a call", async () => {
    const refused = () => Promise.reject(facade("ConfigError", { problems: ["x"] }))
    for (const [of, how] of [[attempt, "failure"], [ask, "defect"]] as const) {
      const [kind, error] = await outcome(of(refused))
      assert.strictEqual(kind, how)
      assert.deepInclude({ ...error as object }, { _tag: "InvalidOptions", problems: ["x"] })
    }
  })

  it.each([new Error("a"), facade("Other"), facade("toString"), { _tag: "RemoteError" }, "text", undefined])(
    "[N1:unit] what is none of its errors is a defect, as it is: %s",
    async (thrown) => {
      for (const  of of[ask, attempt]) {
        assert.deepEqual(await outcome(of(() => Promise.reject(thrown))), ["defect", thrown])
      }
    }
  )
})

describe("a value that changes", () => {
  it("[N1:unit] is read each time, and its changes end as the source does", async () => {
    let value = 0
    let sources = 0
    const fault = new Error("x")
    const live = make(() => ++value, async function*() {
      sources++
      yield 7
      yield 8
      if (sources > 1) throw fault
    })
    assert.deepEqual([await Effect.runPromise(live.get), await Effect.runPromise(live.get), sources], [1, 2, 0])
    assert.deepEqual(await outcome(Stream.runCollect(live.changes)), ["success", [7, 8]])
    assert.deepEqual(await outcome(Stream.runCollect(live.changes)), ["defect", fault])
  })
})
