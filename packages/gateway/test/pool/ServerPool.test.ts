import type { Connector } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { ServerPool } from "mcp-lifeline"
import { member } from "../support/member.js"
import { describe, expect, test } from "../support/vitest.js"

const keepalive = { method: "none" } as const

const make = Effect.fnUntraced(function*(servers: ReadonlyArray<ServerPool.Server>, clients: ReadonlyArray<string>) {
  const pool = yield* ServerPool.make(servers)
  const joined = clients.map((name) => pool.join(member(name)))
  for (const one of joined) yield* one.need() ?? Effect.void
  yield* pool.shared.ready
  const states = (server: string) =>
    Effect.flatMap(pool.backends(server), Effect.forEach((backend) => Effect.map(backend.status, ({ state }) => state)))
  return { joined, pool, states }
})

type Made = (id: string, connector?: Connector, options?: Partial<ServerPool.Server>) => ServerPool.Server

const shared: Made = (id, connector = ScriptedConnector.make(), options = {}) => ({
  id,
  connector,
  keepalive,
  ...options
})

const own: Made = (id, connector, options = {}) => shared(id, connector, { ...options, sessions: "per-client" })

describe("the pool of servers", () => {
  test.scopedLive("[G15] has one backend of a server for all clients, or one for each that needs it", function*() {
    const { joined, states } = yield* make([shared("s"), own("o")], ["anna", "ben"])
    expect([yield* states("s"), yield* states("o"), yield* states("none")])
      .toEqual([["Connected"], ["Connected", "Connected"], []])
    yield* joined[0]!.close
    expect(yield* states("o")).toEqual(["Connected"])
  })

  test.scopedLive("[G5] says what a configuration has changed, also where a server is shared no more, or from now on", function*() {
    const [a, b, c] = [shared("a"), shared("b"), own("c")]
    const { pool, states } = yield* make([a, b, c], ["anna"])
    const [b2, c2] = [own("b", b.connector), shared("c", c.connector)]
    expect(yield* pool.apply([a, b2, c2, own("d")]))
      .toEqual({ started: ["d"], stopped: [], replaced: ["b", "c"], kept: [] })
    expect(pool.servers().map(({ id }) => id)).toEqual(["a", "b", "c", "d"])
    // The client's own servers follow by themselves.
    yield* Effect.repeat(Effect.delay(states("b"), "5 millis"), { until: ([state]) => state === "Connected" })
    expect(yield* states("c")).toEqual(["Connected"])
    expect(yield* pool.apply([a])).toEqual({ started: [], stopped: ["b", "c", "d"], replaced: [], kept: [] })
  })

  test.scopedLive("[G5] goes on with the configuration before where a new one is refused", function*() {
    const connector = ScriptedConnector.make()
    const a = shared("a", connector)
    const { pool, states } = yield* make([a], [])
    const refused = pool.apply([shared("a", connector, { timeouts: { wait: "no time" as never } }), shared("b")])
    expect(yield* Effect.flip(refused)).toMatchObject({ _tag: "InvalidOptions" })
    expect([pool.servers(), yield* states("a"), yield* states("b")]).toEqual([[a], ["Connected"], []])
    expect(yield* pool.apply([a])).toEqual({ started: [], stopped: [], replaced: [], kept: [] })
    expect(connector.connections).toHaveLength(1)
  })

  test.scopedLive("[G5] replaces a server once, also where the next save comes before its successor is connected", function*() {
    for (const kind of [shared, own]) {
      const { pool, states } = yield* make([kind("a")], ["anna"])
      const slow = ScriptedConnector.make()
      let attempts = 0
      const connect: Connector["connect"] = (options) => {
        attempts++
        return Effect.delay(slow.connect(options), "100 millis")
      }
      const next = kind("a", { ...slow, connect })
      yield* pool.apply([next]).pipe(Effect.zip(pool.apply([next, kind("b")]), { concurrent: true }))
      yield* Effect.repeat(Effect.delay(states("b"), "5 millis"), { until: ([state]) => state === "Connected" })
      expect(attempts).toBe(1)
    }
  })

  test.scopedLive("[G15] [G16] a server that was switched is so for clients to come, until it is configured otherwise", function*() {
    const o = own("o")
    const { joined: [anna], pool, states } = yield* make([o], ["anna"])
    yield* pool.switch(o, true)
    expect([pool.isOff(o), yield* states("o")]).toEqual([true, ["Connected"]])
    const ben = pool.join(member("ben"))
    yield* ben.need() ?? Effect.void
    expect(yield* states("o")).toEqual(["Connected", "Disabled"])
    const other = own("o", o.connector, { reconnect: { initialDelay: 20 } })
    expect([pool.isOff(other), pool.switched(other)]).toEqual([false, undefined])
    yield* anna!.close
    yield* pool.apply([other])
    yield* Effect.repeat(Effect.delay(states("o"), "5 millis"), { until: ([state]) => state === "Connected" })
  })

  test.scopedLive("[A1] a server to which a person has signed in is connected for all who hold it", function*() {
    for (const kind of [shared, own]) {
      const connector = ScriptedConnector.make()
      connector.otherwise = { connect: "fail", error: { permanent: true, message: "sign in" } }
      const { pool, states } = yield* make([kind("o", connector)], ["anna", "ben"])
      expect(new Set(yield* states("o"))).toEqual(new Set(["PermanentlyFailed"]))
      connector.otherwise = {}
      yield* pool.signedIn("o")
      expect(new Set(yield* states("o"))).toEqual(new Set(["Connected"]))
      yield* pool.signedIn("nobody")
    }
  })
})
