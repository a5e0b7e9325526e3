import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

const refusals = [
  {
    ender: "disable",
    text: "one is Disabling (it is being switched off): reconnect was not carried out. Call enable() to use it again"
  },
  {
    ender: "disconnect",
    text:
      "one is Disconnected (it does not connect automatically): reconnect was not carried out. Call reconnect() to connect again"
  }
] as const

describe("commands that are not carried out", () => {
  for (const { ender, text } of refusals) {
    test.scoped(`[L11:virtual, C9] a reconnect that ${ender} ends fails in its own name`, function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script)
      yield* runUntilIdle
      script.script({ connect: "hang" })
      const reconnect = yield* Effect.fork(Effect.exit(backend.reconnect))
      yield* runUntilIdle
      yield* backend[ender]
      const error = failure(yield* Fiber.join(reconnect))
      expect(error).toMatchObject({ _tag: "BackendUnavailable", message: text })
    })
  }

  test.scoped("[L11:virtual, C9] an enable that a disable takes back fails in its own name", function*() {
    const script = ScriptedConnector.make()
    script.otherwise = { close: 3000 }
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const first = yield* Effect.fork(backend.disable)
    yield* runUntilIdle
    const enable = yield* Effect.fork(Effect.exit(backend.enable))
    yield* runUntilIdle
    const second = yield* Effect.fork(backend.disable)
    yield* runUntilIdle
    expect(failure(yield* Fiber.join(enable))).toMatchObject({
      message: "one is Disabling (it is being switched off): enable was not carried out. Call enable() to use it again"
    })
    yield* Fiber.interruptAll([first, second])
  })
})
