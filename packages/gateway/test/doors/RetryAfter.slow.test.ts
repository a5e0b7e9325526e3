import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import { Endpoint, ServerPool } from "mcp-lifeline"
import { assert, describe, it } from "vitest"
import { connect, connectAll } from "../../../promise/src/index.js"
import { ask } from "../support/Gateway.js"
import * as Served from "../support/Served.js"

type Call = () => Promise<string>
type Door = (
  server: HttpFaultServer.HttpFaultServer,
  refuse: () => void,
  use: (call: Call) => Promise<void>
) => Promise<void>

/** Only a Retry-After keeps attempts apart. */
const reconnect = { initialDelay: 1, maxDelay: 1, demandInterval: 1 } as const
const timeouts = { wait: 50 } as const
const keepalive = { method: "none" } as const
const transport = { transport: "streamable", protocol: "2025" } as const

const described = ({ url }: HttpFaultServer.HttpFaultServer) =>
  ({ url, protocol: "2025", headers: { authorization: "Bearer worn-out" } }) as const

const failing = (result: Promise<unknown>): Promise<string> =>
  result.then(() => "it was answered", (error: Error) => error.message)

const doors: Readonly<Record<string, Door>> = {
  "connect, after it was connected": async (server, refuse, use) => {
    const client = await connect(described(server), { keepalive, reconnect, timeouts })
    refuse()
    await use(() => failing(client.callTool({ name: "echo" })))
    await client.close()
  },
  connectAll: async (server, refuse, use) => {
    refuse()
    const lifeline = { keepalive, reconnect, timeouts }
    const fleet = await connectAll({ mcpServers: { o: { ...described(server), lifeline } } })
    await use(() => failing(fleet.callTool({ name: "o__echo" })))
    await fleet.close()
  },
  "the API of serve": (server, refuse, use) =>
    Effect.gen(function*() {
      refuse()
      const connector = HttpConnector.make({ url: server.url, ...transport })
      const servers = yield* ServerPool.make([{ id: "o", connector, keepalive, reconnect, timeouts }])
      const { url } = yield* Endpoint.serve({ ...(yield* Served.bind()), servers, introductionWait: 0 })
      const call = () => Effect.runPromise(ask(`${new URL(url).origin}/api/call`, "POST", { name: "o__echo" }))
      yield* Effect.promise(() => use(async () => (await call()).body.error.message))
    }).pipe(Effect.scoped, Effect.runPromise)
}

describe.concurrent.each(Object.entries(doors))("%s", (_, door) => {
  it("[R13:real R6] 200 calls of a server that refuses with Retry-After make no attempt before that", async () => {
    await using server = await HttpFaultServer.open()
    const refuse = () => {
      server.fail("initialize", HttpFault.status(401, { retryAfter: 60 }))
      server.sessions.clear()
    }
    await door(server, refuse, async (call) => {
      while (!/HTTP 401/.test(await call()));
      const before = server.count("initialize")
      for (let round = 0; round < 10; round++) {
        for (const message of await Promise.all(Array.from({ length: 20 }, call))) assert.match(message, /HTTP 401/)
      }
      assert.strictEqual(server.count("initialize"), before)
    })
  })
})
