import { settle } from "@mcp-lifeline/effect4/testing"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { assert, describe, it } from "vitest"
import * as OuterClock from "../src/OuterClock.js"

const steps = (count: number, step: () => void): void => {
  if (count > 0) {
    setTimeout(() => {
      step()
      steps(count - 1, step)
    }, 1)
  }
}

describe("settling", () => {
  it.each([["are due", 1], ["run", 0]])("[N2:unit] goes on as long as steps of Lifeline %s", async (_, due) => {
    const made = await Effect.runPromise(
      Effect.provide(
        Effect.gen(function*() {
          const inner = OuterClock.innerOf(yield* Clock.Clock)
          let made = 0
          inner.due = due
          steps(5, () => {
            made++
            // What is due runs at the end alone.
            if (due === 0) inner.ran++
            else if (made === 5) inner.due = 0
          })
          yield* settle
          return made
        }),
        TestClock.layer()
      )
    )
    assert.strictEqual(made, 5)
  })
})
