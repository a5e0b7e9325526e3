import { Effect, Either, Fiber, TestClock } from "effect"
import { GatewayStatus, ServerDetails } from "../../src/http-api/GatewayStatus.js"
import * as OtherGateways from "../../src/http-api/OtherGateways.js"
import * as MadeUp from "../support/MadeUpReplica.js"
import { describe, expect, test } from "../support/vitest.js"

const make = (others: () => ReadonlyArray<MadeUp.MadeUpReplica["name"]>) => {
  const gateways = OtherGateways.make(MadeUp.gatewaysOf(others))
  return { ...gateways, seen: Effect.map(gateways.look, gateways.last) }
}

describe("the gateways of other replicas", () => {
  test.scoped("[D8] are asked with a proof of the cluster, all at once, and what they say is known from then on", function*() {
    const b = yield* MadeUp.make("b")
    const status = MadeUp.statusOf("b", [MadeUp.serverOf("one")])
    b.answers.set("GET /api/status", [200, status])
    let others = [b.name]
    const { last, seen } = make(() => others)
    expect(last()).toEqual([])
    yield* TestClock.adjust(7)
    const expected = [{ replica: b.name, since: 7, said: Either.right(status) }]
    expect(yield* seen).toEqual(expected)
    expect(b.asked).toEqual(["GET /api/status as ours"])
    yield* TestClock.adjust(5)
    expect(yield* seen).toEqual(expected)
    others = []
    expect(last()).toEqual([])
  })

  test.scoped("[D8] that do not answer well are not reached: with the reason, and since when", function*() {
    const b = yield* MadeUp.make("b")
    b.answers.set("GET /api/status", [200, MadeUp.statusOf("b")])
    const c = { id: "c", address: "http://127.0.0.1:1" }
    const { seen } = make(() => [b.name, c])
    expect(yield* seen).toMatchObject([
      { since: 0, said: { _tag: "Right" } },
      { since: 0, said: { left: expect.stringMatching(/ECONNREFUSED|bad port/) } }
    ])
    yield* TestClock.adjust(10)
    const cases = [
      [[403, "no"], "it answers with HTTP 403; does it have another key?"],
      [[500, "no"], "it answers with HTTP 500"],
      ["nonsense", "it answers like another version of mcp-lifeline"]
    ] as const
    for (const [answer, problem] of cases) {
      b.answers.set("GET /api/status", answer)
      expect((yield* seen)[0]).toEqual({ replica: b.name, since: 10, said: Either.left(problem) })
      yield* TestClock.adjust(1)
    }
    b.answers.set("GET /api/status", [200, MadeUp.statusOf("b")])
    expect((yield* seen)[0]).toMatchObject({ since: 13, said: { _tag: "Right" } })
  })

  test.scoped("[D8] that say nothing keep nobody waiting for more than a second", function*() {
    const [b, c] = [yield* MadeUp.make("b"), yield* MadeUp.make("c")]
    b.answers.set("GET /api/status", "silence")
    c.answers.set("GET /api/status", [200, MadeUp.statusOf("c")])
    const { seen } = make(() => [b.name, c.name])
    const looking = yield* Effect.fork(seen)
    yield* Effect.promise(async () => {
      while (b.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    })
    yield* TestClock.adjust(999)
    expect(yield* Fiber.poll(looking)).toMatchObject({ _tag: "None" })
    yield* TestClock.adjust(1)
    const [first] = yield* Fiber.join(looking)
    expect(first?.said).toEqual(Either.left("no answer within 1 s"))
  })

  test.scoped.each([301, 302, 303, 307, 308])(
    "[D8 D13 X2] that answer with %d lead nowhere else: no question, and no proof of the cluster, goes to another address",
    function*(status) {
      const [b, elsewhere] = [yield* MadeUp.make("b"), yield* MadeUp.make("elsewhere")]
      const { command, read } = make(() => [b.name])
      const [details, reconnect] = ["/api/servers/one", "/api/servers/one/reconnect"]
      const doors: Record<string, Effect.Effect<unknown, unknown>> = {
        "GET /api/status": read(b.name, "/api/status", GatewayStatus),
        [`GET ${details}`]: read(b.name, details, ServerDetails),
        [`POST ${reconnect}`]: command(b.name, reconnect, ServerDetails)
      }
      for (const [door, question] of Object.entries(doors)) {
        const [, target] = door.split(" ")
        b.answers.set(door, [status, {}, { location: `${elsewhere.name.address}${MadeUp.prefix}${target}` }])
        elsewhere.answers.set(door, [200, MadeUp.statusOf("elsewhere")])
        expect(yield* Effect.flip(question)).toMatch(/redirect/)
      }
      expect(b.asked).toHaveLength(3)
      expect(elsewhere.asked).toEqual([])
    }
  )

  test.scoped("[D8] are known by their ids: one that is back at its address, or another there, has said nothing yet", function*() {
    const b = yield* MadeUp.make("b")
    b.answers.set("GET /api/status", [200, MadeUp.statusOf("b")])
    const other = { ...b.name, id: "b2" }
    let others = [b.name]
    const { last, seen } = make(() => others)
    yield* TestClock.adjust(5)
    yield* seen
    others = [other]
    expect(last()).toEqual([])
    yield* TestClock.adjust(5)
    b.answers.set("GET /api/status", [500, "no"])
    expect(yield* seen).toEqual([{ replica: other, since: 10, said: Either.left("it answers with HTTP 500") }])
  })
})
