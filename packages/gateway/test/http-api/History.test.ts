import type { Event, Status } from "@mcp-lifeline/core"
import { describe, expect, it } from "vitest"
import { History } from "../../src/http-api/History.js"

const lost = (at: number): Event.Event =>
  ({ _tag: "RuntimeLost", loss: { kind: "closed", message: "was killed" }, at }) as Event.Event
const failed = (at: number): Event.Event =>
  ({ _tag: "AttemptFailed", error: { message: "no such command", reason: "spawn" }, at }) as Event.Event

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
      expect(other.lastError).toEqual({ message: "was killed", reason: "closed", at: 3 })
    }
  })

  it("[G16 X5:unit] a loss marks one change more, also when there are so many, and when the states come again", () => {
    const history = new History()
    for (let at = 0; at < 500; at += 2) {
      history.enter("Connected", at)
      history.enter("Reconnecting", at + 1)
      if (at % 4 === 0) history.take(lost(at + 1))
    }
    expect(history.changes).toEqual(Array.from({ length: 200 }, (_, i) => ({
      at: 300 + i,
      state: i % 2 === 0 ? "Connected" : "Reconnecting",
      ...(i % 4 === 1 ? { lost: true } : {})
    })))
    // A state that is told again does not take the mark away.
    history.take(lost(500))
    history.enter("Reconnecting", 501)
    expect(history.changes.at(-1)).toEqual({ at: 499, state: "Reconnecting", lost: true })
  })

  it("[G16:unit] an attempt that failed is no loss; its error is the last one", () => {
    const history = entered("Connected", "Reconnecting")
    history.take(lost(1))
    history.take(failed(2))
    expect(history.lastError).toEqual({ message: "no such command", reason: "spawn", at: 2 })
    const other = entered("Connected", "Reconnecting")
    other.take(failed(1))
    other.take({ _tag: "Installed", at: 2 } as Event.Event)
    expect([statesOf(other), other.lastError?.at]).toEqual([["Connected", "Reconnecting"], 1])
    expect([entered().state, entered().changes, entered().lastError]).toEqual([undefined, [], undefined])
  })
})
