/**
 * How a user tests a program over two backends: under the test clock, with connectors that do what the test says.
 */
import { describe, expect, it } from "@effect/vitest"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber, Layer, TestClock } from "effect"
import { Docs, lookUpAndNote, Notes } from "../two-backends.js"

const { tool } = ScriptedConnector

/** Two scripted servers; what was opened has to be closed, once, when the program has ended. */
const withServers = <A, E>(
  use: (
    docs: ScriptedConnector.ScriptedConnector,
    notes: ScriptedConnector.ScriptedConnector
  ) => Effect.Effect<A, E, Docs | Notes>
) =>
  Effect.gen(function*() {
    const docs = ScriptedConnector.make()
    const notes = ScriptedConnector.make()
    docs.offer = { ...docs.offer, tools: [tool("search", { readOnlyHint: true })] }
    notes.offer = { ...notes.offer, tools: [tool("add")] }
    const layer = Layer.merge(
      Docs.layer({ connector: docs, timeouts: { wait: "10 seconds" } }),
      Notes.layer({ connector: notes, timeouts: { wait: "10 seconds" } })
    )
    const connected = Effect.zipRight(
      Effect.flatMap(Docs, (backend) => backend.firstOutcome),
      Effect.flatMap(Notes, (backend) => backend.firstOutcome)
    )
    const result = yield* Effect.provide(Effect.zipRight(connected, use(docs, notes)), layer)
    expect([docs.ledger.faults, notes.ledger.faults]).toEqual([[], []])
    expect([docs.ledger.live, notes.ledger.live]).toEqual([[], []])
    return result
  })

describe("a program over two backends", () => {
  it.effect("[L1] does its work", () =>
    withServers((docs, notes) =>
      Effect.gen(function*() {
        expect(yield* lookUpAndNote("backoff")).toBe("noted")
        expect([docs.ledger.sent("tools/call"), notes.ledger.sent("tools/call")]).toEqual([[0], [0]])
      })
    ))

  it.effect("[R8] waits for a server that is on its way back", () =>
    withServers((docs) =>
      Effect.gen(function*() {
        docs.failNext(1)
        docs.current.lose()
        const result = yield* Effect.fork(lookUpAndNote("backoff"))
        yield* TestClock.adjust("10 seconds")
        expect(yield* Fiber.join(result)).toBe("noted")
        expect(docs.ledger.opened).toEqual([0, 1])
      })
    ))

  it.effect("[R8] gives up on the one that does not come back in time", () =>
    withServers((docs, notes) =>
      Effect.gen(function*() {
        notes.otherwise = { connect: "fail" }
        notes.current.lose()
        const result = yield* Effect.fork(lookUpAndNote("backoff"))
        yield* TestClock.adjust("9999 millis")
        expect(yield* Fiber.poll(result)).toMatchObject({ _tag: "None" })
        yield* TestClock.adjust("1 millis")
        expect(yield* Fiber.join(result)).toBe("not noted")
        expect(docs.ledger.sent("tools/call")).toHaveLength(1)
      })
    ))

  it.effect("[C3] reads again what a lost connection left open, and never writes twice", () =>
    withServers((docs, notes) =>
      Effect.gen(function*() {
        const unanswered = (method: string) => method === "tools/call" ? { answer: "never" as const } : undefined
        docs.respond = unanswered
        notes.respond = unanswered
        const result = yield* Effect.fork(lookUpAndNote("backoff"))
        yield* TestClock.adjust(0)
        docs.respond = undefined
        docs.current.lose("session")
        yield* TestClock.adjust("10 seconds")
        expect(docs.ledger.sent("tools/call")).toHaveLength(2)
        notes.current.lose()
        yield* TestClock.adjust("10 seconds")
        expect(yield* Fiber.join(result)).toBe("perhaps noted")
        expect(notes.ledger.sent("tools/call")).toHaveLength(1)
      })
    ))
})
