import { ReservedPort } from "@mcp-lifeline/testing"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import {
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema
} from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { keptSessions } from "../../../http-server/test/support/keptSessions.js"
import { everything } from "../../../testing/test/support/Built.js"
import { folder as temporary } from "../../../testing/test/support/folder.js"
import { Host, options } from "../support/Host.js"
import * as Program from "../support/Program.js"
import { reconnectionOptions } from "../support/Unaware.js"
import { describe, expect, test } from "../support/vitest.js"

const folder = Effect.map(temporary, (path) => {
  const config = join(path, "mcp.json")
  const mcpServers = { every: { command: process.execPath, args: [everything, "stdio"] } }
  // However long the server takes to start, calls wait for it.
  const lifeline = { timeouts: { connect: "2 minutes", wait: "2 minutes" } }
  writeFileSync(config, JSON.stringify({ mcpServers, lifeline }))
  return { config, state: join(path, "state") }
})

const slowDisk = { NODE_OPTIONS: `--import=${new URL("../fixtures/slowDisk.mjs", import.meta.url)}` }

const serve = (config: string, env: Record<string, string>, given?: string, args: ReadonlyArray<string> = []) =>
  Effect.gen(function*() {
    const port = given ?? String((yield* ReservedPort.make).port)
    const program = yield* Program.start(["serve", "--port", port, "--config", config, ...args], env)
    const [, url = ""] = yield* program.prints(/^Serving (http:\S+)$/m)
    return { program, url, port: new URL(url).port }
  })

const killed = Effect.fnUntraced(function*(program: Program.Program) {
  program.signal("SIGKILL")
  yield* program.ended
})

const echo = (message: string) => ({ name: "every__echo", arguments: { message } })

describe("clients outlive the gateway", () => {
  test.scopedLive("[G10] the official Client goes on after kill -9: no error, what it was answered last stands, and it is told that lists may have changed", function*() {
    const { config, state } = yield* folder
    const env = { MCP_LIFELINE_STATE: state }
    const first = yield* serve(config, { ...env, ...slowDisk })
    const client = new Client({ name: "official", version: "1" })
    const told: Array<string> = []
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => void told.push("tools"))
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void told.push(params.uri))
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void told.push(params.level))
    // By default it gives up on its stream after two tries, in 2.5 s: a gateway may take longer to start.
    const transport = new StreamableHTTPClientTransport(new URL(first.url), { reconnectionOptions })
    yield* Effect.promise(() => client.connect(transport as Transport))
    const uri = yield* Effect.promise(async () => {
      await expect.poll(async () => (await client.listResources()).resources).not.toEqual([])
      const [resource] = (await client.listResources()).resources
      await client.setLoggingLevel("warning")
      await client.subscribeResource({ uri: resource!.uri })
      Program.kill(first.program.pid)
      return resource!.uri
    })
    const id = transport.sessionId
    yield* first.program.ended
    expect(keptSessions(state)).toContain(`"level":"warning","subscriptions":["${uri}"]`)
    yield* serve(config, env, first.port)
    yield* Effect.promise(async () => {
      const again = [{ text: expect.stringContaining("again") }]
      expect((await client.callTool(echo("again"))).content).toMatchObject(again)
      expect(transport.sessionId).toBe(id)
      await expect.poll(() => told).toContain("tools")
      // The server sends updates of resources that are subscribed to, once it is asked to.
      await client.callTool({ name: "every__toggle-subscriber-updates", arguments: {} })
      await expect.poll(() => told).toContain(uri)
      await client.close()
    })
  })

  test.scopedLive("[G10] [W7] adopt puts wrap in front of a gateway, too: a call that its host makes while the gateway is away only waits", function*() {
    const { config, state } = yield* folder
    const env = { MCP_LIFELINE_STATE: state }
    const first = yield* serve(config, env)
    const file = join(config, "..", "host.json")
    writeFileSync(file, JSON.stringify({ mcpServers: { lifeline: { type: "http", url: first.url } } }))
    expect(yield* Program.run(["adopt", file, "--yes"], env)).toMatchObject({ code: 0, stderr: "" })
    const { args, command } = JSON.parse(readFileSync(file, "utf8")).mcpServers.lifeline
    expect(args.slice(-2)).toEqual(["wrap", first.url])
    // However long the gateway takes to start.
    args.splice(-1, 0, ...options("timeouts.wait=2min"))
    const host = yield* Effect.acquireRelease(
      Effect.sync(() => Host.start(command, args, { ...process.env, ...env })),
      (host) => Effect.promise(() => host[Symbol.asyncDispose]())
    )
    const call = (message: string) => host.call("every__echo", { message })
    yield* Effect.promise(async () => {
      await host.initialize()
      expect(await call("first")).toContain("first")
    })
    yield* killed(first.program)
    const waiting = call("while it is away")
    yield* serve(config, env, first.port)
    expect(yield* Effect.promise(() => waiting)).toContain("while it is away")
  })
})
