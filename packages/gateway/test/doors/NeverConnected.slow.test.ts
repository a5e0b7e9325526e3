import type { Policy } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { Endpoint, ServerPool } from "mcp-lifeline"
import { connectAll } from "../../../promise/src/index.js"
import { ask } from "../support/Gateway.js"
import * as Served from "../support/Served.js"
import { opened } from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

type Answer = { readonly result: unknown } | { readonly failure: string }
type Door = { readonly call: (tool: string) => Effect.Effect<Answer>; readonly state: Effect.Effect<string> }

type Open = (
  connector: ScriptedConnector.ScriptedConnector,
  options: Policy.PolicyOptions
) => Effect.Effect<Door, never, any>

const library: Open = Effect.fnUntraced(function*(connector, options) {
  const servers = { mcpServers: { o: { connector, ...options } } } as never
  const fleet = yield* opened(() => connectAll(servers), (fleet) => fleet.close())
  return {
    call: (name) =>
      Effect.promise(() =>
        fleet.callTool({ name }).then((result): Answer => ({ result }), (error: Error) => ({ failure: error.message }))
      ),
    state: Effect.sync(() => fleet.status["o"]?.state ?? "")
  }
})

const served = Effect.fnUntraced(
  function*(connector: ScriptedConnector.ScriptedConnector, options: Policy.PolicyOptions) {
    const servers = yield* ServerPool.make([{ id: "o", connector, ...options }])
    const bound = yield* Served.bind()
    const { url } = yield* Endpoint.serve({ ...bound, servers, introductionWait: 0 })
    const base = new URL(url).origin
    const state = Effect.map(ask(`${base}/api/servers/o`), ({ body }) => String(body.state))
    return { base, state, url }
  }
)

const api: Open = (connector, options) =>
  Effect.map(Effect.orDie(served(connector, options)), ({ base, state }) => ({
    state,
    call: (name) =>
      Effect.map(ask(`${base}/api/call`, "POST", { name }), ({ body, status }): Answer =>
        status === 200 ? { result: body } : { failure: body.error.message })
  }))

const endpoint: Open = Effect.fnUntraced(function*(connector, options) {
  const { state, url } = yield* Effect.orDie(served(connector, options))
  const { client } = yield* Served.connected(url)
  return {
    state,
    call: (name) =>
      Effect.promise(() =>
        client.callTool({ name }).then((result): Answer => ({ result }), (error: Error) => ({ failure: error.message }))
      )
  }
})

const doors: ReadonlyArray<readonly [string, Open]> = [
  ["connectAll", library],
  ["POST /api/call", api],
  ["the MCP endpoint", endpoint]
]

const keepalive = { method: "none" } as const

const until = (door: Door, state: string) =>
  door.state.pipe(Effect.delay("5 millis"), Effect.repeat({ until: (now) => now === state }))

describe.each(doors)("a tool of a server that was never connected, called through %s", (_, open) => {
  test.scopedLive("[P6, L18] a lazy one is connected", function*() {
    const door = yield* open(ScriptedConnector.make(), { keepalive, lifecycle: { lazy: true } })
    expect(yield* door.state).toBe("Idle")
    expect(yield* door.call("o__echo")).toHaveProperty("result")
    expect(yield* door.state).toBe("Connected")
  })

  test.scopedLive("[P6] one that does not exist, or has no such tool, is named at once, with what was meant", function*() {
    const door = yield* open(ScriptedConnector.make(), { keepalive })
    yield* until(door, "Connected")
    expect(yield* door.call("d__echo")).toEqual({
      failure: expect.stringContaining('no server offers the tool "d__echo": there is no server "d"; there are: o')
    })
    expect(yield* door.call("o__nothing"))
      .toEqual({ failure: expect.stringContaining('no server offers the tool "o__nothing"; see the list of tools') })
    expect(yield* door.call("echo"))
      .toEqual({ failure: expect.stringContaining('no server offers the tool "echo"; did you mean "o__echo"?') })
  })
})
