import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as OtherGateways from "../../src/http-api/OtherGateways.js"
import * as OtherLogs from "../../src/http-api/OtherLogs.js"
import * as MadeUp from "../support/MadeUpReplica.js"

const line = (at: number, text: string) => ({ at, server: "one", level: "info", text }) as const

const madeUp = Effect.gen(function*() {
  const [b, c] = [yield* MadeUp.make("b"), yield* MadeUp.make("c")]
  const others = [b.name, c.name]
  const logs = yield* OtherLogs.make(OtherGateways.make(MadeUp.gatewaysOf(() => others)), () => others)
  const says = (replica: MadeUp.MadeUpReplica, ...events: ReadonlyArray<ReturnType<typeof line>>) =>
    replica.answers.set("GET /api/logs", [200, { events }])
  return { b, c, logs, says }
})

describe("the logs of other replicas", () => {
  it.scopedLive("[D8] are one log, by time; each line says whose it is, and who does not answer is left out", () =>
    Effect.gen(function*() {
      const { b, c, logs, says } = yield* madeUp
      says(b, line(1, "first"), line(4, "fourth"))
      says(c, line(2, "second"), line(3, "third"))
      const last = logs.last({ limit: 9, server: "one", since: 1 })
      expect((yield* last).map(({ replica, text }) => `${replica} ${text}`)).toEqual([
        "b first",
        "c second",
        "c third",
        "b fourth"
      ])
      expect(b.asked).toEqual(["GET /api/logs?server=one&limit=9&since=1 as ours"])
      c.answers.set("GET /api/logs", [404, { error: { code: "not_found", message: "there is no server one" } }])
      expect((yield* last).map(({ text }) => text)).toEqual(["first", "fourth"])
    }))

  it.scopedLive("[D8] are followed: no line is missed or comes twice, also of those that are written in one millisecond", () =>
    Effect.gen(function*() {
      const { b, c, logs, says } = yield* madeUp
      const found: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(logs.added, ({ replica, text }) => Effect.sync(() => found.push(`${replica} ${text}`)))
      )
      yield* Effect.yieldNow()
      says(b, line(5, "old"))
      says(c)
      yield* logs.look
      says(b, line(5, "old"), line(5, "same time"), line(6, "next"))
      says(c, line(5, "first"))
      yield* logs.look
      c.answers.set("GET /api/logs", [500, "no"])
      says(b, line(6, "next"), line(6, "once more"))
      yield* logs.look
      says(c, line(5, "first"), line(7, "while away"))
      says(b, line(6, "next"), line(6, "once more"))
      yield* logs.look
      const askedOf = ({ asked }: MadeUp.MadeUpReplica) => asked.map((one) => one.replace(/^[^?]*\?| as.*/g, ""))
      expect(askedOf(b)).toEqual(["limit=1", "limit=200&since=5", "limit=200&since=6", "limit=200&since=6"])
      // It did not answer the third time, and goes on from what it had said before.
      expect(askedOf(c)).toEqual(["limit=1", "limit=200&since=0", "limit=200&since=5", "limit=200&since=5"])
      yield* Effect.promise(async () => {
        while (found.length < 5) await new Promise((resolve) => setImmediate(resolve))
      })
      expect(found).toEqual(["b same time", "c first", "b next", "b once more", "c while away"])
      yield* logs.forget
      yield* logs.look
      expect(b.asked.at(-1)).toContain("?limit=1 ")
      expect(found.length).toBe(5)
    }))
})
