import { type Connection, RequestError, type RequestOptions, Sending } from "@mcp-lifeline/core"
import { Effect, Exit, TestClock } from "effect"
import { constTrue, constVoid } from "effect/Function"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { ParameterHeaders } from "../src/ParameterHeaders.js"

const refusal = new RequestError({ fate: "rejected", reason: "remote", code: -32020, message: "headers" })

const refusing = (list: Exit.Exit<unknown, RequestError>, second?: Exit.Exit<unknown, RequestError>) => {
  const sent: Array<readonly [string, RequestOptions]> = []
  const send = (method: string, _: unknown, options: RequestOptions, settle: Sending.Settle<unknown>) => {
    const answer = method === "tools/list" ? list : sent.length === 0 ? Exit.fail(refusal) : second
    sent.push([method, options])
    if (answer !== undefined) settle(answer)
    return constVoid
  }
  const connection = Effect.map(
    Effect.runtime<never>(),
    (runtime) => new ParameterHeaders("the server").over({ send } as never as Connection, runtime)
  )
  return { connection, sent }
}

const listed = Exit.succeed({ tools: [] })
const options: RequestOptions = { timeout: 1000, onevent: constTrue }

describe("a call whose headers the server refuses", () => {
  test.effect("[E2:unit] is sent once more after the tools were listed, and cannot be withdrawn then: the server has had it", function*() {
    const { connection, sent } = refusing(listed)
    yield* Effect.fork(Sending.ask(yield* connection, "tools/call", { name: "a" }, options))
    yield* TestClock.adjust(0)
    expect(sent.map(([method]) => method)).toEqual(["tools/call", "tools/list", "tools/call"])
    expect(sent.map(([, { onevent }]) => onevent?.({ _tag: "Withdrawn" }))).toEqual([true, undefined, undefined])
  })

  test.effect("[E2:unit] ends as refused, and not as its list, where that fails; or where it is refused once more", function*() {
    const cut = Exit.fail(new RequestError({ fate: "unknown", reason: "lost", message: "cut" }))
    for (
      const [count, { connection, sent }] of [[2, refusing(cut)], [3, refusing(listed, Exit.fail(refusal))]] as const
    ) {
      const error = yield* Effect.flip(Sending.ask(yield* connection, "tools/call", { name: "a" }, options))
      expect(error).toBe(refusal)
      expect(sent).toHaveLength(count)
    }
  })
})
