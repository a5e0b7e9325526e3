import { HttpFault, HttpFaultServer, StdioFaultServer } from "@mcp-lifeline/testing"
import { join } from "node:path"
import { describe, it } from "vitest"
import { doors } from "../support/CallDoors.js"
import { stateFolder } from "../support/Host.js"

/** An explicit limit for an attempt ends the wait of `connect`, too, so these wait for longer than its default. */
const doorsAndTimes = [
  ["connect", 31_000, {}],
  ["supervisedTransport", 31_000, {}],
  ["wrap", 3000, { timeouts: { connect: "500 millis" } }],
  ["serve", 3000, { timeouts: { connect: "500 millis" } }]
] as const

describe.concurrent.each(doorsAndTimes)("through %s", (name, startDelay, options) => {
  it("[V5:real] its tools are there after one start of it", async ({ expect }) => {
    using folder = stateFolder()
    const journal = join(folder.path, "journal")
    // One that says nothing meanwhile, and does nothing, is ended.
    const { args, command } = StdioFaultServer.command({ journal, startDelay, noise: true })
    await doors[name]!({ command, args: [...args] }, options, async (call) => {
      await expect.poll(() => call("echo", { arguments: { text: "here" } }), { timeout: 60_000 }).toBe("here")
      expect(StdioFaultServer.count(journal, "start")).toBe(1)
    })
  })
})

const starts = [["initialize is slow", "initialize", 1], ["everything waits", () => true, 3]] as const

for (const [what, waits, most] of starts) {
  describe.concurrent.each(doorsAndTimes)(`over HTTP, through %s: ${what}`, (name, startDelay, options) => {
    it("[V5:real V10:real] it is asked to begin few sessions, and keeps none", async ({ expect }) => {
      await using server = await HttpFaultServer.open()
      const started = Date.now() + startDelay
      const late: HttpFault.HttpFault = (turn, carryOut) =>
        HttpFault.late(Math.max(started - Date.now(), 0))(turn, carryOut)
      server.fail(waits, late)
      await doors[name]!({ url: server.url }, options, async (call) => {
        await expect.poll(() => call("echo", { arguments: { message: "here" } }), { timeout: 60_000 }).toBe("here")
      })
      expect(server.count("initialize")).toBeLessThanOrEqual(most)
      await expect.poll(() => server.sessions.size).toBe(0)
    })
  })
}
