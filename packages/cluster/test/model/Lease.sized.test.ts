import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { bySize } from "../../../testing/test/support/bySize.js"
import { type Terms, termsOf } from "../../src/Terms.js"
import { type Fate, terms, World } from "./World.js"

type Command =
  | { readonly do: "advance"; readonly millis: number }
  | { readonly do: "database" | "databaseOf"; readonly at: number; readonly fate: Fate }
  | { readonly do: "peers"; readonly at: number; readonly to: number; readonly fate: Fate }
  | { readonly do: "stop" | "goOn" | "kill" | "leave" | "give"; readonly at: number }
  | { readonly do: "watchdog"; readonly at: number; readonly isThere: boolean | "hangs" }
  | { readonly do: "start"; readonly speed: number }
  | { readonly do: "heal" }

const at = fc.nat(5)
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Fate>("ok") },
  { weight: 2, arbitrary: fc.constantFrom<Fate>("refused", "lost", "unanswered") },
  // Slow enough that something else happens meanwhile, and fast enough to be waited for.
  { weight: 2, arbitrary: fc.integer({ min: 100, max: 900 }).map((after) => ({ after })) },
  fc.integer({ min: 1, max: 25_000 }).map((after) => ({ after }))
)
const speed = fc.constantFrom(0.95, 1, 1.05)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      millis: fc.oneof(fc.nat(50), fc.integer({ min: 50, max: 9000 }))
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("database" as const, "databaseOf" as const), at, fate }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("peers" as const), at, to: at, fate }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("stop" as const, "goOn" as const), at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("kill" as const, "leave" as const, "give" as const), at }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("watchdog" as const),
      at,
      isThere: fc.constantFrom(true, false, "hangs" as const)
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("start" as const), speed }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("heal" as const) }) }
)

const most = 6

const perform = (world: World, command: Command): void => {
  const { sim } = world
  const node = world.nodes[("at" in command ? command.at : 0) % world.nodes.length]!
  switch (command.do) {
    case "advance":
      return sim.advance(command.millis)
    case "database":
      for (const one of world.nodes) one.toStore.fate = command.fate
      return
    case "databaseOf":
      node.toStore.fate = command.fate
      return
    case "peers": {
      const to = world.nodes[command.to % world.nodes.length]!
      node.toPeers.set(to.name, { fate: command.fate })
      return
    }
    case "stop":
      return world.stop(node)
    case "watchdog":
      return world.setWatchdog(node, command.isThere)
    case "goOn":
      return node.goOn()
    case "kill":
      return world.kill(node)
    case "leave":
      return world.leave(node)
    case "give":
      return node.give()
    case "start":
      return world.nodes.length < most ? world.start(command.speed) : undefined
    case "heal":
      return heal(world)
  }
}

const heal = (world: World): void => {
  for (const node of world.nodes) {
    node.toStore.fate = "ok"
    node.toPeers.clear()
    if (node.isStopped) node.goOn()
    world.setWatchdog(node, true)
  }
}

const run = (
  terms: Terms,
  speeds: ReadonlyArray<number>,
  commands: ReadonlyArray<Command>
): ReadonlyArray<string> => {
  const world = new World(1, terms)
  for (const speed of speeds) world.start(speed)
  world.sim.advance(2000)
  for (const command of commands) {
    perform(world, command)
    world.sim.runUntilIdle()
  }
  heal(world)
  world.start()
  world.sim.advance(terms.withoutStore + 3 * terms.lease + 30_000)
  const runs = world.runs()
  return runs.length === 1
    ? world.violations
    : [...world.violations, `at the end it runs at ${runs.join(", ") || "none"}`]
}

/** Those of most clusters, except that nobody waits for minutes; and such as operators may decide on. */
const decided = fc.oneof(
  { weight: 3, arbitrary: fc.constant(terms) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 1000, 4000, 20_000).map((withoutStore) => termsOf({ lease: 2000, withoutStore }))
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, 10_000, 40_000).map((withoutStore) => termsOf({ lease: 20_000, withoutStore }))
  }
)
const speeds = fc.array(speed, { minLength: 1, maxLength: 4 })
const runs = Number(process.env["LIFELINE_CLUSTER_RUNS"] ?? bySize(6, 25))
const seed = process.env["LIFELINE_CLUSTER_SEED"]

const check = (numRuns: number) =>
  fc.check(
    fc.asyncProperty(
      decided,
      speeds,
      fc.array(command, { maxLength: 40, size: "max" }),
      async (terms, speeds, commands) => {
        // A test runner takes a process for dead that is busy for long.
        await new Promise((resolve) => setImmediate(resolve))
        const wrong = run(terms, speeds, commands)
        if (wrong.length > 0) throw new Error(wrong.slice(0, 3).join("\n"))
      }
    ),
    {
      numRuns,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      endOnFailure: process.env["LIFELINE_SHRINK"] === undefined
    }
  )

describe("leases", () => {
  // Five minutes, or a day for those who ask for many runs: for hangs.
  const timeout = process.env["LIFELINE_CLUSTER_RUNS"] === undefined ? 300_000 : 86_400_000

  it("[D1] at any moment at most one replica runs a server", { timeout }, async () => {
    const found = await check(runs)
    expect(found.failed ? `${fc.defaultReportMessage(found)}\n${String(found.errorInstance)}` : "").toBe("")
  })
})
