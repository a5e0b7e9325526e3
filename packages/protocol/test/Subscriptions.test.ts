import { type Backend, BackendUnavailable } from "@mcp-lifeline/core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { vi } from "vitest"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import { Subscriptions } from "../src/relay/Subscriptions.js"

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

const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe("the subscriptions of clients", () => {
  test.effect("[G10] one that goes on while its server is down is asked for when that is back", function*() {
    const { asked, backend, route, state, subscriber, subscriptions, told } = make()
    yield* Effect.ignore(subscriptions.subscribe(subscriber, route, "test://mine", true))
    state.isDown = false
    subscriptions.connected(backend)
    yield* turn
    expect(asked).toEqual(["+test://one", "+test://one"])
    subscriptions.connected(backend)
    yield* turn
    expect(asked).toHaveLength(2)
    // It may have changed meanwhile.
    expect(told).toEqual([["b", { uri: "test://mine" }]])
    subscriptions.updated("b", { uri: "test://one" })
    expect(told).toEqual([["b", { uri: "test://mine" }], ["b", { uri: "test://mine" }]])
  })

  test.effect("[G10 C18] all that are made again are, a few at a time: a session's, and those of a server that is made anew", function*() {
    const { subscriber, subscriptions } = make()
    const uris = Array.from({ length: 500 }, (_, index) => `test://${index}`)
    const make500 = () => {
      const [made, open] = [new Set<string>(), { now: 0, most: 0 }]
      const subscribeResource = (uri: string) =>
        Effect.gen(function*() {
          open.most = Math.max(open.most, ++open.now)
          yield* Effect.yieldNow()
          open.now--
          made.add(uri)
        })
      return { made, open, backend: { id: "b", subscribeResource } as unknown as Backend.Backend }
    }
    const [first, second] = [make500(), make500()]
    for (const original of uris) {
      yield* Effect.fork(subscriptions.subscribe(subscriber, { backend: first.backend, original }, original, true))
    }
    yield* Effect.promise(() => expect.poll(() => first.made.size).toBe(500))
    subscriptions.connected(second.backend)
    yield* Effect.promise(() => expect.poll(() => second.made.size).toBe(500))
    expect([first.open.most, second.open.most]).toEqual([16, 16])
  })

  test.effect("[G3] one that cannot be begun is none", function*() {
    const { asked, backend, route, state, subscriber, subscriptions, told } = make()
    yield* Effect.ignore(subscriptions.subscribe(subscriber, route, "test://mine"))
    state.isDown = false
    subscriptions.connected(backend)
    yield* turn
    subscriptions.updated("b", { uri: "test://one" })
    expect([asked, told]).toEqual([["+test://one"], []])
  })

  test.effect("[G3] a server is asked once for all clients, and no more when the last has gone", function*() {
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
  })

  test.effect("[G3 X5] a client that leaves costs nothing for the subscriptions of others, and what a server says not one look at each", function*() {
    const { backend, state, subscriber, subscriptions } = make()
    state.isDown = false
    const other = { updated: () => undefined }
    for (let number = 0; number < 3000; number++) {
      yield* subscriptions.subscribe(other, { backend, original: `test://${number}` }, `test://${number}`)
    }
    yield* subscriptions.subscribe(subscriber, { backend, original: "test://mine" }, "test://mine")
    const spies = [vi.spyOn(Map.prototype, "get"), vi.spyOn(String.prototype, "startsWith")]
    subscriptions.updated("b", { uri: "test://nobody/asked" })
    subscriptions.leave(subscriber)
    subscriptions.leave(subscriber)
    const looks = spies.reduce((sum, { mock }) => sum + mock.calls.length, 0)
    for (const spy of spies) spy.mockRestore()
    expect(looks).toBeLessThan(100)
  })

  it("[G3] a change below a resource is told to its subscribers, whatever else they are subscribed to", () => {
    const part = fc.constantFrom("", "a", "b", "a/b", "/", "a/")
    const uri = fc.array(part, { maxLength: 5 }).map((parts) => parts.join("/"))
    fc.assert(
      fc.property(fc.uniqueArray(uri, { maxLength: 8 }), uri, (subscribed, changed) => {
        const { backend, state, subscriptions } = make()
        state.isDown = false
        const told: Array<string> = []
        for (const original of subscribed) {
          const subscriber = { updated: () => void told.push(original) }
          Effect.runSync(subscriptions.subscribe(subscriber, { backend, original }, original))
        }
        subscriptions.updated("b", { uri: changed })
        const above = subscribed.filter((one) => changed.startsWith(one.endsWith("/") ? one : `${one}/`))
        expect(told.toSorted()).toEqual((subscribed.includes(changed) ? [changed] : above).toSorted())
      })
    )
  })
})
