/**
 * Several processes of a server that keeps nothing between calls, behind each door.
 */
import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { assert, describe, it } from "vitest"
import { connect, connectAll, supervisedTransport } from "../../../promise/src/index.js"
import { ask, serveHere, untilStatus } from "../support/Gateway.js"
import { stateFolder, wrap } from "../support/Host.js"

interface Server {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly processes: number
  readonly stateless: boolean
}

interface Use {
  /** Calls a tool; gives its text, or the message of the error. */
  readonly call: (tool: string) => Promise<string>
  /** The ids of the processes in the status, where the door shows it. */
  readonly pids?: () => Promise<ReadonlyArray<number | undefined>>
}

type Door = (server: Server, use: (use: Use) => Promise<void>) => Promise<void>

const outcome = (result: Promise<unknown>): Promise<string> =>
  result.then(
    (result) => (result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]!.text,
    (error: Error) => error.message
  )

const pidsOf = (status: Backend.Backend["status"] extends Effect.Effect<infer S> ? S : never) =>
  (status.peer?.processes ?? []).map(({ pid }) => pid)

const doors: Readonly<Record<string, Door>> = {
  core: (server, use) =>
    Effect.gen(function*() {
      const backend = yield* Backend.make("s", { connector: StdioConnector.make(server) })
      yield* Effect.promise(() =>
        use({
          call: (name) => outcome(Effect.runPromise(backend.callTool({ name }))),
          pids: () => Effect.runPromise(Effect.map(backend.status, pidsOf))
        })
      )
    }).pipe(Effect.scoped, Effect.runPromise),
  connect: async (server, use) => {
    const client = await connect(server)
    await use({
      call: (name) => outcome(client.callTool({ name })),
      pids: async () => (client.status.peer?.processes ?? []).map(({ pid }) => pid)
    })
    await client.close()
  },
  connectAll: async (server, use) => {
    const fleet = await connectAll({ mcpServers: { s: server } })
    await use({ call: (name) => outcome(fleet.callTool({ name: `s__${name}` })) })
    await fleet.close()
  },
  supervisedTransport: async (server, use) => {
    const client = new Client({ name: "test", version: "1" })
    await client.connect(supervisedTransport(server))
    await use({ call: (name) => outcome(client.callTool({ name })) })
    await client.close()
  },
  wrap: async ({ args, command, processes }, use) => {
    using state = stateFolder()
    await using host = wrap(["--processes", String(processes), "--stateless", "--", command, ...args], {
      state: state.path
    })
    await host.initialize()
    await use({
      call: async (name) => {
        const { error, result } = await host.request("tools/call", { name, arguments: {} })
        return error === undefined ? outcome(Promise.resolve(result)) : error.message
      }
    })
  },
  serve: (server, use) =>
    Effect.gen(function*() {
      const { base } = yield* serveHere({ s: server })
      yield* untilStatus(base, ({ state }) => state === "Connected", "s")
      const client = new Client({ name: "test", version: "1" })
      yield* Effect.promise(async () => {
        await client.connect(new StreamableHTTPClientTransport(new URL(`${base}/mcp`)) as Transport)
        await use({
          call: (name) => outcome(client.callTool({ name: `s__${name}` })),
          pids: async () => {
            const { body } = await Effect.runPromise(ask(`${base}/api/servers/s`))
            return body.processes.map(({ pid }: { readonly pid?: number }) => pid)
          }
        })
        await client.close()
      })
    }).pipe(Effect.scoped, Effect.runPromise)
}

/** Writes each call to `calls`, and answers with its process id once there is a file `release`. */
const source = `
import { appendFileSync, existsSync } from "node:fs"
import { createInterface } from "node:readline"
const [calls, release, starts] = process.argv.slice(2)
appendFileSync(starts, process.pid + " ")
const say = (message) => console.log(JSON.stringify({ jsonrpc: "2.0", ...message }))
const tool = (name, readOnlyHint) => ({ name, inputSchema: { type: "object" }, annotations: { readOnlyHint } })
const called = (id, name) => {
  appendFileSync(calls, name + ":" + process.pid + " ")
  const look = () =>
    existsSync(release)
      ? say({ id, result: { content: [{ type: "text", text: String(process.pid) }] } })
      : setTimeout(look, 10)
  look()
}
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) return
  if (method === "initialize") {
    const { protocolVersion } = params
    return say({ id, result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } } })
  }
  if (method === "tools/list") return say({ id, result: { tools: [tool("look", true), tool("pay", false)] } })
  if (method === "tools/call") return called(id, params.name)
  if (method === "ping") return say({ id, result: {} })
  say({ id, error: { code: -32601, message: "Method not found" } })
}).on("close", () => process.exit())
`

const words = (file: string): ReadonlyArray<string> =>
  existsSync(file) ? readFileSync(file, "utf8").split(" ").filter((word) => word !== "") : []

/** Waits as long as the test may. */
const until = async <A>(look: () => A | undefined | false): Promise<A> => {
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    await sleep(10)
  }
}

const isAlive = (pid: string): boolean => {
  try {
    process.kill(Number(pid), 0)
    return true
  } catch {
    return false
  }
}

describe.concurrent.each(Object.entries(doors))("%s", (_, door) => {
  it("[C18:real] calls overlap in several processes; one that is killed fails alone, comes back, and none is left", async () => {
    using folder = stateFolder()
    const [program, calls, release, starts] = ["server.mjs", "calls", "release", "starts"].map((name) =>
      join(folder.path, name)
    ) as [string, string, string, string]
    writeFileSync(program, source)
    const server = {
      command: process.execPath,
      args: [program, calls, release, starts],
      processes: 3,
      stateless: true
    }
    await door(server, async ({ call, pids }) => {
      const sent = async (tool: string) => {
        const before = words(calls).length
        const result = call(tool)
        const [, pid = ""] = (await until(() => words(calls)[before])).split(":")
        return { pid, result }
      }
      await until(() => words(starts).length === 3)
      // They have started, but two of them may not be connected yet: until then, calls share those that are.
      const all = words(starts)
      writeFileSync(release, "")
      const seen = new Set<string>()
      while (seen.size < 3) {
        for (const pid of await Promise.all([call("look"), call("look"), call("look")])) seen.add(pid)
      }
      assert.sameMembers([...seen], [...all])
      if (pids !== undefined) assert.sameMembers([...await pids()].map(String), [...all])
      rmSync(release)

      const look = await sent("look")
      const pay = await sent("pay")
      const other = await sent("pay")
      assert.strictEqual(new Set([look.pid, pay.pid, other.pid]).size, 3)
      process.kill(Number(look.pid), "SIGKILL")
      // What reads goes on in another process.
      const killed = words(calls).lastIndexOf(`look:${look.pid}`)
      await until(() => words(calls).slice(killed + 1).some((one) => one.startsWith("look:")))
      process.kill(Number(pay.pid), "SIGKILL")
      assert.match(await pay.result, /result is unknown/)
      writeFileSync(release, "")
      assert.strictEqual(await other.result, other.pid)
      assert.notInclude([look.pid], await look.result)
      assert.match(await look.result, /^\d+$/)
      assert.strictEqual(words(calls).filter((one) => one.startsWith("pay:")).length, 2)
      // Both come back.
      await until(() => words(starts).length === 5)
    })
    for (const pid of words(starts)) await until(() => !isAlive(pid))
  })
})
