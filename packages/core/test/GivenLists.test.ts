import { RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { startBackend } from "../src/backend/start.js"

type Page = { readonly tools: ReadonlyArray<{ readonly name: string }>; readonly nextCursor?: string }

/** A server with a tool on each page. `answerTo`: instead of the page with that number. */
const started = Effect.fnUntraced(function*(
  count: number,
  answerTo: (page: number, connection: ScriptedConnector.ScriptedConnection) => ScriptedConnector.Answer | undefined,
  maxEntries = 10_000
) {
  const script = ScriptedConnector.make()
  const asked: Array<number> = []
  script.respond = (method, params, connection) => {
    if (method !== "tools/list") return undefined
    const page = Number((params as { readonly cursor?: string } | undefined)?.cursor ?? 0)
    asked.push(page)
    const more = page + 1 < count ? { nextCursor: `${page + 1}` } : {}
    return answerTo(page, connection) ??
      { answer: "result", result: { tools: [{ name: `tool-${page}` }], ...more } }
  }
  const options = {
    connector: script,
    discovery: { mode: "learn", maxEntries },
    keepalive: { method: "none" }
  } as const
  const backend = yield* startBackend("one", options, {})
  yield* TestClock.adjust(0)
  const list = Effect.gen(function*() {
    asked.length = 0
    const listing = yield* Effect.fork(backend.listTools(undefined))
    yield* TestClock.adjust("10 seconds")
    const { nextCursor, tools } = (yield* Fiber.join(listing)) as Page
    return { asked: [...asked], names: tools.map(({ name }) => name), nextCursor }
  })
  return { list, script }
})

const whole = { names: ["tool-0", "tool-1", "tool-2"], nextCursor: undefined }
const first = { names: ["tool-0"], nextCursor: "1" }
const refusal = new RequestError({ fate: "answered", reason: "remote", message: "no such cursor" })

describe("what a caller gets of a list in pages", () => {
  test.scoped("[P13:virtual] is all of it, with the calls of its session", function*() {
    const { list } = yield* started(3, () => undefined)
    expect(yield* list).toEqual({ ...whole, asked: [0, 1, 2] })
  })

  test.scoped("[P13:virtual] is all of it from the next connection, where one is lost on the way", function*() {
    const { list, script } = yield* started(3, (page, connection) => {
      if (page !== 1 || connection !== script.connections[0]) return undefined
      connection.lose()
      return { answer: "never" }
    })
    expect(yield* list).toEqual({ ...whole, asked: [0, 1, 0, 1, 2] })
  })

  test.scoped("[P13:virtual] is its first page, where another one is refused or slow", function*() {
    for (const answer of [{ answer: "error", error: refusal }, { answer: "result", after: 9000 }] as const) {
      const { list } = yield* started(3, (page) => page === 1 ? answer : undefined)
      expect(yield* list).toEqual({ ...first, asked: [0, 1] })
    }
  })

  test.scoped("[P13:virtual P5] is its first page, where it does not end, and that is found out once", function*() {
    const { list } = yield* started(Number.POSITIVE_INFINITY, () => undefined)
    const { asked, ...given } = yield* list
    expect([given, asked.length]).toEqual([first, 100])
    expect(yield* list).toEqual({ ...first, asked: [0] })
  })

  test.scoped("[P13:virtual P5] is what the server gives, where one page has more than discovery.maxEntries", function*() {
    for (const [maxEntries, second] of [[2, ["b", "a", "c"]], [3, ["a", "b", "c"]]] as const) {
      let turn = 0
      const page = () => ({ tools: (turn++ === 0 ? ["a", "b", "c"] : ["b", "a", "c"]).map((name) => ({ name })) })
      const { list } = yield* started(1, () => ({ answer: "result", result: page() }), maxEntries)
      expect([(yield* list).names, (yield* list).names]).toEqual([["a", "b", "c"], second])
    }
  })
})
