import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, TestClock } from "effect"
import { ServerPool } from "mcp-lifeline"
import { setImmediate as turn } from "node:timers/promises"
import * as AccessControl from "../../src/access/AccessControl.js"
import { CallRates } from "../../src/access/CallRates.js"
import * as ClusterOperations from "../../src/http-api/ClusterOperations.js"
import * as Gateway from "../../src/http-api/Gateway.js"
import * as MadeUp from "../support/MadeUpReplica.js"
import { describe, expect, test } from "../support/vitest.js"

/** A replica with two servers, and two made-up ones beside it, of which `b` has the server `one`. */
const cluster = Effect.gen(function*() {
  const [b, c] = [yield* MadeUp.make("b"), yield* MadeUp.make("c")]
  const one = MadeUp.serverOf("one", { owner: { replica: "b", since: 1 }, generation: 5 })
  b.answers.set("GET /api/status", [200, MadeUp.statusOf("b", [one, MadeUp.serverOf("each")])])
  c.answers.set("GET /api/status", [200, MadeUp.statusOf("c", [MadeUp.serverOf("one"), MadeUp.serverOf("each")])])
  for (const { answers } of [b, c]) {
    for (const name of ["one", "each"]) {
      for (const action of ["reconnect", "enable", "disable"]) {
        answers.set(`POST /api/servers/${name}/${action}`, [200, name === "one" ? one : MadeUp.serverOf(name)])
      }
    }
  }
  const configured = (id: string) => ({
    id,
    connector: ScriptedConnector.make(),
    keepalive: { method: "none" as const }
  })
  const pool = yield* ServerPool.make([configured("one"), configured("each")])
  yield* pool.shared.fleet.ready
  const kept: Array<string> = []
  const store = { isThere: true }
  const servers: ServerPool.ServerPool = {
    ...pool,
    switchAll: ({ id }, isOff) =>
      Effect.sync(() => {
        kept.push(`${id} ${isOff ? "off" : "on"}`)
        return store.isThere
      })
  }
  const others = [b.name, c.name]
  const gateways = MadeUp.gatewaysOf(() => others)
  const operations = yield* ClusterOperations.make({
    ...(yield* Gateway.about(servers)),
    servers,
    rules: AccessControl.open,
    rates: new CallRates(yield* Effect.clock),
    replicas: gateways,
    url: "http://127.0.0.1:1/mcp",
    clients: Effect.succeed(0),
    isReady: Effect.succeed(true)
  }, gateways)
  const generation = (name: string) =>
    Effect.flatMap(
      Effect.orDie(pool.shared.fleet.backend(name)),
      ({ status }) => Effect.map(status, ({ generation }) => generation)
    )
  const commands = () =>
    [b, c].flatMap(({ asked, name: { id } }) =>
      asked.filter((one) => one.startsWith("POST")).map((one) =>
        `${id} ${one.replace(/^POST \/api\/servers\/| as ours$/g, "")}`
      )
    )
  return { b, c, commands, generation, kept, operations, others, store }
})

describe("details in a cluster", () => {
  test.scopedLive("[D8 G24] what has changed in the tools of a server is shown in full, as its owner says it", function*() {
    const { b, operations } = yield* cluster
    const pinned = (...difference: ReadonlyArray<string>) =>
      MadeUp.serverOf("one", {
        owner: { replica: "b", since: 1 },
        pins: { mode: "block", changes: [{ tool: "read", kind: "changed", since: 1, withheld: true, difference }] }
      })
    b.answers.set("GET /api/status", [200, MadeUp.statusOf("b", [pinned("in short")])])
    b.answers.set("GET /api/servers/one", [200, pinned("in full")])
    const shown = Effect.map(operations.server("one"), ({ pins }) => pins?.changes[0]?.difference)
    expect(yield* shown).toEqual(["in full"])
    b.answers.delete("GET /api/servers/one")
    expect(yield* shown).toEqual(["in short"])
  })
})

describe("commands in a cluster", () => {
  test.scopedLive("[D8] a reconnect is carried out by the owner alone, and its failure is passed on with its place", function*() {
    const { b, commands, generation, operations } = yield* cluster
    expect(yield* operations.reconnect("one")).toMatchObject({ name: "one", generation: 5, owner: { replica: "b" } })
    expect([commands(), yield* generation("one")]).toEqual([["b one/reconnect"], 1])
    b.answers.set("POST /api/servers/one/reconnect", [502, { error: { code: "timeout", message: "too slow" } }])
    expect(yield* Effect.flip(operations.reconnect("one")))
      .toEqual({ error: { code: "timeout", message: `on the replica b at ${b.name.address}: too slow` } })
    expect(yield* Effect.flip(operations.reconnect("two"))).toMatchObject({ error: { code: "not_found" } })
  })

  test.scopedLive("[D8] a reconnect also helps replicas that cannot use the server where it runs", function*() {
    const { c, commands, operations } = yield* cluster
    const stuck = MadeUp.serverOf("one", { state: "PermanentlyFailed" })
    c.answers.set("GET /api/status", [200, MadeUp.statusOf("c", [stuck])])
    yield* operations.reconnect("one")
    expect(commands()).toEqual(["b one/reconnect", "c one/reconnect"])
  })

  test.scopedLive("[D8] a server that runs on each replica is reconnected on each", function*() {
    const { commands, generation, operations } = yield* cluster
    expect(yield* operations.reconnect("each")).toMatchObject({ name: "each", state: "Connected" })
    expect([commands(), yield* generation("each")]).toEqual([["b each/reconnect", "c each/reconnect"], 2])
  })

  test.scopedLive("[D8] a server is disabled on all, and kept so for those that are not reached; who cannot learn of it is named", function*() {
    const { b, c, commands, kept, operations, others, store } = yield* cluster
    c.answers.set("GET /api/status", [500, "no"])
    yield* operations.disable("one")
    expect([commands(), kept]).toEqual([["b one/disable"], ["one off"]])
    store.isThere = false
    const { error: { code, message } } = yield* Effect.flip(operations.enable("each"))
    expect([code, message]).toEqual([
      "unavailable",
      `1 of 3 replicas failed: on the replica c at ${c.name.address}, which is not reached: it answers with HTTP 500`
    ])
    expect(kept).toEqual(["one off", "each on"])
    expect(commands()).toEqual(["b one/disable", "b each/enable"])
    // Its file may be another one.
    others.pop()
    b.answers.set("POST /api/servers/each/disable", [404, { error: { code: "not_found", message: "there is none" } }])
    b.answers.set("GET /api/status", [200, MadeUp.statusOf("b")])
    expect(yield* operations.disable("each")).toMatchObject({ state: "Disabled" })
  })

  test.scopedLive("[D8] a command does not wait for a replica that has gone", function*() {
    const { b, operations, others } = yield* cluster
    b.answers.set("POST /api/servers/one/reconnect", "silence")
    const gone = Effect.promise(async () => {
      while (!b.asked.some((one) => one.startsWith("POST"))) await new Promise((resolve) => setImmediate(resolve))
      others.shift()
    })
    const [failure] = yield* Effect.all([Effect.flip(operations.reconnect("one")), gone], { concurrency: 2 })
    expect(failure.error.message).toMatch(/^on the replica b at .*: it has gone/)
  })
})

describe("whoever follows a cluster", () => {
  test.scoped("[D8] has the others asked at once, and then two seconds after each answer, for as long as somebody follows, also the second time", function*() {
    const { b, operations } = yield* cluster
    const asked = () => b.asked.filter((one) => one.startsWith("GET /api/status")).length
    /** Until the next question waits for its time, or nothing does. */
    const settled = Effect.fnUntraced(function*(count: number) {
      yield* Effect.promise(() => expect.poll(asked).toBe(count))
      for (let turns = 0; turns < 100; turns++) yield* Effect.promise(() => turn())
    })
    for (const before of [0, 2]) {
      yield* Effect.scoped(Effect.gen(function*() {
        yield* operations.follow
        yield* settled(before + 1)
        yield* Effect.scoped(operations.follow)
        yield* TestClock.adjust(1999)
        yield* settled(before + 1)
        yield* TestClock.adjust(1)
        yield* settled(before + 2)
      }))
      yield* TestClock.adjust("1 minute")
      yield* settled(before + 2)
    }
  })
})
