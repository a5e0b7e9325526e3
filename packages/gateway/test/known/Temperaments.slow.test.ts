import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { expect, it } from "vitest"
import { ask, serveHere, untilStatus } from "../support/Gateway.js"
import { stateFolder, wrap } from "../support/Host.js"

const program = fileURLToPath(new URL("../support/verdicts.mjs", import.meta.url))
const server = { command: process.execPath, args: [program] }

/** Calls a tool of the server, with these arguments; gives its text, or the message of the error. */
type Call = (tool: string, args?: object) => Promise<string>

/** Uses the server, with a state folder. */
const doors: Readonly<Record<string, (state: string, use: (call: Call) => Promise<void>) => Promise<void>>> = {
  wrap: async (state, use) => {
    await using host = wrap(["--", server.command, ...server.args], { state })
    await host.initialize()
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
