import type { ConnectOptions, Server } from "@mcp-lifeline/client"
import { connect, connectAll, supervisedTransport } from "@mcp-lifeline/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import * as Everything from "./fixtures/Everything.js"
import { withDirectory } from "./fixtures/withDirectory.js"

type Doors = Readonly<Record<string, (server: Server, options: ConnectOptions) => Promise<number | undefined>>>

const doors: Doors = {
  connect: async (server, options) => {
    await using client = await connect(server, options)
    return client.status.learned?.slowestStart
  },
  connectAll: async (server, { name = "", ...options }) => {
    await using fleet = await connectAll({ mcpServers: { [name]: server } }, { ...options, require: "all" })
    return fleet.status[name]?.learned?.slowestStart
  },
  supervisedTransport: async (server, options) => {
    const transport = supervisedTransport(server, options)
    const client = new Client({ name: "test", version: "1" })
    await client.connect(transport)
    const { learned } = transport.supervision?.status ?? {}
    await client.close()
    return learned?.slowestStart
  }
}

describe("V9: what servers have shown, kept by a program", () => {
  it("[V9:real] with `temperamentMemory`, at each door, the next run of a program knows it before its first connection", () =>
    withDirectory(async (folder) => {
      let slowest: number | undefined
      for (const run of Object.values(doors)) {
        const took = await run(Everything.stdio, { name: "one", temperamentMemory: folder })
        assert.isAtLeast(took ?? 0, slowest ?? 1)
        slowest = took
      }
      assert.lengthOf(readdirSync(join(folder, "temperaments")), 1)
      const lazy = { name: "one", lifecycle: { lazy: true } } as const
      for (const run of [doors["connect"], doors["connectAll"]]) {
        assert.strictEqual(await run?.(Everything.stdio, { ...lazy, temperamentMemory: folder }), slowest)
        assert.isUndefined(await run?.(Everything.stdio, lazy))
        assert.isUndefined(await run?.({ ...Everything.stdio, args: [] }, { ...lazy, temperamentMemory: folder }))
      }
    }))
})
