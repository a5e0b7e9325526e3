import { describe, expect, it } from "@effect/vitest"
import { HttpFault } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { doors, http, late, lists, until } from "../support/ListDoors.js"

/** Servers that declare `listChanged`, and on whose stream nothing can arrive. */
const servers = {
  "2025, no stream (405)": http("2025"),
  "2025, a stream that stays taken (409)": Effect.tap(
    http("2025"),
    ({ fault }) => fault.fail("GET", HttpFault.status(409))
  ),
  "2025, a stream that ends at once": Effect.tap(http("2025"), ({ fault }) => fault.fail("GET", HttpFault.end())),
  "2025, a stream that never opens": Effect.tap(http("2025"), ({ fault }) => fault.fail("GET", HttpFault.hang())),
  "2026, no subscriptions/listen": http("2026", false)
}

/** The reports of these come at once, and not after a time without an answer. */
const { "2025, a stream that never opens": _, ...known } = servers

/** At once, because most of the time is spent waiting. */
const withEach = <A, E, R>(
  all: Partial<typeof servers>,
  test: (make: (typeof servers)[keyof typeof servers], name: string) => Effect.Effect<A, E, R>
) => Effect.forEach(Object.entries(all), ([name, make]) => test(make, name), { concurrency: "unbounded" })

const withLate = { ...lists, tools: [...lists.tools, late] }

describe.concurrent("servers whose announcements do not arrive", () => {
  for (const [door, open] of Object.entries(doors)) {
    it.scopedLive(`[E4:real] ${door}: lists are polled, and a client is notified of one that differs`, () =>
      withEach(servers, (make, name) =>
        Effect.gen(function*() {
          const server = yield* make
          const client = yield* open(server.definition)
          yield* Effect.promise(client.read)
          server.offer(withLate)
          yield* until(() => client.notified.includes("notifications/tools/list_changed"))
          expect([name, ...client.notified]).toEqual([name, "notifications/tools/list_changed"])
          expect((yield* Effect.promise(client.read)).tools.join()).toContain("late")
          yield* Effect.promise(() => client.call("late"))
        })))
  }

  it.scopedLive("[P9:real] serve: a tool that is not listed is looked for, and not for each client anew", () =>
    withEach(known, (make) =>
      Effect.gen(function*() {
        const server = yield* make
        const client = yield* doors["serve"]!(server.definition)
        server.offer(withLate)
        yield* Effect.promise(() => client.call("late"))
        const before = server.fault.count("tools/list")
        const unknown = Array.from({ length: 50 }, () => client.call("none").catch(String))
        for (const error of yield* Effect.promise(() => Promise.all(unknown))) {
          expect(error).toContain("s__none")
        }
        expect(server.fault.count("tools/list") - before).toBeLessThan(25)
      })))
})
