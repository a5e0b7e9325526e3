import { Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Scheduler, Stream, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { runUntilIdle } from "./support/Watched.js"

const keepalive = { method: "none" } as const

/** After each few steps of a fiber that runs on this, everybody else has a hundred turns. */
const slow: Scheduler.Scheduler = {
  shouldYield: ({ currentOpCount }) => currentOpCount > 12 ? 0 : false,
  scheduleTask: (task, priority) => {
    const later = (turns: number): void =>
      Scheduler.defaultScheduler.scheduleTask(turns === 0 ? task : () => later(turns - 1), priority)
    later(100)
  }
}

const slowly = <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.withScheduler(call, slow)

const requests: ReadonlyArray<readonly [string, (fleet: Fleet.Fleet) => Effect.Effect<unknown, unknown>]> = [
  ["callTool", (fleet) => fleet.callTool({ name: "docs__echo" })],
  ["getPrompt", (fleet) => fleet.getPrompt({ name: "docs__greet" })],
  [
    "complete",
    (fleet) => fleet.complete({ ref: { type: "ref/prompt", name: "docs__greet" }, argument: { name: "q", value: "" } })
  ]
]

describe.each(requests)("%s of a backend that is replaced", (_, ask) => {
  test.scoped("[L13, L15] is not cut, wherever it is between its route and its lease", function*() {
    const sentTo = new Set<string>()
    for (let turns = 0; turns < 1500; turns += 50) {
      const [old, next] = ["old", "next"].map((name) => {
        const script = ScriptedConnector.make({ overlap: false })
        script.offer = { ...script.offer, prompts: [{ name: "greet" }] }
        script.ledger.onWrite = () => {
          const { _tag, method } = script.ledger.entries.at(-1) as { readonly _tag: string; readonly method?: string }
          if (_tag === "Sent" && method?.endsWith("/list") === false) sentTo.add(name)
        }
        return script
      }) as [ScriptedConnector.ScriptedConnector, ScriptedConnector.ScriptedConnector]
      const fleet = yield* Fleet.make({ backends: { docs: { connector: old, keepalive } } })
      yield* fleet.ready
      const call = yield* Effect.fork(slowly(ask(fleet)))
      yield* Effect.repeatN(Effect.yieldNow(), turns)
      yield* fleet.apply({ docs: { connector: next, keepalive } })
      const exit = yield* Fiber.await(call)
      expect([turns, Exit.isSuccess(exit) ? "succeeded" : String(exit.cause)]).toEqual([turns, "succeeded"])
      expect(old.ledger.live).toEqual([])
    }
    expect([...sentTo].toSorted()).toEqual(["next", "old"])
  })
})

test.scoped("[L13, L15] a call that has waited for a connection is not cut before its lease if its backend is replaced", function*() {
  const old = ScriptedConnector.make({ overlap: false }).script({ after: 1000 })
  const next = ScriptedConnector.make({ overlap: false })
  const fleet = yield* Fleet.make({ backends: { docs: { connector: old, keepalive } } })
  const backend = yield* fleet.backend("docs")
  const call = yield* Effect.fork(slowly(backend.callTool({ name: "echo" })))
  const applying = yield* Effect.fork(Effect.zipRight(
    Stream.runHead(Stream.filter(backend.status.changes, ({ state }) => state === "Connected")),
    fleet.apply({ docs: { connector: next, keepalive } })
  ))
  yield* runUntilIdle
  yield* TestClock.adjust(1000)
  yield* Fiber.join(call)
  yield* Fiber.join(applying)
  expect([old.ledger.sent("tools/call").length, old.ledger.live, next.ledger.live]).toEqual([1, [], [0]])
})

test.scoped("[L15] calls that end without a lease keep no backend from being replaced", function*() {
  const old = ScriptedConnector.make({ overlap: false })
  old.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
  const next = ScriptedConnector.make({ overlap: false })
  const fleet = yield* Fleet.make({ backends: { docs: { connector: old, keepalive } } })
  yield* fleet.ready
  for (let turns = 0; turns < 1500; turns += 100) {
    const call = yield* Effect.fork(slowly(fleet.callTool({ name: "docs__echo" })))
    yield* Effect.repeatN(Effect.yieldNow(), turns)
    yield* Fiber.interrupt(call)
  }
  const applying = yield* Effect.fork(fleet.apply({ docs: { connector: next, keepalive } }))
  yield* runUntilIdle
  expect(applying.unsafePoll()).not.toBeNull()
})
