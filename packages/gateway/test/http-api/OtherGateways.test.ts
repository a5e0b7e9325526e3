import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import * as OtherGateways from "../../src/http-api/OtherGateways.js"
import * as MadeUp from "../support/MadeUpReplica.js"

describe("the gateways of other replicas", () => {
  it.scoped("[D8] are asked with the secret of the cluster, and what they say is known from then on", () =>
    Effect.gen(function*() {
      const b = yield* MadeUp.make("b")
      b.answers.set("GET /api/status", [200, MadeUp.statusOf("b", [MadeUp.serverOf("one")])])
      let others = [b.name]
      const { last, look } = OtherGateways.make(MadeUp.gatewaysOf(() => others))
      expect(last()).toEqual([])
      yield* TestClock.adjust(7)
      const seen = [{
        replica: b.name,
        since: 7,
        problem: undefined,
        status: MadeUp.statusOf("b", [MadeUp.serverOf("one")])
      }]
      expect(yield* look).toEqual(seen)
      expect(b.asked).toEqual(["GET /api/status as ours"])
      yield* TestClock.adjust(5)
      expect(yield* look).toEqual(seen)
      others = []
      expect(last()).toEqual([])
      others = [b.name]
      expect(last()).toEqual([])
    }))

  it.scoped("[D8] that do not answer well are not reached: with the reason, since then, and with what they said before", () =>
    Effect.gen(function*() {
      const b = yield* MadeUp.make("b")
      b.answers.set("GET /api/status", [200, MadeUp.statusOf("b")])
      const c = { id: "c", address: "http://127.0.0.1:1" }
      const { look } = OtherGateways.make(MadeUp.gatewaysOf(() => [b.name, c]))
      expect(yield* look).toMatchObject([
        { since: 0, problem: undefined },
        { since: 0, problem: expect.stringMatching(/ECONNREFUSED|bad port/), status: undefined }
      ])
      yield* TestClock.adjust(10)
      for (
        const [answer, problem] of [
          [[403, "no"], "it answers with HTTP 403; does it have another key?"],
          [[500, "no"], "it answers with HTTP 500"],
          ["nonsense", "it answers like another version of mcp-lifeline"]
        ] as const
      ) {
        b.answers.set("GET /api/status", answer)
        expect((yield* look)[0]).toEqual({ replica: b.name, since: 10, problem, status: MadeUp.statusOf("b") })
        yield* TestClock.adjust(1)
      }
      b.answers.set("GET /api/status", [200, MadeUp.statusOf("b")])
      expect((yield* look)[0]).toMatchObject({ since: 13, problem: undefined })
    }))

  it.scoped("[D8] that say nothing keep nobody waiting for more than a second", () =>
    Effect.gen(function*() {
      const [b, c] = [yield* MadeUp.make("b"), yield* MadeUp.make("c")]
      b.answers.set("GET /api/status", "silence")
      c.answers.set("GET /api/status", [200, MadeUp.statusOf("c")])
      const { look } = OtherGateways.make(MadeUp.gatewaysOf(() => [b.name, c.name]))
      const looking = yield* Effect.fork(look)
      yield* Effect.promise(async () => {
        while (b.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
      })
      yield* TestClock.adjust(999)
      expect(yield* Fiber.poll(looking)).toMatchObject({ _tag: "None" })
      yield* TestClock.adjust(1)
      const [first] = yield* Fiber.join(looking)
      expect(first).toMatchObject({ problem: "no answer within 1 s", status: undefined })
    }))

  it.scoped.each([301, 302, 303, 307, 308])(
    "[D8 D13 X2] that answer with %d lead nowhere else: no question, and no proof of the cluster, goes to another address",
    (status) =>
      Effect.gen(function*() {
        const [b, elsewhere] = [yield* MadeUp.make("b"), yield* MadeUp.make("elsewhere")]
        const gateways = MadeUp.gatewaysOf(() => [b.name])
        const { ask, look } = OtherGateways.make(gateways)
        const path = { name: "one" }
        const doors: Record<string, Effect.Effect<unknown, unknown>> = {
          "GET /api/status": look,
          "GET /api/logs": ask(b.name, ({ gateway }) => gateway.logs({ urlParams: { limit: 1 } })),
          "GET /api/servers/one": ask(b.name, ({ servers }) => servers.server({ path })),
          "POST /api/servers/one/reconnect": ask(b.name, ({ servers }) => servers.reconnect({ path })),
          "POST /api/servers/one/disable": ask(b.name, ({ servers }) => servers.disable({ path }))
        }
        for (const [door, question] of Object.entries(doors)) {
          const [, target] = door.split(" ")
          b.answers.set(door, [status, {}, { location: `${elsewhere.name.address}${MadeUp.prefix}${target}` }])
          elsewhere.answers.set(door, [200, MadeUp.statusOf("elsewhere")])
          const answer = yield* Effect.either(question)
          if (question === look) expect(answer).toMatchObject({ right: [{ problem: expect.any(String) }] })
          else expect(answer).toMatchObject({ left: { _tag: "NotReached", problem: expect.any(String) } })
        }
        expect(b.asked).toHaveLength(5)
        expect(elsewhere.asked).toEqual([])
      })
  )

  it.scoped("[D8] are known by their ids: one that is back at its address, or another there, has said nothing yet", () =>
    Effect.gen(function*() {
      const b = yield* MadeUp.make("b")
      b.answers.set("GET /api/status", [200, MadeUp.statusOf("b")])
      const other = { ...b.name, id: "b2" }
      let others = [b.name]
      const { last, look } = OtherGateways.make(MadeUp.gatewaysOf(() => others))
      yield* TestClock.adjust(5)
      yield* look
      others = [other]
      expect(last()).toEqual([])
      yield* TestClock.adjust(5)
      b.answers.set("GET /api/status", [500, "no"])
      expect(yield* look).toEqual([{
        replica: other,
        since: 10,
        problem: "it answers with HTTP 500",
        status: undefined
      }])
      yield* TestClock.adjust(5)
      b.answers.set("GET /api/status", "nonsense")
      expect(yield* look).toMatchObject([{ since: 10, problem: "it answers like another version of mcp-lifeline" }])
    }))
})
