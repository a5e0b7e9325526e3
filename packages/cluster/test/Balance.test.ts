import { Simulation } from "@mcp-lifeline/testing"
import { Effect, Fiber } from "effect"
import { beforeEach, describe, expect, it } from "vitest"
import * as Balance from "../src/Balance.js"
import { type ClusterStore, StoreError } from "../src/ClusterStore.js"
import type { ReplicaId } from "../src/LeaseRules.js"
import { rank } from "../src/placement.js"
import * as MemoryStore from "../src/testing/MemoryStore.js"

const calm = 10_000
const renewal = 1000
/** How long its calls take to end, and how long then it takes to move. */
const [drainTime, moveTime] = [6000, 2000]

interface Move {
  readonly at: number
  readonly server: string
  readonly from: ReplicaId
}

let sim: Simulation.Simulation
let store: ClusterStore
let replicas: Array<ReplicaId>
let moves: Array<Move>
let calls: Map<string, number>
let unwanted: Set<string>
let isAway: boolean

beforeEach(() => {
  sim = new Simulation.Simulation({ seed: 1 })
  store = MemoryStore.make()
  replicas = []
  moves = []
  calls = new Map()
  unwanted = new Set()
  isAway = false
})

const run = <A, E>(work: Effect.Effect<A, E>): A => Effect.runSync(work)

const loads = (): ReadonlyMap<ReplicaId, number> => run(store.loads)

const start = (id: ReplicaId, servers: ReadonlyArray<string>, ofCalm = calm): Fiber.RuntimeFiber<never> => {
  run(store.join(id, `http://${id}`))
  replicas.push(id)
  for (const server of servers) run(store.claim(id, server))
  const held = { id, isHeld: () => true, lapsed: Effect.never }
  const wanted = (name: string) => ({
    name,
    isHere: () => run(store.find(name))?.owner === id,
    calls: Effect.sync(() => calls.get(name) ?? 0),
    handOver: Effect.gen(function*() {
      moves.push({ at: sim.now, server: name, from: id })
      yield* Effect.sleep(drainTime)
      const { generation } = (yield* store.find(name))!
      yield* store.release(id, name, generation)
      yield* Effect.sleep(moveTime)
      const others = unwanted.has(name) ? [] : replicas.filter((one) => one !== id)
      const next = others.find((one) => rank(name, one, others, loads()) === 0) ?? id
      yield* store.claim(next, name)
    }).pipe(Effect.orDie),
    stop: Effect.void
  })
  return sim.fork(Balance.run({
    store: {
      loads: Effect.suspend(() => isAway ? new StoreError({ message: "away" }) : store.loads),
      locks: store.locks
    },
    membership: {
      held: Effect.succeed(held),
      replicas: () =>
        replicas.map((id) => ({ id, address: `http://${id}`, renewals: 1, witnesses: [], hasEnded: false }))
    },
    servers: { [Symbol.iterator]: () => run(store.servers).map(({ server }) => wanted(server))[Symbol.iterator]() },
    renewal,
    calm: ofCalm
  }))
}

const six = ["one", "two", "three", "four", "five", "six"]

describe("servers of a cluster", () => {
  it("[D4] are balanced again, one after the other, when replicas have joined", () => {
    start("a", six)
    for (const id of ["b", "c"]) start(id, [])
    sim.advance(calm - 1)
    expect(moves).toEqual([])
    sim.advance(100_000)
    expect([...loads().values()]).toEqual([2, 2, 2])
    expect(moves.map(({ from }) => from)).toEqual(["a", "a", "a", "a"])
    const pauses = moves.map(({ at }, index) => at - (moves[index - 1]?.at ?? 0))
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(calm)
    sim.advance(600_000)
    expect(moves).toHaveLength(4)
  })

  it("[D4] move one at a time when two replicas have more than their share", () => {
    start("a", six)
    start("b", six.map((name) => `${name} more`))
    for (const id of ["c", "d"]) start(id, [])
    sim.advance(300_000)
    expect([...loads().values()]).toEqual([3, 3, 3, 3])
    const times = moves.map(({ at }) => at).toSorted((one, other) => one - other)
    const pauses = times.slice(1).map((at, index) => at - times[index]!)
    expect(Math.min(...pauses)).toBeGreaterThan(drainTime + moveTime)
    expect(new Set(moves.map(({ from }) => from))).toEqual(new Set(["a", "b"]))
  })

  it("[D4] stay while replicas come and go", () => {
    start("a", six)
    for (let times = 0; times < 20; times++) {
      const joined = start(`b${times}`, [])
      sim.advance(calm - 1000)
      run(Fiber.interruptFork(joined))
      replicas.pop()
      sim.advance(1)
    }
    expect(moves).toEqual([])
  })

  it("[D4] that are used the least move first", () => {
    for (const [index, name] of six.entries()) calls.set(name, index === 3 ? 0 : 10 - index)
    start("a", six)
    start("b", [])
    sim.advance(100_000)
    expect(moves.map(({ server }) => server)).toEqual(["four", "six", "five"])
  })

  it("[D4] that no other replica wants are not moved again and again", () => {
    unwanted = new Set(six)
    start("a", six)
    start("b", [])
    sim.advance(600_000)
    expect(moves.map(({ server }) => server).toSorted()).toEqual(six.toSorted())
    start("c", [])
    sim.advance(600_000)
    expect(moves).toHaveLength(12)
  })

  it("[D4] are balanced when the store is back", () => {
    start("a", six)
    start("b", [])
    isAway = true
    sim.advance(100_000)
    expect(moves).toEqual([])
    isAway = false
    sim.advance(100_000)
    expect([...loads().values()]).toEqual([3, 3])
  })

  it("[D4] never move if nothing is ever calm enough", () => {
    start("a", six, Number.POSITIVE_INFINITY)
    start("b", [])
    sim.advance(3_600_000)
    expect(moves).toEqual([])
  })
})
