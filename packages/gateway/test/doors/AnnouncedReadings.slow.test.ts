import { Effect, Fiber } from "effect"
import { doors, late, lists, stdio, until } from "../support/ListDoors.js"
import { describe, expect, test } from "../support/vitest.js"

/** How long client and server are left to each other, in milliseconds. */
const time = 4_000

describe.concurrent("a server that announces its lists whenever it is asked, and a client that asks whenever it hears so", () => {
  const all = Object.entries(doors).flatMap(([door, open]) =>
    (["announces", "undeclared"] as const).map((how) => [door, how, open] as const)
  )
  for (const [door, how, open] of all) {
    test.scopedLive(`[P9:real] ${door}, ${how}: they do not keep each other busy, and the client hears of what has changed`, function*() {
      const server = yield* stdio("2025", how)
      const client = yield* open(server.definition)
      let tools: ReadonlyArray<string> = []
      let heard = 0
      const read = Effect.promise(async () => {
        heard = client.notified.length
        tools = (await client.read()).tools
      })
      yield* read
      const reading = yield* Effect.fork(
        Effect.forever(Effect.zipRight(until(() => client.notified.length > heard), read))
      )
      yield* Effect.sleep(time)
      // Some for each of the three kinds.
      expect(client.notified.length).toBeLessThan(20)
      server.offer({ ...lists, tools: [...lists.tools, late] })
      yield* until(() => tools.join().includes("late"))
      yield* Fiber.interrupt(reading)
    })
  }
})
