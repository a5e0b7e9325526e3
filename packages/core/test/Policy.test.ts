import { describe, expect, it } from "@effect/vitest"
import { Policy } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Duration, Either } from "effect"

const second = 1000
const minute = 60 * second

const decode = (options: unknown) => Policy.decode("docs", options as Policy.PolicyOptions)

const refusal = (options: unknown) => {
  const result = decode(options)
  if (Either.isRight(result)) throw new Error(`accepted: ${JSON.stringify(options)}`)
  return result.left
}

describe("Policy", () => {
  it("[R1] the defaults are those of the design", () => {
    expect(Policy.defaults).toEqual({
      keepalive: {
        toolArguments: {},
        interval: 5 * minute,
        timeout: 10 * second,
        fallbackAfter: 2,
        failureThreshold: 3,
        suspectInterval: 10 * second,
        reprobeAfter: 30 * minute,
        authenticated: true
      },
      reconnect: {
        auto: true,
        initialDelay: second,
        factor: 2,
        maxDelay: minute,
        maxAttempts: 5,
        stableAfter: 10 * second,
        dormantProbe: 5 * minute,
        maxRetryAfter: 10 * minute,
        demandInterval: second
      },
      timeouts: {
        connect: 30 * second,
        request: minute,
        wait: 10 * second,
        close: 5 * second,
        drain: 10 * second
      },
      health: { busyLimit: 120_000, enforce: true },
      calls: {
        retry: "safe",
        trustAnnotations: true,
        failFast: false,
        afterSessionLoss: "resume",
        afterRefusal: "resend",
        callId: false,
        tasks: "required",
        maxInFlight: 1000,
        maxWaiting: 10_000,
        progressInterval: 15_000
      },
      lifecycle: { lazy: false, idleRelease: undefined, disabled: false },
      discovery: {
        mode: "eager",
        refreshInterval: undefined,
        minRefreshInterval: 300,
        maxPages: 100,
        maxEntries: 10_000,
        maxDepth: 500
      },
      tools: []
    })
  })

  it("empty groups and groups that are left out mean the defaults", () => {
    const empty = {
      keepalive: {},
      reconnect: {},
      timeouts: {},
      health: {},
      calls: {},
      lifecycle: {},
      discovery: {}
    }
    expect(Either.getOrThrow(decode(empty))).toEqual(Policy.defaults)
    expect(Either.getOrThrow(decode({ keepalive: undefined, calls: { retry: undefined } }))).toEqual(Policy.defaults)
  })

  it("durations are taken in every form that Effect knows, numbers as milliseconds", () => {
    for (const interval of [90_000, "90 seconds", "1.5 minutes", Duration.seconds(90), 90_000_000_000n, [90, 0]]) {
      expect(Either.getOrThrow(decode({ keepalive: { interval } })).keepalive.interval).toBe(90_000)
    }
  })

  it.each([
    ["5s", 5 * second],
    ["5 s", 5 * second],
    ["2.5sec", 2500],
    ["10 ms", 10],
    ["10ms", 10],
    ["3 m", 3 * minute],
    ["3min", 3 * minute],
    ["2 h", 120 * minute],
    ["7 d", 7 * 24 * 60 * minute],
    ["7d", 7 * 24 * 60 * minute],
    ["5seconds", 5 * second],
    ["1 week", 7 * 24 * 60 * minute],
    ["4000000 micros", 4 * second]
  ])("durations may be short: %s", (request, millis) => {
    expect(Either.getOrThrow(decode({ timeouts: { request } })).timeouts.request).toBe(millis)
  })

  it("what a refusal gives as accepted can be written as it stands there", () => {
    for (const accepted of ["1 s", "24 h"]) {
      expect(Either.isRight(decode({ keepalive: { interval: accepted } }))).toBe(true)
    }
    expect(Either.getOrThrow(decode({ timeouts: { request: "7 d", connect: "1 ms" } })).timeouts.connect).toBe(1)
  })

  describe("[K5] what is not acceptable is refused with field, value and range", () => {
    const one = (group: string, name: string, what: string, ...values: ReadonlyArray<unknown>) => {
      for (const value of values) {
        it(`${group}.${name} ${String(JSON.stringify(value))} (${typeof value})`, () => {
          const error = refusal({ [group]: { [name]: value } })
          const shown = Array.isArray(value)
            ? "an array"
            : typeof value === "object" && value !== null
            ? "an object"
            : typeof value === "string"
            ? JSON.stringify(value)
            : String(value)
          expect(error._tag).toBe("InvalidOptions")
          expect(error.backend).toBe("docs")
          expect(error.field).toBe(`${group}.${name}`)
          expect(error.message).toBe(`docs: ${group}.${name} is ${shown}; accepted: ${what}`)
        })
      }
    }
    const wrong = ["soon", -1, Number.NaN, Number.POSITIVE_INFINITY, true, null, {}]
    one("keepalive", "interval", "1 s to 24 h", ...wrong, 0, "1 millis", 999, "2 days", "86400001 millis")
    one("keepalive", "method", '"ping", "tool:<name>", "options" or "none"', "tool:", "http", 5, "Ping", null)
    one("keepalive", "toolArguments", "an object", 5, "x", [1])
    one("keepalive", "timeout", "1 ms to 1 h", ...wrong, 0)
    one("keepalive", "fallbackAfter", "a whole number from 1 to 1000", 0, 1.5, -1, "2", Number.NaN, 1001)
    one("keepalive", "failureThreshold", "a whole number from 1 to 1000", 0, 1.5, "3", 1001)
    one("keepalive", "suspectInterval", "1 ms to 24 h", ...wrong, 0, "2 days")
    one("keepalive", "reprobeAfter", "1 s to 7 d", ...wrong, 0, "8 days")
    one("keepalive", "idleTtl", '2 s to 365 d, or "never"', ...wrong, 0, "1 second", "366 days", "always")
    one("keepalive", "authenticated", "true or false", "yes", 1, null)
    one("reconnect", "auto", "true or false", "yes", 0)
    one("reconnect", "initialDelay", "1 ms to 1 h", ...wrong, 0, "2 hours")
    one("reconnect", "factor", "a number from 1 to 100", 0.9, -2, Number.NaN, 101, "2", Number.POSITIVE_INFINITY)
    one("reconnect", "maxDelay", "1 ms to 24 h", ...wrong, 0, "2 days")
    one("reconnect", "maxAttempts", "a whole number from 0 to 1000000", -1, 2.5, "5", Number.NaN)
    one("reconnect", "stableAfter", "0 ms to 24 h", ...wrong, "2 days")
    one("reconnect", "dormantProbe", "1 s to 7 d", ...wrong, 0, "999 millis", "8 days")
    one("reconnect", "maxRetryAfter", "0 ms to 7 d", ...wrong, "8 days")
    one("reconnect", "demandInterval", "1 ms to 24 h", ...wrong, 0, "2 days")
    one("reconnect", "overlap", "true or false", "http", 1)
    one("timeouts", "connect", "1 ms to 24 h", ...wrong, 0, "2 days")
    one("timeouts", "request", "1 ms to 7 d", ...wrong, 0, "8 days")
    one("timeouts", "wait", "0 ms to 24 h", ...wrong, "2 days")
    one("timeouts", "close", "1 ms to 1 h", ...wrong, 0, "2 hours")
    one("timeouts", "drain", "0 ms to 24 h", ...wrong, "2 days")
    one("health", "busyLimit", "1 ms to 24 h", ...wrong, 0, "2 days")
    one("health", "enforce", "true or false", "no")
    one("calls", "retry", '"safe" or "never"', "always", true)
    one("calls", "trustAnnotations", "true, false or a list of names", "no", [1])
    one("calls", "failFast", "true or false", 1)
    one("calls", "afterSessionLoss", '"resume" or "fail"', "ignore", null)
    one("calls", "tasks", '"required", "prefer" or "never"', "always", true)
    one("calls", "maxInFlight", "a whole number from 1 to 1000000", 0, 0.5, "many")
    one("calls", "maxWaiting", "a whole number from 0 to 1000000", -1, 0.5)
    one("calls", "progressInterval", '100 ms to 24 h, or "never"', ...wrong, 0, "2 days", "off")
    one("lifecycle", "lazy", "true or false", "true")
    one("lifecycle", "idleRelease", '1 ms to 365 d, or "never"', ...wrong, 0, "366 days", "always")
    one("lifecycle", "disabled", "true or false", 0)
    one("discovery", "mode", '"eager" or "learn"', "lazy")
    one("discovery", "refreshInterval", '1 s to 7 d, or "never"', ...wrong, 0, "8 days")
    one("discovery", "minRefreshInterval", "1 ms to 24 h", ...wrong, 0, "25 hours")
    one("discovery", "maxPages", "a whole number from 1 to 1000000", 0, 1.5)
    one("discovery", "maxEntries", "a whole number from 1 to 10000000", 0, 1.5)
    one("discovery", "maxDepth", "a whole number from 10 to 2000", 9, 2001, 10.5)
  })

  it("[K2] each of the four methods is accepted", () => {
    for (const method of ["ping", "tool:health", "tool:a:b c", "options", "none"]) {
      expect(Either.getOrThrow(decode({ keepalive: { method } })).keepalive.method).toBe(method)
    }
  })

  it("[K5] an option that does not exist is refused by its name, whatever its value, and the one that was meant is named", () => {
    for (const value of [1, "x", {}, { a: 1 }, null]) {
      const error = refusal({ keepalive: { intervall: value } })
      expect(error.field).toBe("keepalive.intervall")
      expect(error.message).toBe('docs: keepalive.intervall is not an option of keepalive; did you mean "interval"?')
    }
    for (
      const [name, meant] of [
        ["keepAlive", "keepalive"],
        ["keep-alive", "keepalive"],
        ["timeout", "timeouts"],
        ["reconect", "reconnect"],
        ["maxDelay", "reconnect.maxDelay"]
      ] as const
    ) {
      const error = refusal({ [name]: { token: "secret" } })
      expect(error.field).toBe(name)
      expect(error.message).toBe(`docs: ${name} is not an option; did you mean "${meant}"?`)
    }
  })

  it("[K5] an option like no other is refused with all that there are", () => {
    expect(refusal({ health: { colour: 1 } }).message)
      .toBe("docs: health.colour is not an option of health; there are: busyLimit, enforce")
  })

  it("[K5] everything that is wrong is in one error: the message lists it, problems has each of them", () => {
    const error = refusal({ keepalive: { interval: 5, methid: "ping" }, calls: { retry: "always" }, timeouts: 7 })
    const messages = [
      'docs: keepalive.methid is not an option of keepalive; did you mean "method"?',
      "docs: keepalive.interval is 5; accepted: 1 s to 24 h",
      "docs: timeouts is 7; accepted: an object of options",
      'docs: calls.retry is "always"; accepted: "safe" or "never"'
    ]
    expect(error.problems.map(({ message }) => message).toSorted()).toEqual(messages.toSorted())
    expect(error.field).toBe(error.problems[0]?.field)
    expect(error.message).toBe(
      `4 options are not accepted:\n${error.problems.map(({ message }) => `- ${message}`).join("\n")}`
    )
  })

  it("[K5] a group that is not an object is refused as what it is", () => {
    for (
      const [value, shown] of [[5, "5"], ["off", '"off"'], [false, "false"], [null, "null"], [[], "an array"]] as const
    ) {
      const error = refusal({ keepalive: value })
      expect(error.field).toBe("keepalive")
      expect(error.message).toBe(`docs: keepalive is ${shown}; accepted: an object of options`)
    }
  })

  it("[K2] OPTIONS is for transports that have it", () => {
    const keepalive = { method: "options" } as const
    const http = ScriptedConnector.make()
    const stdio = { transport: "stdio", overlap: false, target: "server", connect: http.connect }
    expect(Either.isRight(Policy.resolve("docs", http, { keepalive }))).toBe(true)
    const error = Either.getOrThrow(Either.flip(Policy.resolve("docs", stdio, { keepalive })))
    expect(error.field).toBe("keepalive.method")
    expect(error.message).toBe(
      'docs: keepalive.method is "options"; accepted: "ping", "tool:<name>" or "none"; only servers over HTTP know OPTIONS, this one is stdio'
    )
  })

  it("[K5] a backend's option lies over the fleet's, one by one", () => {
    const connector = ScriptedConnector.make()
    const policy = Either.getOrThrow(Policy.resolve(
      "docs",
      connector,
      { keepalive: { interval: "2 minutes", timeout: undefined }, calls: { failFast: true } },
      { keepalive: { interval: "1 minute", timeout: "3 seconds" }, timeouts: { wait: 0 } }
    ))
    expect(policy.keepalive.interval).toBe(2 * minute)
    expect(policy.keepalive.timeout).toBe(3 * second)
    expect(policy.calls.failFast).toBe(true)
    expect(policy.timeouts.wait).toBe(0)
    expect(policy.reconnect).toEqual(Policy.defaults.reconnect)
  })

  it("[K5] a group of a backend that is no object is refused, not swallowed by the fleet's", () => {
    const resolved = Policy.resolve("docs", ScriptedConnector.make(), { keepalive: 5 as never }, {
      keepalive: { interval: "1 minute" }
    })
    expect(Either.getOrThrow(Either.flip(resolved)).field).toBe("keepalive")
  })

  it.each<Policy.PolicyOptions>([{}, { keepalive: {} }, { keepalive: { interval: "1 minute" } }])(
    "[K5] a group of the fleet that is no object is refused, not swallowed by a backend with %j",
    (options) => {
      for (const keepalive of [5, null, []]) {
        const resolved = Policy.resolve("docs", ScriptedConnector.make(), options, { keepalive: keepalive as never })
        expect(Either.getOrThrow(Either.flip(resolved)).field).toBe("keepalive")
      }
    }
  )
})
