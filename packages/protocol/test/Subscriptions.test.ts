import { describe, expect, it } from "@effect/vitest"
import { type Backend, BackendUnavailable } from "@mcp-lifeline/core"
import { Effect } from "effect"
import { Subscriptions } from "../src/relay/Subscriptions.js"

/** A backend that is down until the test says otherwise, and notes what it is asked. */
const make = () => {
  const asked: Array<string> = []
  const state = { isDown: true }
  const failure = new BackendUnavailable(
    { backend: "b", state: "Reconnecting", reason: "connection", message: "down" } as never
  )
  const backend = {
    id: "b",
    subscribeResource: (uri: string) =>
      Effect.suspend(() => {
        asked.push(`+${uri}`)
        return state.isDown ? Effect.fail(failure) : Effect.void
      }),
    unsubscribeResource: (uri: string) => Effect.sync(() => void asked.push(`-${uri}`))
  } as unknown as Backend.Backend
  const subscriptions = new Subscriptions((effect) => void Effect.runFork(effect))
  const told: Array<unknown> = []
  const subscriber = { updated: (server: string, params: object) => void told.push([server, params]) }
  const route = { backend, original: "test://one" }
  return { asked, backend, route, state, subscriber, subscriptions, told }
}

/** What was forked has run. */
const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe("the subscriptions of clients", () => {
  it.effect("[G10] one that goes on while its server is down is asked for when that is back", () =>
    Effect.gen(function*() {
      const { asked, backend, route, state, subscriber, subscriptions, told } = make()
      yield* Effect.ignore(subscriptions.subscribe(subscriber, route, "test://mine", true))
      state.isDown = false
      subscriptions.connected(backend)
      yield* turn
      expect(asked).toEqual(["+test://one", "+test://one"])
      // It is asked once.
      subscriptions.connected(backend)
      yield* turn
      expect(asked).toHaveLength(2)
      subscriptions.updated("b", { uri: "test://one" })
      expect(told).toEqual([["b", { uri: "test://mine" }]])
    }))

  it.effect("[G3] one that cannot be begun is none", () =>
    Effect.gen(function*() {
      const { asked, backend, route, state, subscriber, subscriptions, told } = make()
      yield* Effect.ignore(subscriptions.subscribe(subscriber, route, "test://mine"))
      state.isDown = false
      subscriptions.connected(backend)
      yield* turn
      subscriptions.updated("b", { uri: "test://one" })
      expect([asked, told]).toEqual([["+test://one"], []])
    }))

  it.effect("[G3] a server is asked once for all clients, and no more when the last has gone", () =>
    Effect.gen(function*() {
      const { asked, route, state, subscriber, subscriptions } = make()
      state.isDown = false
      const other = { updated: () => undefined }
      yield* subscriptions.subscribe(subscriber, route, "test://mine")
      yield* subscriptions.subscribe(other, route, "test://theirs")
      subscriptions.leave(subscriber)
      yield* turn
      expect(asked).toEqual(["+test://one"])
      subscriptions.unsubscribe(other, "b", "test://one")
      yield* turn
      expect(asked).toEqual(["+test://one", "-test://one"])
    }))
})
