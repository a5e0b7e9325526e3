import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { connect, type PolicyOptions, supervisedTransport } from "../../../promise/src/index.js"
import { serveHere, untilStatus } from "../support/Gateway.js"
import { options, stateFolder, wrap } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

interface Command {
  readonly command: string
  readonly args: Array<string>
}

type Call = (tool: string) => Promise<string>
type Door = (server: Command, policy: PolicyOptions, use: (call: Call) => Promise<void>) => Promise<void>

const outcome = (result: Promise<unknown>): Promise<string> =>
  result.then(
    (result) => (result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]!.text,
    (error: Error) => error.message
  )

const doors: Readonly<Record<string, Door>> = {
  connect: async (server, policy, use) => {
    const client = await connect(server, policy)
    await use((name) => outcome(client.callTool({ name })))
    await client.close()
  },
  supervisedTransport: async (server, policy, use) => {
    const client = new Client({ name: "test", version: "1" })
    await client.connect(supervisedTransport(server, policy))
    await use((name) => outcome(client.callTool({ name })))
    await client.close()
  },
  wrap: async ({ args, command }, policy, use) => {
    using state = stateFolder()
    const given = Object.entries(policy).map(([group, value]) => `${group}=${JSON.stringify(value)}`)
    await using host = wrap([...options(...given), "--", command, ...args], { state: state.path })
    await host.initialize()
    await use(async (name) => {
      const { error, result } = await host.request("tools/call", { name, arguments: {} })
      return error === undefined ? outcome(Promise.resolve(result)) : error.message
    })
  },
  serve: (server, policy, use) =>
    Effect.gen(function*() {
      const { base } = yield* serveHere({ s: { ...server, lifeline: policy } })
      yield* untilStatus(base, ({ state }) => state === "Connected", "s")
      const client = new Client({ name: "test", version: "1" })
      yield* Effect.promise(async () => {
        await client.connect(new StreamableHTTPClientTransport(new URL(`${base}/mcp`)) as Transport)
        await use((name) => outcome(client.callTool({ name: `s__${name}` })))
        await client.close()
      })
    }).pipe(Effect.scoped, Effect.runPromise)
}

/** Each call takes 50 ms, and says which it was and how many others of its kind, and of all, were carried out meanwhile. */
const [, command = "", ...args] = scripted(
  `
  if (name === "hang") return
  globalThis.count ??= { begun: 0, now: { write: 0, all: 0 } }
  const { now } = count
  const isWrite = name.startsWith("write_")
  const number = ++count.begun
  now.all++
  if (isWrite) now.write++
  const seen = { write: now.write, all: now.all }
  setTimeout(() => {
    now.all--
    if (isWrite) now.write--
    send(said([number, name, seen.write, seen.all].join(" ")))
  }, 50)
`,
  "",
  {
    before: `
    if (method === "tools/list") {
      const tools = ["write_a", "write_b", "read", "hang"].map((name) => ({ name, inputSchema: { type: "object" } }))
      return send(answer({ tools }))
    }
  `
  }
)

const policy = {
  calls: { concurrency: 3 },
  tools: { "write_*": { concurrency: 1 }, "h?ng": { timeout: "400 ms" } }
} satisfies PolicyOptions

describe.concurrent.each(Object.entries(doors))("%s", (name, door) => {
  it("[C18:real] calls beyond the limits wait for their turn, in order; the time of a tool bounds its calls", () =>
    door({ command, args }, policy, async (call) => {
      const tools = ["write_a", "write_b", "read", "write_a", "read", "read", "read", "write_b"]
      const answers = await Promise.all(tools.map(call))
      const seen = answers.map((answer) => answer.split(" "))
      assert.deepEqual(seen.map(([, tool]) => tool), tools)
      for (const [, , writes, all] of seen) {
        assert.isAtMost(Number(writes), 1)
        assert.isAtMost(Number(all), 3)
      }
      for (const kind of ["write_", "read"]) {
        // Requests over HTTP may arrive in another order.
        if (name === "serve") continue
        const order = seen.flatMap(([number, tool = ""]) => tool.startsWith(kind) ? [Number(number)] : [])
        assert.deepEqual(order, order.toSorted((a, b) => a - b))
      }
      assert.match(await call("hang"), /not answered within 400 ms/)
      assert.match(await call("read"), / read 0 1$/)
    }))
})
