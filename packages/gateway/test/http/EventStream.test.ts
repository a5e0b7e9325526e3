import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { EventBudget } from "../../src/http/EventBudget.js"
import { EventStream } from "../../src/http/EventStream.js"

/** A server that gives each response to the test. */
const serve = (take: (response: ServerResponse) => void) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer((_, response) => take(response))
          server.listen(0, "127.0.0.1", () => resolve(server))
        })
      ),
      (server) =>
        Effect.promise(() =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            server.closeAllConnections()
          })
        )
    ),
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  )

describe("what a stream keeps", () => {
  it.scopedLive("[G13] nothing is kept of a stream to which nobody can come back, once it is sent", () =>
    Effect.gen(function*() {
      const budget = new EventBudget(1_000_000)
      const url = yield* serve((response) => {
        const stream = new EventStream({ budget, headers: {}, primes: () => false })
        stream.attach(response)
        stream.say("{}")
        stream.end()
      })
      const text = yield* Effect.promise(async () => (await fetch(url)).text())
      expect(text).toBe("event: message\ndata: {}\n\n")
      expect([budget.size, budget.bytes]).toEqual([0, 0])
    }))

  it.scopedLive("[G13] nothing is kept of a stream to which nobody can come back, once its reader has gone", () =>
    Effect.gen(function*() {
      const budget = new EventBudget(1_000_000)
      let isGone = () => {}
      const gone = new Promise<void>((resolve) => {
        isGone = resolve
      })
      const url = yield* serve((response) => {
        const stream = new EventStream({ budget, headers: {}, primes: () => false })
        stream.attach(response)
        response.once("close", () => {
          stream.say("an answer that came too late")
          stream.end()
          isGone()
        })
      })
      yield* Effect.promise(async () => {
        const response = await fetch(url)
        await response.body?.cancel()
        await gone
      })
      expect([budget.size, budget.bytes]).toEqual([0, 0])
    }))

  it.effect("[G13] a stream counts as long as it keeps something for a client that comes back", () =>
    Effect.sync(() => {
      const budget = new EventBudget(1_000_000)
      const stream = new EventStream({ name: "s.", budget, headers: {}, primes: () => false })
      stream.say("{}")
      expect([budget.size, budget.bytes]).toEqual([1, 2])
      stream.close()
      expect([budget.size, budget.bytes]).toEqual([0, 0])
    }))
})
