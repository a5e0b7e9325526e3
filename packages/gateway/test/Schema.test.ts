import { describe, expect, it } from "@effect/vitest"
import { McpConfig } from "@mcp-lifeline/config"
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv"
import type { JsonSchemaType } from "@modelcontextprotocol/sdk/validation/types.js"
import { Either } from "effect"
import { McpJson } from "mcp-lifeline"

describe("schema.json", () => {
  it("[G2:unit] is what the tables say; `pnpm vitest -u --project mcp-lifeline Schema` writes it", async () => {
    await expect(`${JSON.stringify(McpConfig.schema(), undefined, 2)}\n`).toMatchFileSnapshot("../schema.json")
  })

  const isValid = new AjvJsonSchemaValidator().getValidator(McpConfig.schema() as JsonSchemaType)

  it.each<[boolean, object]>([
    [true, { sessions: "per-client", statusTool: false }],
    [true, { maxOwnServers: 5 }],
    [true, { prefix: "my-{server}_" }],
    [true, { prefix: "" }],
    [false, { prefix: "{server}." }],
    [false, { prefix: "x".repeat(41) }],
    [false, { maxOwnServers: 0 }],
    [false, { maxOwnServers: "5" }],
    [false, { sessions: "own" }],
    [false, { session: "shared" }],
    [false, { colour: "red" }]
  ])("[G15] agrees with the reader that it is %s of %j for all servers", (ok, lifeline) => {
    const file = { lifeline, mcpServers: { a: { command: "x" } } }
    const { problems } = Either.getOrThrow(McpJson.parse("mcp.json", JSON.stringify(file), {}))
    expect(problems.length === 0).toBe(ok)
    expect(isValid(file).valid).toBe(ok)
  })

  it.each<[boolean, object]>([
    [true, {
      command: "x",
      args: ["a"],
      env: { A: 1, B: null },
      envFile: ".env",
      cwd: "y",
      enabled: true,
      timeout: "90s"
    }],
    [true, { type: "local", command: ["x", "-y"], environment: {}, trust: true, autoApprove: ["z"] }],
    [true, { type: "streamableHttp", serverUrl: "https://h/mcp", headers: { A: "b" }, oauth: {} }],
    [true, {
      url: "http://h/mcp",
      bearer_token_env_var: "T",
      tool_timeout_sec: 30,
      lifeline: { calls: { retry: "never" } }
    }],
    [true, { command: "x", lifeline: { placement: "each" } }],
    [false, { command: "x", lifeline: { placement: "two" } }],
    [true, { url: "http://h/mcp", lifeline: { prefix: "{server}" } }],
    [false, { command: "x", lifeline: { prefix: "{servers}" } }],
    [true, { command: "x", keepalive: { method: "tool:ping", interval: "1 minute", idleTtl: "never" } }],
    [false, { args: [] }],
    [false, { command: 5 }],
    [false, { command: "" }],
    [false, { command: [] }],
    [false, { command: "x", args: ["a", 5] }],
    [false, { command: "x", env: { A: [] } }],
    [false, { command: "x", enabled: "yes" }],
    [false, { command: "x", agrs: [] }],
    [false, { command: "x", timeout: "soon" }],
    [false, { url: "http://h/mcp", type: "ws" }],
    [false, { url: "http://h/mcp", lifeline: { keepAlive: {} } }],
    [false, { url: "http://h/mcp", keepalive: { interval: 5 } }],
    [false, { url: "http://h/mcp", reconnect: { maxAttempts: 1.5 } }]
  ])("[G2:unit] agrees with the reader that it is %s of %j", (ok, server) => {
    const file = { mcpServers: { a: server } }
    const { problems } = Either.getOrThrow(McpJson.parse("mcp.json", JSON.stringify(file), { T: "t" }))
    expect(problems.length === 0).toBe(ok)
    expect(isValid(file).valid).toBe(ok)
  })
})
