import { Effect, Fiber, Option, Redacted, Schema } from "effect"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import * as PostgresStore from "../../src/PostgresStore.js"
import { defaults as terms } from "../../src/Terms.js"
import { key, replica } from "./Replica.js"

const Counter = Schema.Struct({ count: Schema.Number })

describe.skipIf(!Postgres.isInstalled)(`what replicas share in PostgreSQL${Postgres.title}`, () => {
  test.scopedLive(
    "[D7][D5] is changed by one at a time, also while the database goes away and comes back",
    function*() {
      const postgres = yield* Postgres.make
      const one = Effect.flatMap(
        PostgresStore.make({ url: Redacted.make(postgres.url), terms, key, timeout: "1 minute" }),
        (store) => replica(store)
      )
      const replicas = yield* Effect.all([one, one, one])
      let last = 0
      /** Counts under the lock, if nobody can have counted since. */
      const count = (state: typeof replicas[number]["state"]) => {
        const counters = state.collection("counters", Counter)
        return Effect.repeat(
          Effect.scoped(Effect.gen(function*() {
            const lock = yield* state.lock("counter")
            const found = yield* counters.get("one")
            const before = Option.match(found, { onNone: () => 0, onSome: ({ count }) => count })
            if (!(yield* lock.isHeld)) return false
            // What a server does that takes each number once.
            expect(before).toBe(last)
            last = before + 1
            yield* counters.set("one", { count: last })
            return true
          })),
          { until: (counted) => counted }
        )
      }
      const rounds = 10
      const counting = yield* Effect.fork(Effect.forEach(
        replicas,
        ({ state }) => Effect.forEach(Array.from({ length: rounds }), () => count(state)),
        { concurrency: "unbounded" }
      ))
      for (let times = 0; times < 3; times++) {
        const before = last
        while (last < Math.min(before + 5, 3 * rounds) && Option.isNone(yield* counting.poll)) {
          yield* Effect.promise(() => new Promise(setImmediate))
        }
        yield* Effect.promise(() => postgres.crash())
        yield* Effect.promise(() => postgres.start())
      }
      yield* Fiber.join(counting)
      expect(last).toBe(3 * rounds)
      for (const { state } of replicas) {
        expect(yield* state.collection("counters", Counter).get("one")).toEqual(Option.some({ count: last }))
      }
    },
    300_000
  )
})
