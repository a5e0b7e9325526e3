import { Deferred, Effect, Either, Fiber, TestClock } from "effect"
import type { JWTVerifyGetKey } from "jose"
import { IssuerKeys } from "../../src/access/IssuerKeys.js"
import * as ResourceServer from "../../src/access/ResourceServer.js"
import { authOf } from "../support/Issuer.js"
import { describe, expect, test } from "../support/vitest.js"

type Outcome = "keys" | "no" | "silence"

/** Issuers whose answers a test chooses, and a ledger of what was fetched from them. */
const issuers = () => {
  const outcomes = new Map<string, Outcome>()
  const times = new Map<string, Array<number>>()
  let open = 0
  const fetchKeys = ({ issuer }: { readonly issuer: string }) =>
    Effect.gen(function*() {
      times.set(issuer, [
        ...times.get(issuer) ?? [],
        yield* Effect.map(Effect.clock, (clock) => clock.unsafeCurrentTimeMillis())
      ])
      open++
      const outcome = outcomes.get(issuer) ?? "keys"
      if (outcome === "silence") return yield* Effect.never
      return outcome === "keys" ? { keys: [] } : yield* Effect.fail({ detail: `${issuer} says no` })
    }).pipe(Effect.ensuring(Effect.sync(() => void open--)))
  return { outcomes, fetchKeys, timesOf: (issuer: string) => times.get(issuer) ?? [], open: () => open }
}

const issuer = "https://issuer"

const made = (outcome: Outcome = "keys") => {
  const ledger = issuers()
  ledger.outcomes.set(issuer, outcome)
  const changes: Array<string | undefined> = []
  let count = 0
  const keys = new IssuerKeys({
    issuer,
    jwksUri: undefined,
    fetchKeys: ledger.fetchKeys,
    makeKeySet: () => Object.assign(() => undefined, { number: ++count }) as unknown as JWTVerifyGetKey,
    onChange: (problem) => changes.push(problem)
  })
  const numberOf = (known: typeof keys.known) =>
    Effect.map(
      Effect.either(known),
      Either.match({
        onLeft: ({ issuer }) => `none of ${issuer}`,
        onRight: (set) => (set as unknown as { readonly number: number }).number
      })
    )
  return {
    ...ledger,
    changes,
    keys,
    known: numberOf(keys.known),
    afterUnknown: numberOf(keys.afterUnknown),
    times: () => ledger.timesOf(issuer),
    say: (outcome: Outcome) => void ledger.outcomes.set(issuer, outcome)
  }
}

const minutes = 60_000

describe("the keys of an issuer", () => {
  test.scoped("[G21:unit] are fetched every ten minutes, and after a failure after 1 s, 2 s, 4 s, up to 30 s", function*() {
    const { changes, keys, say, times } = made()
    yield* Effect.forkScoped(keys.run)
    yield* TestClock.adjust(10 * minutes - 1)
    expect(times()).toEqual([0])
    say("no")
    yield* TestClock.adjust(1)
    yield* TestClock.adjust(121_000)
    const failures = [0, 1, 3, 7, 15, 31, 61, 91, 121].map((seconds) => 10 * minutes + seconds * 1000)
    expect(times()).toEqual([0, ...failures])
    say("keys")
    yield* TestClock.adjust(30_000)
    // It was a success: the next failure begins anew.
    say("no")
    yield* TestClock.adjust(10 * minutes + 3000)
    const good = 10 * minutes + 151_000
    expect(times().slice(10)).toEqual([0, 600_000, 601_000, 603_000].map((after) => good + after))
    expect(changes).toEqual([`${issuer} says no`, undefined, `${issuer} says no`])
    expect(keys.problem).toBe(`${issuer} says no`)
  })

  test.scoped("[G21:unit] count for an hour after they were fetched last, and no longer", function*() {
    const { keys, known, say } = made()
    yield* Effect.forkScoped(keys.run)
    expect(yield* known).toBe(1)
    yield* TestClock.adjust(10 * minutes)
    expect(yield* known).toBe(2)
    say("no")
    yield* TestClock.adjust(60 * minutes - 1)
    expect([yield* known, keys.isUsable(70 * minutes - 1)]).toEqual([2, true])
    yield* TestClock.adjust(1)
    expect([yield* known, keys.isUsable(70 * minutes)]).toEqual([`none of ${issuer}`, false])
    say("keys")
    yield* TestClock.adjust(30_000)
    expect([yield* known, keys.problem]).toEqual([3, undefined])
  })

  test.scoped("[G21:unit] are fetched at once where the machine was suspended for longer than they count", function*() {
    const { known, keys, times } = made()
    const first = yield* Effect.forkScoped(keys.run)
    expect(yield* known).toBe(1)
    yield* Fiber.interrupt(first)
    yield* TestClock.adjust(60 * minutes)
    expect(yield* Effect.all(Array.from({ length: 5 }, () => known), { concurrency: 5 })).toEqual([2, 2, 2, 2, 2])
    expect(times()).toEqual([0, 60 * minutes])
  })

  test.scoped("[G21:unit X5] are fetched for unknown ones once in 30 s, however many ask; while they cannot be, nobody knows", function*() {
    const { afterUnknown, keys, say, times } = made()
    yield* Effect.forkScoped(keys.run)
    yield* TestClock.adjust(1000)
    expect(yield* Effect.all(Array.from({ length: 5 }, () => afterUnknown), { concurrency: 5 })).toContain(2)
    expect(times()).toEqual([0, 1000])
    yield* TestClock.adjust(29_999)
    expect([yield* afterUnknown, times().length]).toEqual([2, 2])
    yield* TestClock.adjust(1)
    expect([yield* afterUnknown, times()]).toEqual([3, [0, 1000, 31_000]])
    say("no")
    yield* TestClock.adjust(30_000)
    // It may be a new key, which nobody can tell from one that was made up.
    expect([yield* afterUnknown, times().length]).toEqual([`none of ${issuer}`, 4])
    expect([yield* afterUnknown, times().length]).toEqual([`none of ${issuer}`, 4])
  })

  test.scoped("[G21:unit] are waited for at the start, for ten seconds; a fetch that is given up ends", function*() {
    const { keys, known, open } = made("silence")
    const running = yield* Effect.forkScoped(keys.run)
    const waiting = yield* Effect.forkScoped(known)
    yield* TestClock.adjust(9999)
    expect([yield* Fiber.poll(waiting), open()]).toEqual([expect.objectContaining({ _tag: "None" }), 1])
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(waiting)).toBe(`none of ${issuer}`)
    expect([keys.problem, open()]).toEqual([`${issuer} does not answer within 10 seconds`, 0])
    yield* TestClock.adjust(1000)
    expect(open()).toBe(1)
    yield* Fiber.interrupt(running)
    expect(open()).toBe(0)
  })

  test.scoped("[G21:unit] that are no key set are none", function*() {
    const keys = new IssuerKeys({
      issuer,
      jwksUri: undefined,
      fetchKeys: () => Effect.succeed(1),
      makeKeySet: () => {
        throw new Error("no")
      },
      onChange: () => undefined
    })
    yield* Effect.forkScoped(keys.run)
    expect(yield* Effect.flip(keys.known)).toMatchObject({ issuer })
    expect(keys.problem).toBe(`the keys of ${issuer} are no JSON Web Key Set`)
  })
})

describe("the issuers of a gateway", () => {
  test.scoped("[G21:unit G5] are asked for keys as long as the file names them; one that is back is asked anew, and once", function*() {
    const [a, b, c] = ["https://a", "https://b", "https://c"]
    const { fetchKeys, open, outcomes, timesOf } = issuers()
    let auth = authOf({ issuers: [a, b] })
    const over = yield* Deferred.make<void>()
    const running = yield* Effect.forkScoped(Effect.scoped(Effect.gen(function*() {
      const server = yield* ResourceServer.make({ auth: () => auth, place: { host: "127.0.0.1" }, fetchKeys })
      const use = (changes: Partial<typeof auth>) =>
        Effect.zipRight(
          Effect.sync(() => {
            auth = { ...auth, ...changes }
            // Whatever the next request is.
            server.check({ url: "/mcp", headers: {}, socket: {} } as never)
          }),
          TestClock.adjust(0)
        )
      const counts = () => [a, b, c].map((issuer) => timesOf(issuer).length)
      yield* TestClock.adjust(0)
      expect(counts()).toEqual([1, 1, 0])
      outcomes.set(b, "silence")
      yield* TestClock.adjust("10 minutes")
      expect([counts(), open()]).toEqual([[2, 2, 0], 1])
      yield* use({ issuers: [a, c] })
      expect([counts(), open()]).toEqual([[2, 2, 1], 0])
      outcomes.set(b, "no")
      yield* TestClock.adjust("1 hour")
      expect([counts(), server.problem(), yield* server.isUsable]).toEqual([[8, 2, 7], undefined, true])
      yield* use({ issuers: [b, a] })
      expect([counts(), server.problem()]).toEqual([[8, 3, 7], `keys cannot be fetched: ${b} says no`])
      yield* use({ issuers: [a], jwksUri: `${c}/keys` })
      expect([counts(), server.problem()]).toEqual([[9, 3, 7], undefined])
      yield* TestClock.adjust("10 minutes")
      expect(counts()).toEqual([10, 3, 7])
      // Each that cannot be asked is named; one that can is enough.
      outcomes.set(a, "no")
      yield* use({ issuers: [a, b, c], jwksUri: undefined })
      const both = `keys cannot be fetched: ${a} says no; ${b} says no`
      expect([server.problem(), yield* server.isUsable]).toEqual([both, true])
      yield* use({ issuers: [a, b] })
      expect([server.problem(), yield* server.isUsable]).toEqual([both, false])
      yield* Deferred.succeed(over, undefined)
      return yield* Effect.never
    })))
    yield* Effect.raceFirst(Deferred.await(over), Fiber.join(running))
    yield* Fiber.interrupt(running)
    const before = timesOf(a).length
    yield* TestClock.adjust("1 hour")
    expect([timesOf(a).length, open()]).toEqual([before, 0])
  })
})
