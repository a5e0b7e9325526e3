/** What the official Client v1 does about a stream of which nothing follows: it asks for it once, and not for as long as it lives. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Raw from "./support/RawEndpoint.js"

interface Resumed {
  readonly from: string
  readonly status: number
}

const soon = {
  initialReconnectionDelay: 10,
  maxReconnectionDelay: 10,
  reconnectionDelayGrowFactor: 1,
  maxRetries: 2
}

describe("a stream of which nothing follows", () => {
  test.scopedLive("[G11:real] is asked for once by the official Client, after an error and after a cancellation", function*() {
    const { conversations, url } = yield* Raw.serve(({ id, params }, { client }) => {
      if (id === undefined || params?.name !== "x") return
      client.write(
        { jsonrpc: "2.0", method: "notifications/progress", params: { ...params._meta, progress: 1 } },
        id!
      )
    })
    const resumed: Array<Resumed> = []
    const watched: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      const from = new Headers(init?.headers).get("last-event-id")
      if (init?.method === "GET" && from !== null) resumed.push({ from, status: response.status })
      return response
    }
    const client = yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const client = new Client({ name: "v1", version: "1" })
        const transport = new StreamableHTTPClientTransport(new URL(url), {
          fetch: watched,
          reconnectionOptions: soon
        })
        await client.connect(transport as never)
        return client
      }),
      (client) => Effect.promise(() => client.close())
    )
    yield* Effect.promise(async () => {
      const conversation = () => conversations.at(-1)!
      const calls = () => conversation().received.filter(({ method }) => method === "tools/call")
      const ended = async (end: (id: number, controller: AbortController) => void) => {
        const controller = new AbortController()
        const before = calls().length
        let hasBegun = false
        const call = client.callTool({ name: "x" }, undefined, {
          signal: controller.signal,
          onprogress: () => void (hasBegun = true)
        })
        const outcome = call.then(() => "result", () => "error")
        await expect.poll(() => hasBegun).toBe(true)
        end(calls()[before]!.id as number, controller)
        expect(await outcome).toBe("error")
      }
      for (let n = 1; n <= 4; n++) {
        await ended((id, controller) =>
          n % 2 === 0
            ? controller.abort()
            : conversation().client.write({ jsonrpc: "2.0", id, error: { code: -1, message: "refused" } })
        )
        // By the last one, the first would have been asked for many times.
        await expect.poll(() => resumed.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(n)
      }
      expect(resumed.map(({ status }) => status)).toEqual([405, 405, 405, 405])
      expect(new Set(resumed.map(({ from }) => from)).size).toBe(4)
    })
  })
})
