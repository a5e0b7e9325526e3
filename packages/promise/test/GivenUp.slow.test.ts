import { connect, connectAll, supervisedTransport } from "@mcp-lifeline/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { assert, describe, it } from "vitest"
import * as Effect4 from "../../effect4/test/fixtures/Door.js"
import {
  type Door,
  isReplaced,
  patience,
  servers,
  settings,
  unlessImpatient
} from "../../testing/test/support/Impatience.js"
import { pairs } from "../../testing/test/support/pairs.js"

const doors: Readonly<Record<string, Door>> = {
  "connect, with a signal": async (server, use) => {
    const client = await connect(server, settings)
    const call = (name: string) => client.callTool({ name }, undefined, { signal: AbortSignal.timeout(patience) })
    await use({ call: (name) => unlessImpatient(call(name)), givenUp: () => client.status.calls.givenUp })
    await client.close()
  },
  "a backend of Effect 4, interrupted": async (server, use) => {
    const client = await Effect4.open(server, settings)
    const call = (name: string) => client.callTool({ name }, undefined, { signal: AbortSignal.timeout(patience) })
    await use({ call: (name) => unlessImpatient(call(name)), givenUp: () => client.status.calls.givenUp })
    await client.close()
  },
  "connectAll, with a signal": async (server, use) => {
    const fleet = await connectAll({ mcpServers: { s: { ...server, lifeline: settings } } })
    const call = (name: string) =>
      fleet.callTool({ name: `s__${name}` }, undefined, { signal: AbortSignal.timeout(patience) })
    await use({
      call: (name) => unlessImpatient(call(name)),
      givenUp: () => fleet.client("s")?.status.calls.givenUp ?? 0
    })
    await fleet.close()
  },
  "supervisedTransport, with the official Client's timeout": async (server, use) => {
    const transport = supervisedTransport(server, settings)
    const client = new Client({ name: "test", version: "1" })
    await client.connect(transport)
    await use({
      call: (name) => unlessImpatient(client.callTool({ name }, undefined, { timeout: patience })),
      givenUp: () => transport.supervision?.status.calls.givenUp ?? 0
    })
    await client.close()
  }
}

describe.concurrent("a server that stops under a call", () => {
  for (const [[how, door], [wire, era]] of pairs(Object.entries(doors), servers)) {
    it(`[H9:real] is replaced when its callers give up: ${how}, over ${wire}, of ${era}`, async () => {
      assert.isTrue(await isReplaced(door, wire, era))
    })
  }
})
