import { Effect } from "effect"
import { expect, it } from "vitest"
import { terms, World } from "../model/World.js"

it("[D7] a replica learns within a renewal that something followed has changed, and knows when it does not know", () => {
  const world = new World(1)
  for (let i = 0; i < 2; i++) world.start()
  world.sim.advance(5000)
  const known = () => world.nodes.map(({ membership }) => membership?.changes())
  expect(known()).toEqual([0, 0])
  const change = { collection: "grants", key: "one", before: undefined, text: "text", isFollowed: true }
  Effect.runSync(world.store.rows.change(change))
  // With the way to the store and back.
  world.sim.advance(terms.renewal + 10)
  expect(known()).toEqual([1, 1])
  world.nodes[1]!.toStore.fate = "lost"
  world.sim.advance(3 * terms.renewal)
  expect(known()).toEqual([1, undefined])
  world.nodes[1]!.toStore.fate = "ok"
  world.sim.advance(3 * terms.renewal)
  expect(known()).toEqual([1, 1])
})
