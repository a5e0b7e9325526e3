import type { Event, Status } from "@mcp-lifeline/core"
import { describe, expect, it } from "vitest"
import { History } from "../../src/api/History.js"

const lost = (at: number): Event.Event =>
  ({ _tag: "RuntimeLost", loss: { kind: "closed", message: "was killed" }, at }) as Event.Event
const failed = (at: number): Event.Event =>
  ({ _tag: "AttemptFailed", error: { message: "no such command" }, at }) as Event.Event

/** The states of a history, with a mark at those that came of a loss. */
const statesOf = (history: History): ReadonlyArray<string> =>
  history.changes.map(({ lost, state }) => lost === true ? `${state}, lost` : state)

const entered = (...states: ReadonlyArray<Status["state"]>): History => {
  const history = new History()
  for (const [at, state] of states.entries()) history.enter(state, at)
  return history
}

describe("the history of a server", () => {
  it("[G16, X5:unit] has the last 200 changes, and no change to the same state", () => {
    const history = new History()
    for (let at = 0; at < 1000; at++) {
      history.enter(at % 2 === 0 ? "Connected" : "Reconnecting", at)
      history.enter(at % 2 === 0 ? "Connected" : "Reconnecting", at + 0.5)
    }
    expect(history.changes.map(({ at }) => at)).toEqual(Array.from({ length: 200 }, (_, index) => 800 + index))
    expect(history.state).toBe("Reconnecting")
  })

  it("[G16:unit] a loss marks the change that came of it: from connected to whatever it is now", () => {
    const history = entered("Connecting", "Connected", "Reconnecting")
    history.take(lost(3))
    expect(statesOf(history)).toEqual(["Connecting", "Connected", "Reconnecting, lost"])
    // It is told once more, or of a connection that a command had replaced before.
    for (const states of [["Connected"], ["Connected", "Connecting", "Connected"], []] as const) {
      const other = entered(...states)
      other.take(lost(3))
      expect(statesOf(other)).toEqual(states)
      expect(other.lastError).toEqual({ message: "was killed", at: 3 })
    }
  })

  it("[G16:unit] an attempt that failed is no loss; its error is the last one", () => {
    const history = entered("Connected", "Reconnecting")
    history.take(lost(1))
    history.take(failed(2))
    expect(history.lastError).toEqual({ message: "no such command", at: 2 })
    expect(statesOf(entered("Connected", "Reconnecting"))).toEqual(["Connected", "Reconnecting"])
  })
})
