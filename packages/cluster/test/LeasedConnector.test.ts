import { Backend, Sending } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Scope } from "effect"
import { beforeEach, describe, expect, it } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import type { ClusterStore } from "../src/ClusterStore.js"
import * as LeasedConnector from "../src/LeasedConnector.js"
import * as Membership from "../src/Membership.js"
import { PeerError } from "../src/Peers.js"
import { defaults as terms } from "../src/Terms.js"
import * as MemoryStore from "../src/testing/MemoryStore.js"

// What still closes at the end of a test waits for virtual time, which nobody moves any more.
beforeEach(() => mayLeave("connections"))

const noPeer = () => Effect.fail(new PeerError({ message: "there are no ways between them" }))

let sim: Simulation.Simulation
let store: ClusterStore
let process: Scope.CloseableScope
let local: ScriptedConnector.ScriptedConnector
let membership: Membership.Membership
let connector: LeasedConnector.LeasedConnector
let isAway: boolean
let seen: Array<string>

const run = <A, E>(work: Effect.Effect<A, E, Scope.Scope>, millis = 0): A => {
  const fiber = sim.fork(Scope.extend(work, process))
  sim.advance(millis)
  const exit = Effect.runSync(Fiber.poll(fiber))
  if (exit._tag === "Some" && Exit.isSuccess(exit.value)) return exit.value.value
  throw new Error(`it has no result: ${JSON.stringify(exit)}`)
}

beforeEach(() => {
  sim = new Simulation.Simulation({ seed: 1 })
  process = Effect.runSync(Scope.make())
  local = new ScriptedConnector.ScriptedConnector({ overlap: false })
  isAway = false
  seen = []
  store = MemoryStore.make()
  membership = run(Membership.make({
    store: { ...store, renew: (...given) => Effect.suspend(() => isAway ? Effect.never : store.renew(...given)) },
    peers: { promise: noPeer, consent: noPeer },
    terms,
    address: "",
    now: () => sim.now,
    watch: () => {}
  }))
  connector = LeasedConnector.make({
    membership,
    local: {
      ...local,
      connect: (options) => Effect.map(local.connect(options), (one) => ({ ...one, peer: { pid: 7 } }))
    },
    watchdog: {
      group: (pid) => void seen.push(`watch ${pid}`),
      gone: (pid) => void seen.push(`gone ${pid} ${local.current.state}`)
    }
  })
})

const toLapse = terms.lease - terms.margin

describe("a server that belongs to one replica", () => {
  it("[D1][D6] ends with the replica's lease, and is started again when the replica has one", () => {
    local.otherwise = { close: 2000 }
    const backend = run(Backend.make("own", { connector }), 500)
    expect(seen).toEqual(["watch 7"])
    isAway = true
    sim.advance(toLapse)
    expect(run(backend.isConnected)).toBe(false)
    expect(local.connections).toHaveLength(1)
    sim.advance(3000)
    expect(seen).toEqual(["watch 7", "gone 7 closed"])
    sim.advance(60_000)
    expect(local.connections).toHaveLength(1)
    isAway = false
    // The backend tries again from time to time.
    sim.advance(60_000)
    expect(run(backend.isConnected)).toBe(true)
    expect(local.connections).toHaveLength(2)
    expect(seen).toEqual(["watch 7", "gone 7 closed", "watch 7"])
  })

  it("[D1] is not started before the one that ran before has ended", () => {
    local.otherwise = { close: 10_000 }
    const first = Effect.runSync(Scope.make())
    run(Scope.extend(connector.connect({ report: () => {} }), first), 100)
    sim.fork(Scope.close(first, Exit.void))
    const second = sim.fork(Scope.extend(connector.connect({ report: () => {} }), process))
    sim.advance(9000)
    expect(local.connections).toHaveLength(1)
    sim.advance(1500)
    expect(local.connections).toHaveLength(2)
    expect(Exit.isSuccess(run(Fiber.await(second)))).toBe(true)
  })

  it("[D1][D6] keeps the lease from being given back while it has not ended", () => {
    local.otherwise = { close: 10_000 }
    const scope = Effect.runSync(Scope.make())
    run(Scope.extend(connector.connect({ report: () => {} }), scope), 100)
    sim.fork(Effect.zipRight(Scope.close(scope, Exit.void).pipe(Effect.fork), Scope.close(process, Exit.void)))
    sim.advance(1000)
    expect(Effect.runSync(store.renew("", [])).replicas).toMatchObject([{ hasEnded: false }])
  })

  it("[D2][D6] gets nothing after the lease has ended, even before its connection has", () => {
    const connection = run(connector.connect({ report: () => {} }), 100)
    isAway = true
    // The process was stopped, and goes on before any timer has.
    sim.suspend(toLapse)
    const request = Sending.ask(connection, "tools/call", { name: "echo" }, { timeout: 1000 })
    expect(run(Effect.flip(request))).toMatchObject({ fate: "notSent", reason: "lost" })
    expect(run(Effect.flip(connection.notify("notifications/cancelled")))).toMatchObject({ fate: "notSent" })
    expect(run(Effect.flip(connection.heartbeat!({ authenticated: true })))).toMatchObject({ fate: "notSent" })
    expect(local.ledger.sent("tools/call")).toHaveLength(0)
  })
})
