import { Effect } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as StatelessTasks from "../src/StatelessTasks.js"

describe("the outcome of a task of a server without sessions", () => {
  test.effect.each(["sleeping", "", 1, undefined])(
    "[C17:virtual] ends with an error where the status is none that the protocol knows: %j",
    function*(status) {
      const asked: Array<string> = []
      const error = yield* Effect.flip(
        StatelessTasks.request("tasks/result", { taskId: "a" }, { timeout: 1000 }, {
          ask: () => Effect.die("asks nobody"),
          send: (method) => Effect.sync(() => ({ status: (asked.push(method), status) })),
          decode: Effect.succeed,
          timeout: 1000
        })
      )
      expect([error.reason, error.fate, asked]).toEqual(["protocol", "answered", ["tasks/get"]])
    }
  )
})
