import { describe, expect, it } from "vitest"
import { type Terms, termsOf } from "../src/Terms.js"
import { terms, World } from "./model/World.js"

/** Three replicas, the first of which runs the server. */
const cluster = (decided?: Terms): World => {
  const world = new World(1, decided)
  for (let i = 0; i < 3; i++) world.start()
  world.sim.advance(5000)
  expect(world.runs()).toEqual(["r0"])
  return world
}

const cutOff = (world: World, cut: string): void => {
  for (const node of world.nodes) {
    if (node.name === cut) node.toStore.fate = "lost"
    for (const to of world.nodes) {
      if ((node.name === cut) !== (to.name === cut)) node.toPeers.set(to.name, { fate: "lost" })
    }
  }
}

describe("a replica", () => {
  it("[D4] that was killed is replaced within its lease and a second", () => {
    const world = cluster()
    const killed = world.sim.now
    world.kill(world.nodes[0]!)
    world.sim.advance(terms.lease + 1000)
    expect(world.runs()).toHaveLength(1)
    expect(world.starts).toHaveLength(2)
    expect(world.starts[1]!.at).toBeGreaterThan(killed + terms.lease - terms.renewal)
    expect(world.violations).toEqual([])
  })

  it("[D1] that is stopped for longer than its lease has no server when it goes on", () => {
    const world = cluster()
    const node = world.nodes[0]!
    node.isStopped = true
    world.sim.advance(15_000)
    const runs = world.runs()
    expect(runs).toHaveLength(1)
    expect(runs).not.toContain("r0")
    node.goOn()
    world.sim.advance(15_000)
    expect(world.runs()).toEqual(runs)
    expect(world.starts).toHaveLength(2)
    expect(world.violations).toEqual([])
  })

  it("[D5] keeps its server while the database is away", () => {
    const world = cluster()
    for (const node of world.nodes) node.toStore.fate = "refused"
    world.sim.advance(terms.withoutStore - 6000)
    expect(world.runs()).toEqual(["r0"])
    for (const node of world.nodes) node.toStore.fate = "ok"
    world.sim.advance(30_000)
    expect(world.runs()).toEqual(["r0"])
    expect(world.starts).toHaveLength(1)
  })

  it("[D5] keeps its server while it alone does not reach the database", () => {
    const world = cluster()
    world.nodes[0]!.toStore.fate = "lost"
    world.sim.advance(terms.withoutStore - 6000)
    expect(world.runs()).toEqual(["r0"])
    expect(world.starts).toHaveLength(1)
  })

  it("[D5] ends its server in time when it does not reach the database any more, and starts it again when it is back", () => {
    const world = cluster()
    const away = world.sim.now
    for (const node of world.nodes) node.toStore.fate = "lost"
    world.sim.advance(2 * terms.withoutStore)
    expect(world.runs()).toEqual([])
    expect(world.nodes[0]!.watched).toBeLessThan(away + terms.withoutStore)
    for (const node of world.nodes) node.toStore.fate = "ok"
    world.sim.advance(5000)
    expect(world.runs()).toHaveLength(1)
    expect(world.violations).toEqual([])
  })

  it("[D5][D6] that is alone ends its server before its lease ends, and starts it again when the database is back", () => {
    const world = new World(1)
    world.start()
    world.sim.advance(5000)
    const away = world.sim.now
    world.nodes[0]!.toStore.fate = "refused"
    world.sim.advance(terms.lease - 1000)
    expect(world.runs()).toEqual([])
    expect(world.nodes[0]!.watched).toBeLessThanOrEqual(away + terms.lease - terms.margin)
    world.nodes[0]!.toStore.fate = "ok"
    world.sim.advance(3000)
    expect(world.runs()).toEqual(["r0"])
  })

  it.each(
    [
      ["without a watchdog", false],
      ["with a watchdog that answers nothing", "hangs"]
    ] as const
  )("[D12][D1][D4] %s does not renew its lease, and has one again with another watchdog", (_, watchdog) => {
    const world = cluster()
    const node = world.nodes[0]!
    world.setWatchdog(node, watchdog)
    world.sim.advance(terms.lease - 1000)
    expect(world.runs()).toEqual([])
    world.sim.advance(2 * terms.renewal)
    const runs = world.runs()
    expect(runs).toHaveLength(1)
    expect(runs).not.toContain("r0")
    for (const other of world.nodes.slice(1)) world.leave(other)
    world.setWatchdog(node, true)
    world.sim.advance(terms.lease + 3 * terms.renewal)
    expect(world.runs()).toEqual(["r0"])
    expect(world.violations).toEqual([])
  })

  it("[D4] keeps its server when there is another watchdog soon", () => {
    const world = cluster()
    world.setWatchdog(world.nodes[0]!, false)
    world.sim.advance(2 * terms.renewal)
    world.setWatchdog(world.nodes[0]!, true)
    world.sim.advance(30_000)
    expect(world.runs()).toEqual(["r0"])
    expect(world.starts).toHaveLength(1)
  })

  it("[D6] that is cut off ends its server before another one starts it", () => {
    const world = cluster()
    const cut = world.sim.now
    cutOff(world, "r0")
    world.sim.advance(terms.lease + 1000)
    const runs = world.runs()
    expect(runs).toHaveLength(1)
    expect(runs).not.toContain("r0")
    expect(world.nodes[0]!.watched).toBeLessThanOrEqual(cut + terms.lease - terms.margin)
    world.sim.advance(30_000)
    for (const node of world.nodes) {
      node.toStore.fate = "ok"
      node.toPeers.clear()
    }
    world.sim.advance(30_000)
    expect(world.runs()).toEqual(runs)
    expect(world.violations).toEqual([])
  })

  it("[D1] that joins meanwhile waits for those who may have promised something", () => {
    const world = cluster()
    // The first goes on by the promises of the others, of which the newcomer knows nothing.
    for (const node of world.nodes) node.toStore.fate = "lost"
    world.start()
    const newcomer = world.nodes[3]!
    for (const { name } of world.nodes) newcomer.toPeers.set(name, { fate: "lost" })
    world.sim.advance(terms.withoutStore - 6000)
    expect(world.runs()).toEqual(["r0"])
    expect(world.starts).toHaveLength(1)
    for (const { name } of world.nodes) world.nodes[0]!.toPeers.set(name, { fate: "lost" })
    world.sim.advance(2 * terms.withoutStore + 2 * terms.lease)
    expect(world.runs()).toEqual(["r3"])
    expect(world.violations).toEqual([])
  })

  it.each([0, 1000, 60_000])(
    "[D1 D5] that starts after all were killed waits for the time without the store, and for a lease: %i ms",
    (withoutStore) => {
      const world = cluster(termsOf({ lease: 4000, withoutStore }))
      for (const node of world.nodes) world.kill(node)
      world.start()
      world.sim.advance(4000 + withoutStore - 100)
      expect(world.runs()).toEqual([])
      world.sim.advance(1200)
      expect(world.runs()).toEqual(["r3"])
      expect(world.violations).toEqual([])
    }
  )

  it("[D5] that has a longer lease waits longer for a slow database", () => {
    const runsWith = (lease: number) => {
      const world = cluster(termsOf({ lease }))
      for (const node of world.nodes) {
        node.toStore.fate = { after: 2500 }
        for (const { name } of world.nodes) node.toPeers.set(name, { fate: "lost" })
      }
      world.sim.advance(5 * lease)
      return world.runs()
    }
    expect(runsWith(6000)).toEqual([])
    expect(runsWith(18_000)).toEqual(["r0"])
  })

  it.each([0, 10_000])(
    "[D5] that has a shorter time without the store ends its server earlier: %i ms",
    (withoutStore) => {
      const decided = termsOf({ withoutStore })
      const world = cluster(decided)
      for (const node of world.nodes) node.toStore.fate = "refused"
      world.sim.advance(Math.max(decided.lease, withoutStore) - decided.margin - decided.renewal - 100)
      expect(world.runs()).toEqual(["r0"])
      world.sim.advance(decided.renewal + 200)
      expect(world.runs()).toEqual([])
      expect(world.violations).toEqual([])
    }
  )

  it("[D1] that joins meanwhile takes over at once with the consent of one of the others", () => {
    const world = cluster()
    world.start()
    world.sim.advance(100)
    world.kill(world.nodes[0]!)
    for (const node of world.nodes.slice(1, 3)) node.toStore.fate = "lost"
    world.sim.advance(2 * terms.lease)
    expect(world.runs()).toEqual(["r3"])
    expect(world.violations).toEqual([])
  })

  it.each([
    ["the database", (world: World) => world.nodes[0]!.toStore],
    ["the others", (world: World) => {
      const way = { fate: { after: 800 } }
      world.nodes[0]!.toStore.fate = "refused"
      for (const { name } of world.nodes.slice(1)) world.nodes[0]!.toPeers.set(name, way)
      return way
    }]
  ])("[D6] counts its lease from before it has asked %s", (_, slow) => {
    const world = cluster()
    const node = world.nodes[0]!
    slow(world).fate = { after: 800 }
    // An answer that was on its way.
    world.sim.advance(500)
    for (let times = 0; times < 3; times++) {
      const before = node.watched
      for (let millis = 0; millis < terms.lease && node.watched === before; millis++) world.sim.advance(1)
      expect(node.watched).toBeGreaterThan(before)
      expect(node.watched).toBeLessThanOrEqual(world.sim.now - 800 + terms.lease - terms.margin)
    }
  })
})
