import { describe, expect, it } from "@effect/vitest"
import type { Policy } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Fiber } from "effect"
import { Endpoint, ServerPool } from "mcp-lifeline"
import { connectAll } from "../../../promise/src/index.js"
import { ask } from "../support/Gateway.js"
import * as Served from "../support/Served.js"

type Answer = { readonly result: unknown } | { readonly failure: string }

interface Door {
  readonly call: (tool: string) => Effect.Effect<Answer>
  readonly state: Effect.Effect<string>
}

type Open = (
  connector: ScriptedConnector.ScriptedConnector,
  options: Policy.PolicyOptions
) => Effect.Effect<Door, never, any>

const library: Open = (connector, options) =>
  Effect.gen(function*() {
    const fleet = yield* Effect.acquireRelease(
      Effect.promise(() => connectAll({ mcpServers: { o: { connector, ...options } } } as never)),
      (fleet) => Effect.promise(() => fleet.close())
    )
    return {
      call: (name) =>
        Effect.promise(() =>
          fleet.callTool({ name }).then(
            (result): Answer => ({ result }),
            (error: Error) => ({ failure: error.message })
          )
        ),
      state: Effect.sync(() => fleet.status["o"]?.state ?? "")
    }
  })

const served = (connector: ScriptedConnector.ScriptedConnector, options: Policy.PolicyOptions) =>
  Effect.gen(function*() {
    const servers = yield* ServerPool.make([{ id: "o", connector, ...options }])
    const bound = yield* Served.bind()
    const { url } = yield* Endpoint.serve({ ...bound, servers, introductionWait: 0 })
    const base = new URL(url).origin
    const state = Effect.map(ask(`${base}/api/servers/o`), ({ body }) => String(body.state))
    return { base, state, url }
  })

const api: Open = (connector, options) =>
  Effect.map(Effect.orDie(served(connector, options)), ({ base, state }) => ({
    state,
    call: (name) =>
      Effect.map(ask(`${base}/api/call`, "POST", { name }), ({ body, status }): Answer =>
        status === 200 ? { result: body } : { failure: body.error.message })
  }))

const endpoint: Open = (connector, options) =>
  Effect.gen(function*() {
    const { state, url } = yield* Effect.orDie(served(connector, options))
    const { client } = yield* Served.connected(url)
    return {
      state,
      call: (name) =>
        Effect.promise(() =>
          client.callTool({ name }).then(
            (result): Answer => ({ result }),
            (error: Error) => ({ failure: error.message })
          )
        )
    }
  })

const doors: ReadonlyArray<readonly [string, Open]> = [
  ["connectAll", library],
  ["POST /api/call", api],
  ["the MCP endpoint", endpoint]
]

const keepalive = { method: "none" } as const
const reconnect = { initialDelay: "10 millis", maxDelay: "10 millis", demandInterval: "10 millis" } as const
const timeouts = { wait: "500 millis" } as const

const until = (door: Door, state: string) =>
  door.state.pipe(Effect.delay("5 millis"), Effect.repeat({ until: (now) => now === state }))

describe.each(doors)("a tool of a server that was never connected, called through %s", (_, open) => {
  it.scopedLive("[P6, L18] a lazy one is connected", () =>
    Effect.gen(function*() {
      const door = yield* open(ScriptedConnector.make(), { keepalive, lifecycle: { lazy: true } })
      expect(yield* door.state).toBe("Idle")
      expect(yield* door.call("o__echo")).toHaveProperty("result")
      expect(yield* door.state).toBe("Connected")
    }))

  it.scopedLive("[P6, R8] a Dormant one is tried, and carries the call out if it is back", () =>
    Effect.gen(function*() {
      const connector = ScriptedConnector.make().failNext(2)
      const door = yield* open(connector, { keepalive, reconnect: { ...reconnect, maxAttempts: 2 } })
      yield* until(door, "Dormant")
      expect(yield* door.call("o__echo")).toHaveProperty("result")
      expect(yield* door.state).toBe("Connected")
    }))

  it.scopedLive("[P6, R8] one that is being reconnected is waited for, and the error says what is wrong with it", () =>
    Effect.gen(function*() {
      const connector = ScriptedConnector.make()
      connector.otherwise = { connect: "fail", error: { message: "the disk is full" } }
      const door = yield* open(connector, { keepalive, reconnect: { ...reconnect, maxAttempts: 1000 }, timeouts })
      yield* until(door, "Reconnecting")
      expect(yield* door.call("o__echo")).toEqual({
        failure: expect.stringMatching(/o is (Reconnecting|Connecting).*the call was not sent.*the disk is full/)
      })
      connector.otherwise = {}
      expect(yield* door.call("o__echo")).toHaveProperty("result")
    }))

  it.scopedLive("[R14] one that has been down for long is waited for, and found when it is back", () =>
    Effect.gen(function*() {
      const connector = ScriptedConnector.make()
      connector.otherwise = { connect: "fail" }
      const spaced = {
        initialDelay: 1,
        factor: 1,
        maxAttempts: 40,
        maxDelay: "1 hour",
        dormantProbe: "7 days"
      } as const
      const door = yield* open(connector, { keepalive, reconnect: spaced, timeouts: { wait: "4 seconds" } })
      yield* until(door, "Dormant")
      const call = yield* Effect.fork(door.call("o__echo"))
      yield* Effect.sync(() => connector.ledger.attempts.length).pipe(
        Effect.delay("5 millis"),
        Effect.repeat({ until: (count) => count > 40 })
      )
      connector.otherwise = {}
      expect(yield* Fiber.join(call)).toHaveProperty("result")
    }))

  it.scopedLive("[R13] one that has failed for good is tried again at a pace, however often it is called, and used once it is mended", () =>
    Effect.gen(function*() {
      const connector = ScriptedConnector.make()
      const error = { permanent: true, reason: "unauthorized", message: "HTTP 401" } as const
      connector.otherwise = { connect: "fail", error }
      const door = yield* open(connector, {
        keepalive,
        reconnect: { demandInterval: "1 second", maxDelay: "1 second" }
      })
      yield* until(door, "PermanentlyFailed")
      const calls = Array.from({ length: 10 }, () => door.call("o__echo"))
      for (let round = 0; round < 20; round++) {
        for (const answer of yield* Effect.all(calls, { concurrency: "unbounded" })) {
          expect(answer).toEqual({
            failure: expect.stringMatching(/o (is PermanentlyFailed|cannot be connected|is Connecting).*HTTP 401/)
          })
        }
      }
      const { attempts } = connector.ledger
      for (const [i, at] of attempts.slice(1).entries()) expect(at - attempts[i]!).toBeGreaterThanOrEqual(1000)
      connector.otherwise = {}
      yield* door.call("o__echo").pipe(
        Effect.delay("20 millis"),
        Effect.repeat({ until: (answer) => "result" in answer })
      )
    }))

  it.scopedLive("[P6] one that does not exist, or has no such tool, is named at once, with what was meant", () =>
    Effect.gen(function*() {
      const door = yield* open(ScriptedConnector.make(), { keepalive })
      yield* until(door, "Connected")
      expect(yield* door.call("d__echo")).toEqual({
        failure: expect.stringContaining('no server offers the tool "d__echo": there is no server "d"; there are: o')
      })
      expect(yield* door.call("o__nothing")).toEqual({
        failure: expect.stringContaining('no server offers the tool "o__nothing"; see the list of tools')
      })
      expect(yield* door.call("echo")).toEqual({
        failure: expect.stringContaining('no server offers the tool "echo"; did you mean "o__echo"?')
      })
    }))
})
