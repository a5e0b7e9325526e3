import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { ServerPool } from "mcp-lifeline"
import { folder } from "../../../testing/test/support/folder.js"
import type { Replica } from "../../src/replica/Replica.js"
import { describe, expect, test } from "../support/vitest.js"

let replicas = 0

const replicaWith = (state: StateFolder.StateFolder["Type"]): Replica => {
  const name = { id: `r${++replicas}`, address: `http://r${replicas}` }
  return {
    state,
    gateways: { own: () => name, others: () => [] } as Partial<Replica["gateways"]> as Replica["gateways"],
    own: (connector) => connector,
    shared: ({ local }) => Effect.succeed(local)
  } as Partial<Replica> as Replica
}

const server = (disabled = false): ServerPool.Server => ({
  id: "one, or another",
  connector: ScriptedConnector.make(),
  keepalive: { method: "none" },
  lifecycle: { disabled }
})

const start = Effect.fnUntraced(function*(path: string, disabled = false) {
  const own = server(disabled)
  const pool = yield* ServerPool.make([own], { replica: replicaWith(StateFolder.make(path)) })
  const state = Effect.flatMap(Effect.orDie(pool.shared.fleet.backend(own.id)), ({ status }) => status).pipe(
    Effect.map(({ state }) => state)
  )
  const until = (wanted: string) => Effect.repeat(Effect.delay(state, "20 millis"), { until: (one) => one === wanted })
  return { own, pool, state, until }
})

describe("servers that somebody disables in a cluster", () => {
  test.scopedLive("[D7][D8] are disabled on all replicas, and on those that start later, until somebody enables them", function*() {
    const path = yield* folder
    const [a, b] = [yield* start(path), yield* start(path)]
    yield* a.until("Connected")
    yield* b.until("Connected")
    expect(yield* a.pool.switchAll(a.own, true)).toBe(true)
    yield* a.until("Disabled")
    yield* b.until("Disabled")
    expect([a, b].map(({ own, pool }) => pool.isOff(own))).toEqual([true, true])
    const c = yield* start(path)
    expect([yield* c.state, c.pool.isOff(c.own)]).toEqual(["Disabled", true])
    yield* b.pool.switchAll(b.own, false)
    for (const one of [a, b, c]) yield* one.until("Connected")
  })

  test.scopedLive("[D7][D8] are what the file says again once that has changed", function*() {
    const path = yield* folder
    const a = yield* start(path, true)
    yield* a.pool.switchAll(a.own, false)
    yield* a.until("Connected")
    const [same, other] = [yield* start(path, true), yield* start(path)]
    expect(same.pool.isOff(same.own)).toBe(false)
    yield* other.pool.switchAll(other.own, true)
    yield* other.until("Disabled")
    expect(a.pool.isOff(server(true))).toBe(true)
    expect(other.pool.isOff(server(true))).toBe(true)
  })
})
