import { describe, expect, it } from "@effect/vitest"
import { McpConfig } from "@mcp-lifeline/config"
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv"
import type { JsonSchemaType } from "@modelcontextprotocol/sdk/validation/types.js"
import { Either } from "effect"
import { McpJson } from "mcp-lifeline"

describe("schema.json", () => {
  it("[G2:unit] is what the tables say; `pnpm test -u packages/gateway/test/config/Schema` writes it", async () => {
    await expect(`${JSON.stringify(McpConfig.schema(), undefined, 2)}\n`).toMatchFileSnapshot("../../schema.json")
  })

  const others = { cwd: "y", enabled: true, timeout: "90s" }
  const neverRetried = { calls: { retry: "never" } }
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
    [true, { command: "x", args: ["a"], env: { A: 1, B: null }, envFile: ".env", ...others }],
    [true, { type: "local", command: ["x", "-y"], environment: {}, trust: true, autoApprove: ["z"] }],
    [true, { type: "streamableHttp", serverUrl: "https://h/mcp", headers: { A: "b" }, oauth: {} }],
    [true, { url: "http://h/mcp", bearer_token_env_var: "T", tool_timeout_sec: 30, lifeline: neverRetried }],
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

  const lists: ReadonlyArray<unknown> = [
    ...[null, true, 5, "", "a", [], ["a"], ["a", "b*"], [5], [null], [["a"]], {}],
    ...[{ only: ["a"] }, { hide: ["a"] }, { only: [], hide: [] }, { only: "a" }, { only: null }, { hide: 5 }],
    ...[{ hide: [""] }, { hide: [5] }, { only: { a: true } }, { onyl: ["a"] }, { only: ["a"], more: true }]
  ]
  const objects: ReadonlyArray<unknown> = [null, true, 5, "a", [], ["a"], {}, { a: null }, { a: 5 }, { a: [] }]
  const token = "a-token-of-sixteen"
  const inClient = (rules: object) => ({ lifeline: { clients: { ci: { token, ...rules } } } })
  const inGroups = (groups: unknown) => ({ lifeline: { auth: { issuer: "https://i.example" }, groups } })
  const inGroup = (rules: unknown) => inGroups({ c: { v: rules } })
  const inClients = (clients: unknown) => ({ lifeline: { clients } })
  type Row = [string, (value: unknown) => object, ReadonlyArray<unknown>]
  const plain = lists.filter((value) => !(Array.isArray(value) && value.includes("b*")))
  const inEntry = (keys: object) => ({ mcpServers: { a: { command: "x", ...keys } } })

  it.each<Row>([
    ...["servers", "tools"].flatMap((key): ReadonlyArray<Row> => [
      [`${key} of a client`, (value) => inClient({ [key]: value }), lists],
      [`${key} of a group`, (value) => inGroup({ [key]: value }), lists]
    ]),
    ["callsPerMinute", (callsPerMinute) => inClient({ callsPerMinute }), [
      ...[null, 0, 1, 1.5, "5", 1_000_000, 1_000_001, []]
    ]],
    ["admin", (value) => inClient({ admin: value }), [null, true, false, "true", 1, []]],
    ["token", (token) => inClients({ ci: { token } }), [
      ...[null, 5, "", "short", "x".repeat(15), "x".repeat(16), "two words of a token", "${SET}", "${SET:-x}x", [token]]
    ]],
    ["tokenFile", (tokenFile) => inClients({ ci: { tokenFile } }), [null, 5, "", "f", ["f"], {}]],
    ["a client", (ci) => inClients({ ci }), [
      ...objects,
      ...[{ token }, { tokenFile: "f" }, { token, tokenFile: "f" }, { token, tool: [] }]
    ]],
    ["the name of a client", (name) => inClients({ [String(name)]: { token } }), [
      ...["ci", "a b", "", "-a", "a@b.c", "x".repeat(64), "x".repeat(65)]
    ]],
    ["clients", inClients, objects],
    ["groups", inGroups, objects],
    ["a group", inGroup, objects],
    ...["includeTools", "excludeTools", "enabledTools", "enabled_tools", "disabledTools", "disabled_tools"].map(
      (key): Row => [`${key} of a server`, (value) => inEntry({ [key]: value }), plain]
    ),
    // A key that is nearly one of ours is a mistake for the reader only.
    [
      "tools of a server",
      (tools) => inEntry({ tools }),
      plain.filter((one) => JSON.stringify(one) !== '{"onyl":["a"]}')
    ],
    ["prompts of a server", (prompts) => inEntry({ prompts }), lists],
    ["lifeline.tools of a server", (tools) => inEntry({ lifeline: { tools } }), lists],
    ["tools of the file", (tools) => ({ tools }), [null, true, 5, "a", [], ["a"], {}, { only: ["a"] }, { only: "a" }]],
    ["lifeline.tools of the file", (tools) => ({ lifeline: { tools } }), lists]
  ])("[G2 G19 G22] agrees with the reader, whatever %s is", (_, make, values) => {
    for (const value of values) {
      const file = { mcpServers: { a: { command: "x" } }, ...make(value) }
      const { problems } = Either.getOrThrow(McpJson.parse("mcp.json", JSON.stringify(file), { SET: token }))
      const problem = expect.objectContaining({ key: expect.stringMatching(/./), message: expect.stringMatching(/./) })
      const expected = [value, problems.length === 0, problems.map(() => problem)]
      expect([value, isValid(file).valid, problems]).toEqual(expected)
    }
  })
})
