import { Effect, Metric, TestClock } from "effect"
import { OwnedServers } from "../../src/replica/OwnedServers.js"
import { describe, expect, test } from "../support/vitest.js"

describe("the shared servers that a replica has", () => {
  test.effect("[D8] it has them from a moment on, until it gives them back; a metric says so", function*() {
    const owned = new OwnedServers()
    const metric = Metric.tagged(
      Metric.gauge("lifeline.cluster.owner", { description: owner }),
      "lifeline.backend",
      "mine"
    )
    yield* TestClock.adjust(7)
    yield* Effect.scoped(Effect.gen(function*() {
      yield* owned.own("mine")
      expect([owned.since("mine"), owned.since("other")]).toEqual([7, undefined])
      expect(yield* Metric.value(metric)).toMatchObject({ value: 1 })
    }))
    expect(owned.since("mine")).toBeUndefined()
    expect(yield* Metric.value(metric)).toMatchObject({ value: 0 })
  })
})

const owner = "1 for a server that the replica has, of those that run once in the cluster; 0 for one that it had"
