import { Backend } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"

describe("Backend", () => {
  it.scoped("[L1] the handle outlives every connection", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const backend = yield* Backend.make("one", { connector: script })
      yield* backend.settled
      expect((yield* backend.callTool({ name: "echo", arguments: { message: "hi" } })).content).toHaveLength(1)
      expect((yield* backend.status).generation).toBe(1)
      script.current.lose()
      yield* TestClock.adjust("2 seconds")
      yield* backend.callTool({ name: "echo" })
      expect((yield* backend.status).generation).toBe(2)
    }))
})
