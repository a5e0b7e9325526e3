import { StdioFaultServer } from "@mcp-lifeline/testing"
import { setTimeout } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { connectAll } from "../../../promise/src/index.js"
import { pairs } from "../../../testing/test/support/pairs.js"
import * as UsageSampler from "../../../transport-stdio/src/UsageSampler.js"
import { type Door, doors as ofOne } from "../support/CallDoors.js"

const { times } = UsageSampler.shared
beforeAll(() => {
  UsageSampler.shared.times = { first: 10, limited: 50, unlimited: 60_000, atMost: 1 }
})
afterAll(() => {
  UsageSampler.shared.times = times
})

const all: Door = async (server, options, use) => {
  const fleet = await connectAll({ mcpServers: { o: { ...server, ...options } } } as never)
  await use(async (name, params) => {
    const { content } = await fleet.callTool({ name: `o__${name}`, ...params })
    return (content as ReadonlyArray<{ readonly text: string }>)[0]!.text
  })
  await fleet.close()
}

const doors: Readonly<Record<string, Door>> = { ...ofOne, connectAll: all }

const options = { timeouts: { wait: "1 minute" } }

describe.skipIf(process.platform === "win32").each(pairs(Object.keys(doors), ["2025", "2026"] as const, 1))(
  "the memory of a server, through %s",
  (name, era) => {
    it(`[S13:real] is limited; no call fails because of the restart: ${era}`, async () => {
      const { args, command } = StdioFaultServer.command({ era })
      await doors[name]!({ command, args: [...args], maxMemory: "100 MB" }, options, async (call) => {
        const pid = await call("pid")
        expect(await call("allocate", { arguments: { megabytes: 120 } })).toBe("allocated")
        let next = pid
        while (next === pid) {
          await setTimeout(20)
          next = await call("pid")
        }
        expect(Number(next)).toBeGreaterThan(0)
      })
    })
  }
)
