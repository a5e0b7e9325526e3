import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { parse } from "smol-toml"
import { everything, gateway } from "../../../testing/test/support/Built.js"
import { folder as project } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const remote = listening(createServer((request, response) => {
  const server = new Server({ name: "remote", version: "1" }, { capabilities: { tools: {} } })
  const tools = [{ name: "headers", inputSchema: { type: "object" as const } }]
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }))
  server.setRequestHandler(CallToolRequestSchema, () => ({
    content: [{ type: "text", text: `${request.headers.authorization} ${request.headers["x-team"]}` }]
  }))
  const transport = new StreamableHTTPServerTransport({})
  response.on("close", () => void server.close())
  const connected = server.connect(transport as Parameters<typeof server.connect>[0])
  void connected.then(() => transport.handleRequest(request, response))
})).pipe(Effect.map((url) => `${url}/mcp`))

interface Started {
  readonly command: string
  readonly args: Array<string>
  readonly env?: Record<string, string>
}

const call = (cwd: string, { args, command, env }: Started, name: string, input: Record<string, unknown>) =>
  Effect.promise(async () => {
    // A desktop host has not the PATH of the shell.
    const PATH = "/usr/bin:/bin"
    const all = { ...process.env as Record<string, string>, PATH, MCP_LIFELINE_STATE: join(cwd, "state"), ...env }
    const client = new Client({ name: "host", version: "1" })
    await client.connect(new StdioClientTransport({ command, args, cwd, env: all, stderr: "ignore" }))
    try {
      const { content } = await client.callTool({ name, arguments: input })
      return (content as ReadonlyArray<{ readonly text: string }>)[0]?.text
    } finally {
      await client.close()
    }
  })

const adopt = (folder: string, file: string) =>
  Program.run(["adopt", join(folder, file), "--yes"], { HOME: folder, MCP_LIFELINE_STATE: join(folder, "state") })

describe("what an adopted file starts", () => {
  test.scopedLive("[W7] answers the official Client: a server that is started, and one at an address, which gets its headers", function*() {
    const folder = yield* project
    const url = yield* remote
    const file = join(folder, "mcp.json")
    const mcpServers = {
      local: { command: process.execPath, args: [everything, "stdio"] },
      remote: { type: "http", url, headers: { Authorization: "Bearer one two", "X-Team": "blue" } }
    }
    writeFileSync(file, JSON.stringify({ mcpServers }))
    expect((yield* adopt(folder, "mcp.json")).code).toBe(0)
    const { local, remote: at } = JSON.parse(readFileSync(file, "utf8")).mcpServers
    expect([local.command, ...local.args].join(" ")).toContain(`${gateway} wrap -- ${process.execPath}`)
    expect(yield* call(folder, local, "echo", { message: "hello" })).toBe("Echo: hello")
    expect(yield* call(folder, at, "headers", {})).toBe("Bearer one two blue")
  })

  test.scopedLive("[W7] in a file of Codex carries a bearer token on from the environment", function*() {
    const folder = yield* project
    const url = yield* remote
    const file = join(folder, "config.toml")
    const headers = 'bearer_token_env_var = "TEAM_TOKEN"\nhttp_headers = { X-Team = "red" }\n'
    writeFileSync(file, `[mcp_servers.remote]\nurl = "${url}"\n${headers}`)
    expect((yield* adopt(folder, "config.toml")).code).toBe(0)
    const { mcp_servers } = parse(readFileSync(file, "utf8")) as unknown as {
      readonly mcp_servers: { readonly remote: Started & { readonly env_vars: ReadonlyArray<string> } }
    }
    const { env_vars, ...entry } = mcp_servers.remote
    expect(env_vars).toEqual(["TEAM_TOKEN"])
    const env = { ...entry.env, TEAM_TOKEN: "abc" }
    expect(yield* call(folder, { ...entry, env }, "headers", {})).toBe("Bearer abc red")
  }, 300_000)
})
