import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { ask, serveHere, untilStatus } from "../support/Gateway.js"
import { initialized, stateFolder } from "../support/Host.js"
import * as Program from "../support/Program.js"
import { expect, it, test } from "../support/vitest.js"

const server = Program.fixture("verdicts")

type Call = (tool: string, args?: object) => Promise<string>

const doors: Readonly<Record<string, (state: string, use: (call: Call) => Promise<void>) => Promise<void>>> = {
  wrap: async (state, use) => {
    await using host = await initialized(["--", server.command, ...server.args], { state })
    await use(async (name, args = {}) => {
      const { error, result } = await host.request("tools/call", { name, arguments: args })
      return error?.message ?? String(result?.["content"][0].text)
    })
  },
  serve: (state, use) =>
    Effect.gen(function*() {
      const { base } = yield* serveHere({ s: { ...server, cwd: state } }, [], {
        MCP_LIFELINE_STATE: state,
        XDG_STATE_HOME: state
      })
      yield* untilStatus(base, ({ state }) => state === "Connected", "s")
      yield* Effect.promise(() =>
        use(async (tool, args = {}) => {
          const { body } = await Effect.runPromise(
            ask(`${base}/api/call`, "POST", { name: `s__${tool}`, arguments: args })
          )
          return JSON.stringify(body)
        })
      )
    }).pipe(Effect.scoped, Effect.runPromise)
}

test.scopedLive("[V9:real] what was learned of a server is shown by the API, and by check after the end of the gateway", function*() {
  using state = stateFolder()
  const env = { MCP_LIFELINE_STATE: state.path, XDG_STATE_HOME: state.path }
  const mcpServers = { s: { ...server, cwd: state.path } }
  const learned = ["answers requests during a call", expect.stringMatching(/^has taken .* to start$/)]
  yield* Effect.scoped(Effect.gen(function*() {
    const { base } = yield* serveHere(mcpServers, [], env)
    yield* untilStatus(base, ({ state }) => state === "Connected", "s")
    const call = (tool: string, args: object = {}) =>
      ask(`${base}/api/call`, "POST", { name: `s__${tool}`, arguments: args })
    yield* Effect.all([call("sleep", { millis: 500 }), Effect.delay(call("pid"), 100)], { concurrency: 2 })
    expect((yield* ask(`${base}/api/servers/s`)).body.learned).toEqual(learned)
  }))
  const file = join(state.path, "mcp.json")
  writeFileSync(file, JSON.stringify({ mcpServers }))
  const { stdout } = yield* Program.run(["check", "--json", file], env)
  expect(JSON.parse(stdout).servers[0].learned).toEqual(learned)
  expect((yield* Program.run(["check", file], env)).stdout)
    .toContain("learned: answers requests during a call, has taken")
})

const shown = process.platform === "linux" ? it : it.skip

shown.each(Object.entries(doors))(
  "[V9:real] %s: that a server answers during a call is known from the first second of the next start",
  async (_, open) => {
    using state = stateFolder()
    await open(state.path, async (call) => {
      const slow = call("sleep", { millis: 500 })
      await call("pid")
      await slow
    })
    await open(state.path, async (call) => {
      await call("pid")
      expect(await call("block")).toContain("answered during a call before")
    })
  },
  120_000
)
