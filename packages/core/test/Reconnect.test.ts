import type { BackendUnavailable, ConnectOptions } from "@mcp-lifeline/core"
import { Backend, ConnectError, Fleet, Policy, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Clock, Duration, Effect, Either, Exit, Fiber, Option, Random, TestClock } from "effect"
import { describe, expect, it, test } from "../../testing/test/support/vitest.js"
import type { CallOptions } from "../src/options/CallOptions.js"
import * as Pace from "../src/state/Pace.js"
import { logged } from "./support/Heartbeats.js"
import { failure, runUntilIdle, watched } from "./support/Watched.js"

const second = 1000
const minute = 60 * second

/** Jitter that takes the whole delay, so that times are exact. */
const longest = Effect.withRandom(Random.fixed([1]))
/** Jitter that takes the shortest delay. */
const shortest = Effect.withRandom(Random.fixed([0]))

const failing = { connect: "fail", error: { reason: "closed" } } as const
const refused = { connect: "fail" } as const

const policyOf = (reconnect: Policy.ReconnectOptions) =>
  Either.getOrThrow(Policy.decode("one", { reconnect })).reconnect

/** A backend that is down: its first attempt has just failed, and so will all others. */
const down = (options: Omit<Backend.BackendOptions, "connector"> = {}) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make()
    script.otherwise = failing
    const one = yield* watched(script, options)
    yield* runUntilIdle
    expect(script.ledger.attempts).toHaveLength(1)
    return { ...one, script }
  })

describe("R1: backoff", () => {
  for (
    const reconnect of [{}, { initialDelay: 200, factor: 3, maxDelay: 5000 }, {
      factor: 1,
      initialDelay: "3 seconds"
    }] as const
  ) {
    it.effect(`[R1] each delay is drawn from [0.5, 1] of the exponential under its cap: ${JSON.stringify(reconnect)}`, () =>
      Effect.gen(function*() {
        const policy = policyOf(reconnect)
        const parts: Array<Array<number>> = Array.from({ length: 20 }, () => [])
        for (let run = 0; run < 500; run++) {
          let pace = Pace.begin
          for (const [n, ofStep] of parts.entries()) {
            const full = Math.min(policy.maxDelay, policy.initialDelay * policy.factor ** n)
            const { at, pace: after } = Pace.next(pace, 7, "backoff", yield* Random.next, policy)
            pace = after
            ofStep.push((at - 7) / full)
          }
        }
        for (const ofStep of parts) {
          expect(Math.min(...ofStep)).toBeGreaterThanOrEqual(0.5)
          expect(Math.min(...ofStep)).toBeLessThan(0.51)
          expect(Math.max(...ofStep)).toBeLessThanOrEqual(1)
          expect(Math.max(...ofStep)).toBeGreaterThan(0.99)
          expect(Math.abs(ofStep.reduce((sum, part) => sum + part, 0) / ofStep.length - 0.75)).toBeLessThan(0.03)
        }
      }).pipe(Effect.withRandom(Random.make("delays"))))
  }

  for (
    const [name, jitter, delays] of [
      ["longest", longest, [1, 2, 4, 8, 16, 32, 60, 60]],
      ["shortest", shortest, [0.5, 1, 2, 4, 8, 16, 30, 30]]
    ] as const
  ) {
    it.scoped(`[R1] attempts are made after exactly the ${name} delays, and not a millisecond before`, () =>
      Effect.gen(function*() {
        const { backend, script } = yield* down({ reconnect: { maxAttempts: 100 } })
        const attempts = [0]
        for (const delay of delays) {
          const due = attempts.at(-1)! + delay * second
          expect((yield* backend.status).nextAttemptAt).toBe(due)
          yield* TestClock.adjust(delay * second - 1)
          expect(script.ledger.attempts).toEqual(attempts)
          yield* TestClock.adjust(1)
          attempts.push(due)
          expect(script.ledger.attempts).toEqual(attempts)
        }
      }).pipe(jitter))
  }
})

describe("R3: what is stable", () => {
  it.scoped("[R3] a backend that connects and dies at once keeps backing off", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.otherwise = { loseAfter: 9999 }
      yield* watched(script)
      yield* TestClock.adjust("4 minutes")
      const gaps = script.ledger.attempts.slice(1).map((at, i) => at - script.ledger.attempts[i]! - 9999)
      expect(gaps.slice(0, 6)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000])
    }).pipe(longest))

  it.scoped("[R3] a connection that stays up for stableAfter starts the backoff anew", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.otherwise = { loseAfter: 10_000 }
      yield* watched(script)
      yield* TestClock.adjust("1 minute")
      const gaps = script.ledger.attempts.slice(1).map((at, i) => at - script.ledger.attempts[i]! - 10_000)
      expect(gaps.slice(0, 5)).toEqual([1000, 1000, 1000, 1000, 1000])
    }).pipe(longest))

  it.scoped("[R3] failed attempts count until the connection is stable", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().failNext(3)
      const { backend } = yield* watched(script)
      yield* TestClock.adjust("7 seconds")
      expect((yield* backend.status).state).toBe("Connected")
      yield* TestClock.adjust(9999)
      const before = yield* backend.status
      expect([before.failedAttempts, before.lastError]).toEqual([3, "scripted failure"])
      yield* TestClock.adjust(1)
      const after = yield* backend.status
      expect([after.failedAttempts, after.lastError]).toEqual([0, undefined])
    }).pipe(longest))

  for (const overlap of [true, false]) {
    it.scoped(`[R3] one that is stable leaves no failures to its replacement, with overlap ${overlap}`, () =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make().failNext(3)
        const { backend } = yield* watched(script, { reconnect: { overlap } })
        yield* TestClock.adjust("1 hour")
        yield* backend.reconnect
        const { failedAttempts, lastError } = yield* backend.status
        expect([failedAttempts, lastError]).toEqual([0, undefined])
        yield* TestClock.adjust("5 seconds")
        script.current.lose()
        yield* runUntilIdle
        const { nextAttemptAt } = yield* backend.status
        expect(nextAttemptAt).toBe(60 * minute + 5 * second + second)
      }).pipe(longest))
  }

  it.scoped("[V6:virtual] a server that ends after each call is there for the next one at once, however often", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script)
      for (let call = 0; call < 10; call++) {
        yield* backend.callTool({ name: "echo" })
        script.current.lose()
      }
      yield* runUntilIdle
      expect(script.ledger.attempts).toEqual(Array.from({ length: 10 }, () => 0))
      const { failedAttempts, nextAttemptAt } = yield* backend.status
      expect([failedAttempts, nextAttemptAt]).toEqual([0, second])
    }).pipe(longest))

  it.scoped("[V6:virtual] a call that was answered ends the outage before it; one that was not does not", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().failNext(3)
      const { backend } = yield* watched(script)
      yield* TestClock.adjust("7 seconds")
      yield* backend.callTool({ name: "echo" })
      script.current.lose()
      yield* runUntilIdle
      expect((yield* backend.status).failedAttempts).toBe(0)
      script.respond = (method) => method === "tools/call" ? { answer: "never" } : undefined
      for (const failed of [1, 2]) {
        const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
        yield* TestClock.adjust("2 seconds")
        script.current.lose()
        yield* Fiber.await(call)
        yield* runUntilIdle
        expect((yield* backend.status).failedAttempts).toBe(failed)
      }
    }).pipe(longest))

  it.scoped("[V6:virtual] lists and pings are no calls: who dies after these keeps backing off", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script)
      for (const failed of [1, 2, 3]) {
        yield* backend.ping()
        yield* backend.request("tools/list", {})
        script.current.lose()
        yield* runUntilIdle
        expect((yield* backend.status).failedAttempts).toBe(failed)
        yield* TestClock.adjust(second * 2 ** (failed - 1))
      }
    }).pipe(longest))

  it.scoped("[R3] nor to what comes after a disconnect or a release", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().failNext(3)
      const { backend } = yield* watched(script, { lifecycle: { idleRelease: "10 minutes" } })
      yield* TestClock.adjust("1 minute")
      yield* backend.disconnect
      const after = yield* backend.status
      expect([after.state, after.failedAttempts, after.lastError]).toEqual(["Disconnected", 0, undefined])
      yield* backend.enable
      yield* TestClock.adjust("1 hour")
      expect((yield* backend.status).state).toBe("Idle")
      script.otherwise = failing
      const call = yield* Effect.fork(Effect.exit(backend.callTool({ name: "echo" }, { wait: 1 })))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(call)
      expect((yield* backend.status).state).toBe("Reconnecting")
    }).pipe(longest))
})

describe("R4: dormant, never given up", () => {
  it.scoped("[R4] after maxAttempts it is tried every dormantProbe, for as long as it takes; success brings it back", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* down({ reconnect: { maxAttempts: 3 } })
      yield* TestClock.adjust(2999)
      expect((yield* backend.status).state).toBe("Reconnecting")
      yield* TestClock.adjust(1)
      expect(script.ledger.attempts).toEqual([0, 1000, 3000])
      for (let probe = 1; probe <= 5; probe++) {
        expect((yield* backend.status).state).toBe("Dormant")
        expect((yield* backend.status).nextAttemptAt).toBe(3000 + probe * 5 * minute)
        yield* TestClock.adjust(5 * minute - 1)
        expect(script.ledger.attempts).toHaveLength(2 + probe)
        yield* TestClock.adjust(1)
        expect(script.ledger.attempts).toHaveLength(3 + probe)
      }
      script.otherwise = {}
      yield* TestClock.adjust(5 * minute)
      expect((yield* backend.status).state).toBe("Connected")
      yield* backend.callTool({ name: "echo" })
    }).pipe(longest))

  it.scoped("[R4] with the shortest jitter a probe comes after three quarters of dormantProbe", () =>
    Effect.gen(function*() {
      const { script } = yield* down({ reconnect: { maxAttempts: 1, dormantProbe: "1 minute" } })
      yield* TestClock.adjust(44_999)
      expect(script.ledger.attempts).toEqual([0])
      yield* TestClock.adjust(1)
      expect(script.ledger.attempts).toEqual([0, 45_000])
    }).pipe(shortest))

  it.scoped("[R4] a reconnect command gives all quick attempts anew", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* down({ reconnect: { maxAttempts: 2 } })
      yield* TestClock.adjust(1000)
      expect((yield* backend.status).state).toBe("Dormant")
      yield* Effect.exit(backend.reconnect)
      expect((yield* backend.status).state).toBe("Reconnecting")
      yield* TestClock.adjust(1000)
      expect((yield* backend.status).state).toBe("Dormant")
      expect(script.ledger.attempts).toEqual([0, 1000, 1000, 2000])
    }).pipe(longest))
})

describe("R5: permanent failures", () => {
  const permanent = { reason: "spawn", permanent: true, message: "no such command: foo; install it" } as const

  for (const way of ["reconnect", "enable"] as const) {
    test.scoped(`[R5] it fails for good at once, says why, and ${way} leaves it`, function*() {
      const script = ScriptedConnector.make().failNext(1, permanent)
      const { backend } = yield* watched(script)
      yield* backend.firstOutcome
      const status = yield* backend.status
      expect([status.state, status.lastError]).toEqual(["PermanentlyFailed", permanent.message])
      yield* TestClock.adjust("30 days")
      expect(script.ledger.attempts).toEqual([0])
      const error = failure(yield* Effect.exit(backend.callTool({ name: "echo" }))) as BackendUnavailable
      expect([error._tag, error.state, error.lastError]).toEqual([
        "BackendUnavailable",
        "PermanentlyFailed",
        permanent.message
      ])
      expect(error.message).toContain("Fix the cause, then call again")
      yield* backend[way]
      expect((yield* backend.status).state).toBe("Connected")
    })
  }

  it.scoped("[R5] a backend that was connected before is given all quick attempts", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script, { reconnect: { maxAttempts: 3 } })
      yield* TestClock.adjust("10 seconds")
      script.otherwise = { connect: "fail", error: permanent }
      script.current.lose()
      yield* TestClock.adjust(6999)
      expect((yield* backend.status).state).toBe("Reconnecting")
      expect(script.ledger.attempts).toEqual([0, 11_000, 13_000])
      yield* TestClock.adjust(1)
      expect((yield* backend.status).state).toBe("PermanentlyFailed")
      yield* TestClock.adjust("1 day")
      expect(script.ledger.attempts).toEqual([0, 11_000, 13_000, 17_000])
    }).pipe(longest))

  it.scoped("[R5] attempts that calls ask for do not use those up", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script, { reconnect: { maxAttempts: 3, demandInterval: 10 } })
      yield* TestClock.adjust("10 seconds")
      script.otherwise = { connect: "fail", error: permanent }
      script.current.lose()
      yield* Effect.forkScoped(Effect.exit(backend.ping({ wait: "1 hour", timeout: "1 hour" })))
      yield* TestClock.adjust(900)
      expect(script.ledger.attempts.length).toBeGreaterThan(4)
      expect((yield* backend.status).state).toBe("Reconnecting")
    }).pipe(longest))

  it.scoped("[R5] a failure that may pass among them takes the count back", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend, states } = yield* watched(script, { reconnect: { maxAttempts: 3, dormantProbe: "1 minute" } })
      yield* TestClock.adjust("10 seconds")
      script.failNext(2, permanent).failNext(1).failNext(2, permanent)
      script.current.lose()
      yield* TestClock.adjust("7 seconds")
      expect((yield* backend.status).state).toBe("Dormant")
      yield* TestClock.adjust("3 minutes")
      expect(states()).not.toContain("PermanentlyFailed")
      expect((yield* backend.status).state).toBe("Connected")
    }).pipe(longest))

  it.scoped("[R5] a refusal that a token provider may overcome goes Dormant", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.otherwise = { connect: "fail", error: { reason: "unauthorized", permanent: false } }
      const { backend } = yield* watched(script)
      yield* TestClock.adjust("1 minute")
      expect((yield* backend.status).state).toBe("Dormant")
    }).pipe(longest))
})

describe("R6: Retry-After", () => {
  for (
    const [name, retryAfter, due] of [
      ["is respected where it is longer than the backoff", 90 * second, 90 * second],
      ["is respected no longer than maxRetryAfter", 24 * 60 * minute, 10 * minute],
      ["does not shorten the backoff", 10, second]
    ] as const
  ) {
    it.scoped(`[R6] ${name}, whether a call waits or not`, () =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make().failNext(1, { reason: "rateLimited", retryAfter })
        const { backend } = yield* watched(script)
        yield* runUntilIdle
        const waiting = retryAfter < second
          ? undefined
          : yield* Effect.fork(Effect.exit(backend.callTool({ name: "echo" }, { wait: "1 hour", timeout: "1 hour" })))
        yield* runUntilIdle
        expect((yield* backend.status).nextAttemptAt).toBe(due)
        yield* TestClock.adjust(due - 1)
        expect(script.ledger.attempts).toEqual([0])
        yield* TestClock.adjust(1)
        expect(script.ledger.attempts).toEqual([0, due])
        if (waiting !== undefined) expect(Exit.isSuccess(yield* Fiber.join(waiting))).toBe(true)
      }).pipe(longest))
  }

  it.scoped("[R6] it holds for a Dormant backend and for a loss that carries it", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make().failNext(1, { retryAfter: 8 * minute })
      const { backend } = yield* watched(script, { reconnect: { maxAttempts: 1, dormantProbe: "1 minute" } })
      yield* runUntilIdle
      expect((yield* backend.status).state).toBe("Dormant")
      yield* TestClock.adjust(8 * minute - 1)
      expect(script.ledger.attempts).toHaveLength(1)
      yield* TestClock.adjust(1)
      expect(script.ledger.attempts).toHaveLength(2)
      yield* TestClock.adjust("10 seconds")
      script.current.lose({ kind: "closed", message: "503", retryAfter: 2 * minute })
      yield* runUntilIdle
      yield* TestClock.adjust(2 * minute - 1)
      expect(script.ledger.attempts).toHaveLength(2)
      yield* TestClock.adjust(1)
      expect(script.ledger.attempts).toHaveLength(3)
    }).pipe(longest))

  for (const uptime of [1, 20] as const) {
    for (const kind of ["closed", "session"] as const) {
      test.scoped(`[R6] of a replacement holds, whether what stays is lost (${kind}) soon or stable: ${uptime} s`, function*() {
        const script = ScriptedConnector.make()
        const { backend } = yield* watched(script)
        yield* runUntilIdle
        script.failNext(1, { reason: "rateLimited", retryAfter: minute })
        yield* Effect.ignore(backend.reconnect)
        expect((yield* backend.status).state).toBe("Connected")
        yield* TestClock.adjust(uptime * second)
        script.current.lose(kind)
        yield* TestClock.adjust((60 - uptime) * second - 1)
        expect(script.ledger.attempts).toEqual([0, 0])
        yield* TestClock.adjust(1)
        expect(script.ledger.attempts).toEqual([0, 0, minute])
      })
    }
  }
})

describe("R7: a lost session", () => {
  test.scoped("[R6] of one that was stable, but the server asks to wait", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* watched(script)
    yield* TestClock.adjust("10 seconds")
    script.current.lose({ kind: "session", message: "404", retryAfter: minute })
    yield* TestClock.adjust(minute - 1)
    expect(script.ledger.attempts).toEqual([0])
    expect((yield* backend.status).state).toBe("Reconnecting")
    yield* TestClock.adjust(1)
    expect(script.ledger.attempts).toEqual([0, 70 * second])
  })

  test.scoped("[R7] of a generation that was stable is initialised anew at once", function*() {
    const script = ScriptedConnector.make()
    const { backend, states } = yield* watched(script)
    yield* TestClock.adjust("10 seconds")
    script.current.lose("session")
    yield* runUntilIdle
    expect(script.ledger.attempts).toEqual([0, 10_000])
    expect((yield* backend.status).generation).toBe(2)
    expect(states()).toEqual(["Connected", "Connecting", "Connected"])
  })

  test.scoped("[R7] of one that had not, too: ten at once, then one a second, without a failed attempt and without a pause of its own", function*() {
    const script = ScriptedConnector.make()
    const { backend, states } = yield* watched(script, {
      reconnect: { maxAttempts: 1, initialDelay: minute, maxDelay: minute }
    })
    yield* TestClock.adjust(0)
    for (let i = 0; i < 10; i++) {
      script.current.lose("session")
      yield* runUntilIdle
      expect((yield* backend.status).generation).toBe(i + 2)
    }
    expect(new Set(script.ledger.attempts)).toEqual(new Set([0]))
    for (let i = 1; i <= 20; i++) {
      script.current.lose("session")
      yield* runUntilIdle
      expect(yield* backend.status).toMatchObject({ state: "Reconnecting", nextAttemptAt: i * second })
      yield* TestClock.adjust(second - 1)
      expect(script.ledger.attempts).toHaveLength(10 + i)
      yield* TestClock.adjust(1)
      expect(script.ledger.attempts.at(-1)).toBe(i * second)
    }
    expect(states()).not.toContain("Dormant")
    expect((yield* backend.status).failedAttempts).toBe(0)
    // After ten quiet seconds there are ten again.
    yield* TestClock.adjust("10 seconds")
    for (let i = 0; i < 10; i++) {
      script.current.lose("session")
      yield* runUntilIdle
      expect((yield* backend.status).state).toBe("Connected")
    }
  })

  test.scoped("[R7] a waiting call does not hasten the one that has to wait", function*() {
    const script = ScriptedConnector.make()
    const { backend } = yield* watched(script)
    yield* TestClock.adjust(0)
    for (let i = 0; i < 11; i++) {
      script.current.lose("session")
      yield* runUntilIdle
    }
    const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
    yield* TestClock.adjust(999)
    expect(script.ledger.attempts).toHaveLength(11)
    yield* TestClock.adjust(1)
    yield* Fiber.join(call)
    expect(script.ledger.attempts.at(-1)).toBe(second)
  })

  test.scoped("[R7] before every call: each is refused once and answered on the new session, at a call a second for ever", function*() {
    const script = ScriptedConnector.make()
    const { backend, states } = yield* watched(script)
    yield* TestClock.adjust(0)
    for (let i = 0; i < 30; i++) {
      let refused = false
      script.respond = (method) => {
        if (method !== "tools/call" || refused) return undefined
        refused = true
        script.current.lose("session")
        return { answer: "error", error: new RequestError({ fate: "rejected", reason: "session", message: "404" }) }
      }
      const calledAt = yield* Clock.currentTimeMillis
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* TestClock.adjust(second)
      expect(yield* Fiber.join(call)).toBeDefined()
      expect((script.ledger.attempts.at(-1) ?? 0) - calledAt).toBeLessThanOrEqual(second)
    }
    expect(states()).not.toContain("Dormant")
  })

  test.scoped("[R7] a handshake whose session is forgotten before it ends is made again at once, and fails with its reason when that goes on", function*() {
    const script = ScriptedConnector.make()
    const forgotten = new ConnectError({
      backend: "",
      reason: "session",
      permanent: false,
      message: "404 to initialized"
    })
    script.otherwise = { connect: "fail", error: forgotten }
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    // Ten at once; the eleventh fails, and the backoff begins.
    expect(script.ledger.attempts).toEqual(Array.from({ length: 11 }, () => 0))
    expect(yield* backend.status).toMatchObject({
      state: "Reconnecting",
      failedAttempts: 1,
      lastError: expect.stringMatching(
        /^404 to initialized; the server keeps forgetting .* replicas without sticky sessions/
      )
    })
  })

  it.scoped("[R7] a server that keeps forgetting is named: in the status, and in one warning, with how many, how old, and the causes", () =>
    logged((lines) =>
      Effect.gen(function*() {
        const script = ScriptedConnector.make()
        const { backend } = yield* watched(script)
        const warning = Effect.map(backend.status, ({ lostSessions }) => lostSessions.warning)
        for (let i = 1; i <= 4; i++) {
          yield* TestClock.adjust(i * second)
          script.current.lose("session")
          yield* runUntilIdle
        }
        expect(yield* warning).toBeUndefined()
        yield* TestClock.adjust(5 * second)
        for (let i = 0; i < 3; i++) {
          script.current.lose("session")
          yield* runUntilIdle
        }
        expect((yield* backend.status).lostSessions.count).toBe(7)
        expect(yield* warning).toMatch(/7 were lost.* 0 to 5s old.*replicas without sticky sessions.*function/)
        const warnings = () => lines.filter((line) => line.includes("keeps forgetting"))
        expect(warnings()).toHaveLength(1)
        expect(warnings()[0]).toMatch(/^WARN one: the server keeps forgetting its sessions: 5 were lost/)
        yield* TestClock.adjust(11 * minute)
        expect(yield* warning).toBeUndefined()
      })
    ))
})

describe("V5: a start that takes longer than an attempt", () => {
  const slow = (after: number, options: Omit<Backend.BackendOptions, "connector"> = {}) =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make({ overlap: false, startLimit: 5 * minute })
      script.otherwise = { after }
      const one = yield* watched(script, options)
      yield* runUntilIdle
      return { ...one, script, opened: () => script.ledger.entries.filter(({ _tag }) => _tag === "Opened").length }
    })

  it.scoped("[V5:virtual] it goes on, the next attempts wait for it, and calls say so; it is there as soon as it is started", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* slow(95 * second)
      yield* TestClock.adjust("30 seconds")
      expect((yield* backend.status).startingSince).toBe(0)
      const [failing, chosen, waiting] = yield* Effect.forEach(
        [undefined, { wait: 10 * second }, { timeout: 2 * minute }],
        (options) => Effect.fork(backend.callTool({ name: "echo" }, options))
      )
      yield* TestClock.adjust("10 seconds")
      expect([failing!.unsafePoll(), chosen!.unsafePoll()]).toEqual([null, expect.anything()])
      // Three quarters of the time of a call.
      yield* TestClock.adjust(35 * second - 1)
      expect(failing!.unsafePoll()).toBeNull()
      yield* TestClock.adjust(1)
      const error = failure(yield* Fiber.await(failing!)) as BackendUnavailable
      expect(error.lastError).toBe(
        "no connection within 30000 ms (timeouts.connect); starting for 1m, which may take 5m (startLimit)"
      )
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(waiting!)
      expect(yield* backend.status).toMatchObject({ state: "Connected", startingSince: undefined })
      expect(script.ledger.attempts).toEqual([0])
      yield* backend.callTool({ name: "echo" })
    }).pipe(longest))

  it.scoped("[V5:virtual] where nobody waits for it, its end brings the next attempt", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* slow(31 * second, { reconnect: { initialDelay: "10 minutes" } })
      yield* TestClock.adjust("30 seconds")
      expect((yield* backend.status).state).toBe("Reconnecting")
      yield* TestClock.adjust("1 second")
      expect((yield* backend.status).state).toBe("Connected")
      expect(script.ledger.attempts).toEqual([0])
    }).pipe(longest))

  it.scoped("[V5:virtual] startLimit ends it, whether an attempt waits for it or not, and the next one begins anew", () =>
    Effect.forEach([{}, { reconnect: { maxAttempts: 1 } }], (options) =>
      Effect.scoped(Effect.gen(function*() {
        const began = yield* Clock.currentTimeMillis
        const { backend, script } = yield* slow(20 * minute, options)
        yield* TestClock.adjust("299 seconds")
        expect(script.ledger.attempts).toHaveLength(1)
        expect((yield* backend.status).startingSince).toBe(began)
        yield* TestClock.adjust("1 second")
        expect((yield* backend.status).startingSince).toBeUndefined()
        yield* Effect.fork(backend.reconnect)
        yield* TestClock.adjust("1 minute")
        expect(script.ledger.attempts).toHaveLength(2)
      }))).pipe(longest))

  it.scoped("[V5:virtual L9] one that has ended, and whose attempt takes too long after that, is closed with it", () =>
    Effect.gen(function*() {
      let prepared = 0
      const { backend, script } = yield* slow(5 * second, {
        onConnected: () => prepared++ === 0 ? Effect.never : Effect.void
      })
      yield* TestClock.adjust("31 seconds")
      yield* TestClock.adjust("1 minute")
      expect((yield* backend.status).state).toBe("Connected")
      expect(script.ledger.attempts).toHaveLength(2)
      expect([...script.ledger.live]).toEqual([1])
    }).pipe(longest))

  const replacing = (otherwise: ScriptedConnector.Outcome, options: Omit<Backend.BackendOptions, "connector"> = {}) =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make({ startLimit: 5 * minute })
      const one = yield* watched(script, { reconnect: { overlap: true }, ...options })
      yield* runUntilIdle
      script.otherwise = otherwise
      return { ...one, script, reconnect: yield* Effect.fork(one.backend.reconnect) }
    })

  it.scoped("[V5:virtual L9] where it was to replace a connection, it does so once it is started; that one serves until then", () =>
    Effect.gen(function*() {
      const { backend, closes, reconnect, script } = yield* replacing({ after: 95 * second })
      yield* TestClock.adjust("31 seconds")
      expect(failure(yield* Fiber.await(reconnect)).message).toContain("starting for 30s")
      yield* backend.callTool({ name: "echo" })
      yield* TestClock.adjust("63 seconds")
      expect([...script.ledger.live]).toEqual([0])
      yield* TestClock.adjust("1 second")
      yield* runUntilIdle
      expect((yield* backend.status).generation).toBe(2)
      expect([...script.ledger.live]).toEqual([1])
      expect(closes()).toEqual([[1, "closed"]])
      expect(script.ledger.attempts).toHaveLength(2)
    }).pipe(longest))

  it.scoped("[V5:virtual] where it was to replace a connection and fails, that one serves on", () =>
    Effect.gen(function*() {
      const { backend, closes, script } = yield* replacing({ connect: "fail", after: 95 * second })
      yield* TestClock.adjust("96 seconds")
      expect(yield* backend.status).toMatchObject({ state: "Connected", generation: 1, startingSince: undefined })
      yield* backend.callTool({ name: "echo" })
      expect(closes().filter(([generation]) => generation === 1)).toEqual([])
      expect(script.ledger.attempts).toHaveLength(2)
    }).pipe(longest))

  it.scoped("[V5:virtual L18] where the connection that it was to replace is released, it ends", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* replacing({ after: 95 * second }, {
        lifecycle: { idleRelease: "1 minute" },
        keepalive: { method: "none" }
      })
      yield* TestClock.adjust("100 seconds")
      expect(yield* backend.status).toMatchObject({ state: "Idle", startingSince: undefined })
      expect([...script.ledger.live]).toEqual([])
    }).pipe(longest))

  for (const command of ["disable", "disconnect", "reconnect"] as const) {
    it.scoped(`[V5:virtual] ${command} ends it`, () =>
      Effect.gen(function*() {
        const { backend, opened, script } = yield* slow(35 * second)
        yield* TestClock.adjust("30 seconds")
        yield* Effect.fork(backend[command])
        yield* TestClock.adjust("5 seconds")
        expect(opened()).toBe(0)
        expect(script.ledger.attempts).toHaveLength(command === "reconnect" ? 2 : 1)
      }).pipe(longest))
  }
})

describe("R8: calls while it is down", () => {
  it.scoped("[R8] a call waits up to timeouts.wait and then says state, last error and next attempt", () =>
    Effect.gen(function*() {
      const { backend } = yield* down({ reconnect: { maxAttempts: 1 }, timeouts: { wait: 3500 } })
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* runUntilIdle
      yield* TestClock.adjust(3499)
      expect(call.unsafePoll()).toBeNull()
      yield* TestClock.adjust(1)
      const error = failure(yield* Fiber.await(call)) as BackendUnavailable
      const { nextAttemptAt, state } = yield* backend.status
      expect(error._tag).toBe("BackendUnavailable")
      expect(error.lastError).toBe("scripted failure")
      expect([error.state, error.nextAttemptAt]).toEqual([state, nextAttemptAt])
      expect(error.nextAttemptAt).toBeGreaterThan(3500)
      expect(error.message).toContain("scripted failure")
    }).pipe(longest))

  const ways = {
    ping: (backend: Backend.Backend, options?: CallOptions) => backend.ping(options),
    callTool: (backend: Backend.Backend, options?: CallOptions) => backend.callTool({ name: "echo" }, options),
    refresh: (backend: Backend.Backend) => backend.refresh
  }

  test.scoped.each(Object.keys(ways) as Array<keyof typeof ways>)(
    "[R8 W5] a server that was never connected may take as long for its first start as an attempt may: %s",
    function*(way) {
      const script = ScriptedConnector.make()
      script.otherwise = { after: 29_000 }
      const { backend } = yield* watched(script)
      const call = yield* Effect.fork(ways[way](backend))
      yield* runUntilIdle
      yield* TestClock.adjust(28_999)
      expect(call.unsafePoll()).toBeNull()
      yield* TestClock.adjust(1)
      expect(Exit.isSuccess(yield* Fiber.await(call))).toBe(true)
    }
  )

  test.scoped.each([
    { name: "of the server", timeouts: { wait: 3500 }, options: {}, until: 3500 },
    { name: "of the call", timeouts: {}, options: { wait: 2500 }, until: 2500 },
    { name: "of the whole call", timeouts: {}, options: { timeout: 4500 }, until: 4500 },
    { name: "of an attempt", timeouts: { connect: 15_000 }, options: {}, until: 15_000 }
  ])("[R8] a time that somebody has chosen limits that all the same: %j", function*({ options, timeouts, until }) {
    const script = ScriptedConnector.make()
    script.otherwise = { connect: "hang" }
    const { backend } = yield* watched(script, { timeouts })
    const call = yield* Effect.fork(backend.callTool({ name: "echo" }, options))
    yield* runUntilIdle
    yield* TestClock.adjust(until - 1)
    expect(call.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(failure(yield* Fiber.await(call))).toMatchObject({ _tag: "BackendUnavailable" })
  })

  it.scoped("[R8] failFast skips the wait, by policy or by call, and asks for no attempt", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* down({ calls: { failFast: true } })
      expect(failure(yield* Effect.exit(backend.ping()))).toMatchObject({
        _tag: "BackendUnavailable",
        state: "Reconnecting"
      })
      yield* runUntilIdle
      expect(script.ledger.attempts).toEqual([0])
      const patient = yield* Effect.fork(backend.ping({ failFast: false }))
      yield* runUntilIdle
      expect(patient.unsafePoll()).toBeNull()
      expect(script.ledger.attempts).toEqual([0, 0])
    }).pipe(longest))

  test.scoped("[R8] where waiting is pointless a call fails at once", function*() {
    const script = ScriptedConnector.make()
    script.otherwise = { close: 1000 }
    const { backend } = yield* watched(script)
    yield* runUntilIdle
    const refused = (state: string) =>
      Effect.map(
        Effect.exit(backend.ping()),
        (exit) => expect(failure(exit)).toMatchObject({ _tag: "BackendUnavailable", state })
      )
    yield* backend.disconnect
    yield* refused("Disconnected")
    const disable = yield* Effect.fork(backend.disable)
    yield* runUntilIdle
    yield* refused("Disabling")
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(disable)
    yield* refused("Disabled")
    script.failNext(1, { permanent: true })
    const before = script.ledger.attempts.length
    const other = yield* watched(script)
    yield* other.backend.firstOutcome
    expect(failure(yield* Effect.exit(other.backend.ping()))).toMatchObject({ state: "PermanentlyFailed" })
    expect(script.ledger.attempts).toHaveLength(before + 1)
  })

  it.scoped("[R8] a call that waits when waiting becomes pointless fails in that moment", () =>
    Effect.gen(function*() {
      for (const command of ["disconnect", "disable"] as const) {
        const { backend } = yield* down()
        const call = yield* Effect.fork(backend.ping())
        yield* runUntilIdle
        yield* backend[command]
        yield* runUntilIdle
        expect(failure(yield* Fiber.await(call))._tag).toBe("BackendUnavailable")
      }
    }).pipe(longest))

  it.scoped("[R8] a waiting call brings the next attempt forward, spaced by demandInterval that doubles up to maxDelay", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* down({ reconnect: { maxAttempts: 1, dormantProbe: "1 hour", maxDelay: 5000 } })
      expect((yield* backend.status).state).toBe("Dormant")
      yield* TestClock.adjust("1 minute")
      yield* Effect.forkScoped(Effect.exit(backend.ping({ wait: "1 hour", timeout: "1 hour" })))
      yield* runUntilIdle
      const attempts = [0, 60_000]
      expect(script.ledger.attempts).toEqual(attempts)
      for (const spacing of [2000, 4000, 5000, 5000]) {
        yield* TestClock.adjust(spacing - 1)
        expect(script.ledger.attempts).toEqual(attempts)
        yield* TestClock.adjust(1)
        attempts.push(attempts.at(-1)! + spacing)
        expect(script.ledger.attempts).toEqual(attempts)
      }
    }).pipe(longest))

  it.scoped("[R8] calls one after another bring no more attempts than one that waits", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* down({ reconnect: { maxAttempts: 1, dormantProbe: "1 hour" } })
      for (let i = 0; i < 30; i++) {
        yield* Effect.forkScoped(Effect.exit(backend.ping({ wait: 500 })))
        yield* TestClock.adjust("1 second")
      }
      expect(script.ledger.attempts).toEqual([0, 0, 2000, 6000, 14_000, 30_000])
    }).pipe(longest))

  it.scoped("[R8] attempts that calls ask for do not use up the quick ones", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* down({
        reconnect: { maxAttempts: 3, initialDelay: "40 seconds", demandInterval: "1 second" }
      })
      const call = yield* Effect.fork(Effect.exit(backend.ping()))
      yield* TestClock.adjust("10 seconds")
      expect(script.ledger.attempts.length).toBeGreaterThan(3)
      yield* Fiber.join(call)
      expect((yield* backend.status).state).toBe("Reconnecting")
    }).pipe(longest))
})

describe("R13: calls after a permanent failure", () => {
  const unauthorized: ScriptedConnector.Outcome = {
    connect: "fail",
    error: { reason: "unauthorized", permanent: true, message: "HTTP 401" }
  }

  const refusing = (
    outcome: ScriptedConnector.Outcome = unauthorized,
    options: Omit<Backend.BackendOptions, "connector"> = {}
  ) =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      script.otherwise = outcome
      const one = yield* watched(script, options)
      yield* runUntilIdle
      expect((yield* one.backend.status).state).toBe("PermanentlyFailed")
      return { ...one, script }
    })

  const call = (backend: Backend.Backend, times = 1) =>
    Effect.gen(function*() {
      const calls = yield* Effect.forEach(Array.from({ length: times }), () => Effect.fork(backend.ping()))
      yield* runUntilIdle
      const errors = calls.map((fiber) => failure(fiber.unsafePoll()!) as BackendUnavailable)
      for (const error of errors) {
        expect(error).toMatchObject({ _tag: "BackendUnavailable", state: "PermanentlyFailed", lastError: "HTTP 401" })
      }
      return errors[0]!
    })

  for (const times of [1, 40]) {
    test.scoped(`[R13:virtual] ${times} at a time bring an attempt every demandInterval, doubling up to maxDelay`, function*() {
      const { backend, script } = yield* refusing(unauthorized, { reconnect: { maxDelay: 8000 } })
      for (let i = 0; i < 34; i++) {
        yield* call(backend, times)
        yield* TestClock.adjust("1 second")
      }
      expect(script.ledger.attempts).toEqual([0, 1000, 3000, 7000, 15_000, 23_000, 31_000])
    })
  }

  test.scoped("[R13:virtual] the pace is that of attempts, however long each takes", function*() {
    const { backend, script } = yield* refusing()
    script.otherwise = { ...unauthorized, after: 6000 }
    yield* TestClock.adjust("1 second")
    yield* call(backend)
    const waiting = yield* Effect.fork(backend.ping())
    yield* TestClock.adjust(5999)
    expect(waiting.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(failure(waiting.unsafePoll()!)).toMatchObject({ state: "PermanentlyFailed" })
    yield* call(backend)
    yield* TestClock.adjust(1999)
    yield* call(backend)
    expect(script.ledger.attempts).toEqual([0, 1000])
    yield* TestClock.adjust(1)
    yield* call(backend)
    expect(script.ledger.attempts).toEqual([0, 1000, 9000])
  })

  test.scoped("[R13:virtual] [R6] none comes before a Retry-After has passed", function*() {
    const { backend, script } = yield* refusing({
      ...unauthorized,
      error: { ...unauthorized.error, retryAfter: 90 * second }
    })
    for (let i = 0; i < 9; i++) {
      const { message } = yield* call(backend, 3)
      const early = Duration.format(Duration.seconds(90 - 10 * i))
      expect(message).toMatch(new RegExp(`Fix the cause, then call again, in ${early} at the earliest$`))
      yield* TestClock.adjust("10 seconds")
    }
    expect(script.ledger.attempts).toEqual([0])
    yield* call(backend)
    expect(script.ledger.attempts).toEqual([0, 90 * second])
  })

  test.scoped("[R13:virtual] what was mended is found by the attempt that a call brings, and the next call waits for it", function*() {
    const { backend, script } = yield* refusing()
    yield* TestClock.adjust("1 hour")
    script.otherwise = { after: 3000 }
    const { message } = yield* call(backend)
    expect(message).toBe(
      "one is PermanentlyFailed (waiting does not help): the call was not sent; last error: HTTP 401. Fix the cause, then call again"
    )
    const next = yield* Effect.fork(backend.ping())
    yield* TestClock.adjust("3 seconds")
    expect(Exit.isSuccess(next.unsafePoll()!)).toBe(true)
  })

  test.scoped("[R13:virtual] a failure that may pass is followed by the backoff", function*() {
    const { backend, script } = yield* refusing()
    script.otherwise = failing
    yield* TestClock.adjust("1 second")
    yield* call(backend)
    expect((yield* backend.status).state).toBe("Reconnecting")
    script.otherwise = {}
    yield* TestClock.adjust("1 minute")
    expect((yield* backend.status).state).toBe("Connected")
  })

  test.scoped("[R13:virtual] failFast and healthCheck ask for no attempt, and a command may come at any time", function*() {
    const { backend, script } = yield* refusing()
    yield* TestClock.adjust("1 hour")
    expect(failure(yield* Effect.exit(backend.ping({ failFast: true })))).toMatchObject({
      state: "PermanentlyFailed"
    })
    yield* backend.healthCheck
    yield* runUntilIdle
    expect(script.ledger.attempts).toEqual([0])
    yield* call(backend)
    yield* Effect.ignore(backend.reconnect)
    expect(script.ledger.attempts).toEqual([0, 60 * minute, 60 * minute])
  })
})

describe("R14: an attempt within each wait", () => {
  it.scoped("[R14:virtual] however long calls went on failing, the next one finds the server that is up again", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* down({ reconnect: { maxAttempts: 1, dormantProbe: "1 hour" } })
      for (let i = 0; i < 5; i++) {
        const call = yield* Effect.fork(Effect.exit(backend.callTool({ name: "echo" })))
        yield* TestClock.adjust("10 seconds")
        expect(failure(yield* Fiber.join(call))._tag).toBe("BackendUnavailable")
      }
      script.otherwise = {}
      const call = yield* Effect.fork(backend.callTool({ name: "echo" }))
      yield* TestClock.adjust("5 seconds")
      expect(Exit.isSuccess(call.unsafePoll()!)).toBe(true)
    }).pipe(longest))

  for (const wait of [1500, 10_000]) {
    it.scoped(`[R14:virtual] each call that waits ${wait} ms sees an attempt, and many bring no more than one`, () =>
      Effect.gen(function*() {
        const attempts = (times: number, limits: CallOptions) =>
          Effect.scoped(Effect.gen(function*() {
            const { backend, script } = yield* down({ reconnect: { maxAttempts: 1, dormantProbe: "1 hour" } })
            const began = script.ledger.attempts[0]!
            for (let i = 0; i < 5; i++) {
              const before = script.ledger.attempts.length
              for (let n = 0; n < times; n++) yield* Effect.fork(Effect.exit(backend.ping(limits)))
              yield* TestClock.adjust(wait - 1)
              expect(script.ledger.attempts.length).toBeGreaterThan(before)
              yield* TestClock.adjust(1)
            }
            return script.ledger.attempts.map((at) => at - began)
          }))
        const one = yield* attempts(1, { wait, timeout: "1 hour" })
        expect(yield* attempts(10, { wait, timeout: "1 hour" })).toEqual(one)
        // A call waits no longer than it may take.
        expect(yield* attempts(1, { wait: "1 hour", timeout: wait })).toEqual(one)
        expect(Math.min(...one.slice(2).map((at, i) => at - one[i + 1]!))).toBeGreaterThanOrEqual(second)
      }).pipe(longest))
  }

  it.scoped("[R14:virtual] the one that waits for the shortest time decides while it waits, and those too short for an attempt do not", () =>
    Effect.gen(function*() {
      const { backend, script } = yield* down({ reconnect: { maxAttempts: 1, dormantProbe: "1 hour" } })
      yield* Effect.forkScoped(Effect.exit(backend.ping({ wait: "1 hour", timeout: "1 hour" })))
      yield* TestClock.adjust("31 seconds")
      expect(script.ledger.attempts).toEqual([0, 0, 2000, 6000, 14_000, 30_000])
      yield* Effect.forkScoped(Effect.exit(backend.ping({ wait: 999 })))
      yield* TestClock.adjust("9 seconds")
      expect(script.ledger.attempts).toHaveLength(6)
      yield* Effect.forkScoped(Effect.exit(backend.ping({ wait: 5000 })))
      yield* TestClock.adjust("4999 millis")
      expect(script.ledger.attempts.slice(6)).toEqual([40_000, 42_000, 44_000])
      yield* TestClock.adjust("1 minute")
      expect(script.ledger.attempts.slice(9)).toEqual([46_000])
      // The shortest one that counts waits for as long as attempts are apart at least.
      yield* Effect.forkScoped(Effect.exit(backend.ping({ wait: 999 })))
      yield* TestClock.adjust(1000)
      expect(script.ledger.attempts).toHaveLength(10)
      yield* Effect.forkScoped(Effect.exit(backend.ping({ wait: 1000 })))
      yield* TestClock.adjust(999)
      expect(script.ledger.attempts.slice(10)).toEqual([105_999])
    }).pipe(longest))
})

describe("V10: attempts that reach nobody", () => {
  const attempts = (
    millis: number,
    outcome: ScriptedConnector.Outcome,
    ...first: ReadonlyArray<ScriptedConnector.Outcome>
  ) =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script, { reconnect: { maxAttempts: 1, dormantProbe: "1 hour" } })
      for (let outage = 0; outage < 2; outage++) {
        yield* TestClock.adjust("1 minute")
        const before = script.ledger.attempts.length
        script.script(...first)
        script.otherwise = outcome
        script.current.lose()
        yield* Effect.fork(Effect.exit(backend.ping({ wait: millis, timeout: millis })))
        yield* TestClock.adjust(millis)
        const made = script.ledger.attempts.slice(before).map((at, _, [first]) => at - first!)
        if (outage === 1) return made
        script.otherwise = {}
        yield* Effect.fork(backend.reconnect)
      }
      return []
    })

  for (const reason of ["refused", "unreachable"] as const) {
    it.scoped(`[V10:virtual] ${reason}: they are a tenth of the outage apart, but at least a quarter of demandInterval, and at most all of it`, () =>
      Effect.gen(function*() {
        const made = yield* attempts(14_000, { connect: "fail", error: { reason } })
        expect(made.slice(0, 13)).toEqual([
          ...[0, 250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2250, 2500],
          2750,
          3025
        ])
        const gaps = made.slice(1).map((at, i) => at - made[i]!)
        expect(Math.max(...gaps)).toBe(1000)
        for (const [i, at] of made.slice(1).entries()) {
          expect(at).toBeLessThanOrEqual(Math.max(1.1 * made[i]! + 1, made[i]! + 250))
        }
      }).pipe(longest))
  }

  it.scoped("[V10:virtual] the spacing is drawn from [0.75, 1] of that, so that many backends do not come at once", () =>
    Effect.gen(function*() {
      expect((yield* attempts(1000, refused)).slice(0, 4)).toEqual([0, 188, 376, 564])
    }).pipe(shortest))

  it.scoped("[V10:virtual] a server that begins to work keeps its pace, what a router may have answered demandInterval, a Retry-After holds, and another failure ends the short spacing", () =>
    Effect.gen(function*() {
      for (const reason of ["notFound", "server"] as const) {
        expect(yield* attempts(3999, { connect: "fail", error: { reason } })).toEqual([0, 1000, 2000, 3000])
      }
      expect(yield* attempts(10_000, failing)).toEqual([0, 1000, 3000, 7000])
      expect(yield* attempts(10_000, { ...refused, error: { retryAfter: 4000 } })).toEqual([0, 4000, 8000])
      expect(yield* attempts(10_000, failing, refused, refused)).toEqual([0, 250, 500, 4500, 8500])
    }).pipe(longest))

  it.scoped("[V10:virtual] something may begin beside an attempt while a call waits, or the first start is waited for", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      let beside: Effect.Effect<Option.Option<string>> | undefined
      const connector = {
        ...script,
        connect: (options: ConnectOptions) => {
          beside = options.beside!(Effect.succeed("more"))
          return script.connect(options)
        }
      }
      script.otherwise = { connect: "hang" }
      const backend = yield* Backend.make("one", {
        connector,
        reconnect: { initialDelay: second },
        timeouts: { connect: 5000 }
      })
      yield* runUntilIdle
      expect(Option.getOrNull(yield* beside!)).toBe("more")
      yield* TestClock.adjust("6 seconds")
      expect(script.ledger.attempts).toHaveLength(2)
      expect(Option.getOrNull(yield* beside!)).toBeNull()
      yield* Effect.fork(Effect.exit(backend.ping()))
      yield* runUntilIdle
      expect(Option.getOrNull(yield* beside!)).toBe("more")
    }).pipe(longest))

  it.scoped("[V10:virtual] what no call waits for has the backoff, whoever was reached", () =>
    Effect.gen(function*() {
      for (const outcome of [failing, refused]) {
        const script = ScriptedConnector.make()
        script.otherwise = outcome
        yield* watched(script, { reconnect: { maxAttempts: 100 } })
        yield* runUntilIdle
        const began = script.ledger.attempts[0]!
        yield* TestClock.adjust("16 seconds")
        expect(script.ledger.attempts.map((at) => at - began)).toEqual([0, 1000, 3000, 7000, 15_000])
      }
    }).pipe(longest))
})

describe("R9: auto: false", () => {
  test.scoped("[R9] a loss leads to Disconnected, and only a command leaves it", function*() {
    for (const kind of ["closed", "session"] as const) {
      const script = ScriptedConnector.make()
      const { backend } = yield* watched(script, { reconnect: { auto: false } })
      yield* TestClock.adjust("10 seconds")
      script.current.lose(kind)
      yield* runUntilIdle
      expect((yield* backend.status).state).toBe("Disconnected")
      expect(failure(yield* Effect.exit(backend.ping()))).toMatchObject({ state: "Disconnected" })
      yield* TestClock.adjust("1 day")
      expect(script.ledger.attempts).toHaveLength(1)
      yield* backend.reconnect
      expect((yield* backend.status).state).toBe("Connected")
    }
  })

  test.scoped("[R9] [R13] after an attempt that failed for good, too", function*() {
    const script = ScriptedConnector.make().failNext(1, { permanent: true })
    const { backend } = yield* watched(script, { reconnect: { auto: false } })
    yield* TestClock.adjust("1 day")
    const error = failure(yield* Effect.exit(backend.ping()))
    expect(error).toMatchObject({ state: "PermanentlyFailed" })
    expect(error.message).not.toMatch(/tries again|or later/)
    yield* runUntilIdle
    expect(script.ledger.attempts).toEqual([0])
    yield* backend.reconnect
    expect((yield* backend.status).state).toBe("Connected")
  })

  test.scoped("[R9] so does an attempt that fails", function*() {
    const { backend, script } = yield* down({ reconnect: { auto: false } })
    expect((yield* backend.status).state).toBe("Disconnected")
    yield* TestClock.adjust("1 day")
    expect(script.ledger.attempts).toHaveLength(1)
  })
})

describe("R10: attempts at once", () => {
  const fleetOf = (connectors: Record<string, ScriptedConnector.ScriptedConnector>, connectConcurrency: number) =>
    Fleet.make({
      connectConcurrency,
      backends: Object.fromEntries(
        Object.entries(connectors).map(([id, connector]) => [id, { connector, keepalive: { method: "none" } as const }])
      )
    })

  const scriptsOf = (count: number, outcome: ScriptedConnector.Outcome) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => {
      const script = ScriptedConnector.make()
      script.otherwise = outcome
      return [`b${i}`, script] as const
    }))

  test.scoped("[R10] no more than connectConcurrency attempts run at once, and each that ends lets the next begin", function*() {
    const scripts = scriptsOf(7, { after: 1500 })
    yield* fleetOf(scripts, 3)
    yield* TestClock.adjust("1 minute")
    const starts = Object.values(scripts).flatMap(({ ledger }) => ledger.attempts)
    expect(starts.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 1500, 1500, 1500, 3000])
  })

  it.scoped("[R10] a black hole gives its permit back after 2 s and goes on; the rest is not held up", () =>
    Effect.gen(function*() {
      const holes = scriptsOf(4, { connect: "hang" })
      const good = ScriptedConnector.make()
      const fleet = yield* fleetOf({ ...holes, good }, 2)
      const starts = () => Object.values(holes).flatMap(({ ledger }) => ledger.attempts)
      yield* TestClock.adjust(1999)
      expect(starts()).toEqual([0, 0])
      yield* TestClock.adjust(1)
      expect(starts().toSorted((a, b) => a - b)).toEqual([0, 0, 2000, 2000])
      expect(good.ledger.attempts).toEqual([])
      yield* TestClock.adjust(2000)
      expect(good.ledger.attempts).toEqual([4000])
      yield* fleet.callTool({ name: "good__echo" })
      yield* TestClock.adjust(25_999)
      expect((yield* fleet.status)["b0"]?.lastError).toBeUndefined()
      yield* TestClock.adjust(1)
      expect((yield* fleet.status)["b0"]?.lastError).toContain("timeouts.connect")
      expect((yield* fleet.status)["b2"]?.lastError).toBeUndefined()
      yield* TestClock.adjust(2000)
      expect((yield* fleet.status)["b2"]?.lastError).toContain("timeouts.connect")
    }).pipe(longest))

  it.scoped("[R10] attempts that waiting calls ask for stay within the bound", () =>
    Effect.gen(function*() {
      const scripts = scriptsOf(6, failing)
      const fleet = yield* fleetOf(scripts, 2)
      yield* runUntilIdle
      for (const script of Object.values(scripts)) script.otherwise = { after: 1000 }
      const backends = yield* fleet.backends
      const calls = yield* Effect.forEach(backends, (backend) => Effect.fork(backend.ping()))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.joinAll(calls)
      const starts = Object.values(scripts).map(({ ledger }) => ledger.attempts.at(-1)!)
      expect(starts.toSorted((a, b) => a - b)).toEqual([0, 0, 1000, 1000, 2000, 2000])
    }).pipe(longest))

  test.effect("[R10] a bound that is none is refused by its name", function*() {
    for (const connectConcurrency of [0, -1, 1.5, Number.NaN]) {
      const error = failure(yield* Effect.exit(Effect.scoped(Fleet.make({ backends: {}, connectConcurrency }))))
      expect([error._tag, error.field]).toEqual(["InvalidOptions", "connectConcurrency"])
      expect(error.message).toContain(String(connectConcurrency))
    }
  })
})
