import { describe, expect, it } from "@effect/vitest"
import { Effect, Metric, TestClock } from "effect"
import { OwnedServers } from "../../src/replica/OwnedServers.js"

describe("the shared servers that a replica has", () => {
  it.effect("[D8] it has them from a moment on, until it gives them back; a metric says so", () =>
    Effect.gen(function*() {
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
    }))

  it("[D8] counts what other replicas ask of them, and how that went", () => {
    const owned = new OwnedServers()
    const [answered, failed, cancelled] = [owned.began("one"), owned.began("one"), owned.began("one")]
    owned.began("two")
    expect(owned.passed("one")).toEqual({ total: 3, failed: 0, givenUp: 0, inFlight: 3 })
    answered(undefined)
    failed("-32000")
    expect(owned.passed("one")).toEqual({ total: 3, failed: 1, givenUp: 0, inFlight: 1 })
    cancelled("cancelled")
    expect(owned.passed("one")).toEqual({ total: 3, failed: 1, givenUp: 1, inFlight: 0 })
    expect(owned.passed("three")).toEqual({ total: 0, failed: 0, givenUp: 0, inFlight: 0 })
  })
})

const owner = "1 for a server that the replica has, of those that run once in the cluster; 0 for one that it had"
