/**
 * A server on this machine that takes longer to start than an attempt, through each way to call it.
 */
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, it } from "vitest"
import { doors } from "../support/CallDoors.js"

const folders: Array<string> = []

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** An explicit limit for an attempt ends the wait of `connect`, too, so these wait for longer than its default. */
const doorsAndTimes = [
  ["connect", 31_000, {}],
  ["supervisedTransport", 31_000, {}],
  ["wrap", 3000, { timeouts: { connect: "500 millis" } }],
  ["serve", 3000, { timeouts: { connect: "500 millis" } }]
] as const

describe.concurrent.each(doorsAndTimes)("through %s", (name, startDelay, options) => {
  it("[V5:real] its tools are there after one start of it", async ({ expect }) => {
    const folder = mkdtempSync(join(tmpdir(), "slow-"))
    folders.push(folder)
    const journal = join(folder, "journal")
    const { args, command } = StdioFaultServer.command({ journal, startDelay })
    await doors[name]!({ command, args: [...args] }, options, async (call) => {
      await expect.poll(() => call("echo", { arguments: { text: "here" } }), { timeout: 60_000 }).toBe("here")
      expect(StdioFaultServer.count(journal, "start")).toBe(1)
    })
  }, 120_000)
})
