import { Simulation } from "@mcp-lifeline/testing"
import { Effect, Fiber, Scope } from "effect"
import { beforeEach, describe, expect, it } from "vitest"
import type { ClusterStore } from "../src/ClusterStore.js"
import * as StaleOwnership from "../src/StaleOwnership.js"
import * as MemoryStore from "../src/testing/MemoryStore.js"

let sim: Simulation.Simulation
let store: ClusterStore
let wanted: Set<string>
let finds: number
let missed: (server: string) => void

const owners = () => Effect.runSync(store.servers).map(({ server }) => server)

beforeEach(() => {
  sim = new Simulation.Simulation({ seed: 1 })
  store = MemoryStore.make()
  wanted = new Set()
  finds = 0
  for (const id of ["own", "other"]) Effect.runSync(store.join(id, `http://${id}`))
  const made = sim.fork(Scope.extend(
    StaleOwnership.make({
      store: {
        ...store,
        find: (name) => {
          finds++
          return store.find(name)
        }
      },
      membership: { held: Effect.succeed({ id: "own", isHeld: () => true, lapsed: Effect.never }) },
      isWanted: (server) => wanted.has(server)
    }),
    Effect.runSync(Scope.make())
  ))
  sim.advance(0)
  missed = Effect.runSync(Fiber.join(made))
})

describe("a server that nobody wants on its replica", () => {
  it("[D4] is given back when another replica looks for it", () => {
    Effect.runSync(store.claim("own", "notes"))
    missed("notes")
    sim.advance(10)
    expect(owners()).toEqual([])
  })

  it.each(["wanted", "of another replica"])("[D1] is not given back if it is %s", (why) => {
    Effect.runSync(store.claim(why === "wanted" ? "own" : "other", "notes"))
    if (why === "wanted") wanted.add("notes")
    missed("notes")
    sim.advance(10_000)
    expect(owners()).toEqual(["notes"])
  })

  it("[D4] is not looked for in the store each time that another replica asks", () => {
    for (let times = 0; times < 100; times++) {
      missed("notes")
      sim.advance(100)
    }
    expect(finds).toBeLessThanOrEqual(5)
    Effect.runSync(store.claim("own", "notes"))
    sim.advance(10_000)
    missed("notes")
    sim.advance(10)
    expect(owners()).toEqual([])
  })
})
