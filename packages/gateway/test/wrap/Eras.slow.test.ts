import { Client as ClientV2 } from "@modelcontextprotocol/client"
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js"
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { eras as program, gateway } from "../../../testing/test/support/Built.js"
import { type Message, stateFolder, wrap } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

const clientInfo = { name: "a-test", version: "1.2.3" }
const capabilities = { elicitation: { form: {} } }
const rows = ["first", "second"]
const elicit = () => ({ action: "accept" as const, content: { name: "Ada" } })

const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": clientInfo,
  "io.modelcontextprotocol/clientCapabilities": {}
}

interface Some {
  readonly client: Pick<
    ClientV1,
    | "close"
    | "getInstructions"
    | "getPrompt"
    | "getServerVersion"
    | "listPrompts"
    | "listResources"
    | "listTools"
    | "readResource"
  >
  readonly callTool: (
    params: { name: string; arguments?: Record<string, unknown> },
    options?: { signal?: AbortSignal }
  ) => Promise<unknown>
}

type Make = (args: ReadonlyArray<string>, state: string, onListChanged: () => void) => Promise<Some>

const started = (args: ReadonlyArray<string>, state: string) => ({
  command: process.execPath,
  args: [gateway, "wrap", "--", ...args],
  env: { ...process.env as Record<string, string>, MCP_LIFELINE_STATE: state },
  stderr: "ignore" as const
})

/** The official Clients as a host has them, over their own transports. The modern one starts the program twice: once to ask. */
const clients: Readonly<Record<string, Make>> = {
  "2025": async (args, state, onListChanged) => {
    const client = new ClientV1(clientInfo, { capabilities })
    client.setRequestHandler(ElicitRequestSchema, elicit)
    client.setNotificationHandler(ToolListChangedNotificationSchema, onListChanged)
    await client.connect(new StdioV1(started(args, state)))
    return { client, callTool: (params, options) => client.callTool(params, undefined, options) }
  },
  "2026": async (args, state, onListChanged) => {
    const client = new ClientV2(clientInfo, { capabilities, versionNegotiation: { mode: "auto" } })
    client.setRequestHandler("elicitation/create", elicit)
    client.setNotificationHandler("notifications/tools/list_changed", onListChanged)
    await client.connect(new StdioV2(started(args, state)))
    assert.strictEqual(client.getNegotiatedProtocolVersion(), "2026-07-28")
    await client.listen({ toolsListChanged: true })
    return { client: client as never, callTool: (params, options) => client.callTool(params, options) }
  }
}

const pairs = Object.keys(clients).flatMap((client) => ["2025", "2026"].map((era) => ({ client, era })))

describe.each(pairs)("wrap between a client of $client and a server of $era", ({ client, era }) => {
  const state = stateFolder()
  let changed: () => void = () => undefined
  let some: Some
  const said = async (name: string, given: Record<string, unknown> = {}): Promise<string> => {
    const result = await some.callTool({ name, arguments: given })
    return (result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]?.text ?? ""
  }
  beforeAll(async () => {
    some = await clients[client]!([process.execPath, program, era], state.path, () => changed())
  })
  afterAll(async () => {
    await some.client.close()
    state[Symbol.dispose]()
  })

  it("[E8 E3] tools, prompts, resources, what the server asks the person, and a list that changes", async () => {
    const announced = new Promise<void>((resolve) => {
      changed = resolve
    })
    assert.strictEqual(await said("echo", { message: "hi" }), "Echo: hi")
    assert.strictEqual((await some.client.listTools()).tools[0]?.name, "echo")
    assert.strictEqual((await some.client.listPrompts()).prompts[0]?.name, "greeting")
    assert.deepInclude((await some.client.getPrompt({ name: "greeting" })).messages[0]?.content, { text: "Hello" })
    assert.strictEqual((await some.client.listResources()).resources[0]?.uri, "test://one")
    assert.deepInclude((await some.client.readResource({ uri: "test://one" })).contents[0], { text: "1" })
    assert.deepInclude(JSON.parse(await said("asks")), { action: "accept", content: { name: "Ada" } })
    await said("grow")
    await announced
  })

  it("[E8] a structured result has the form of the client's revision, and fits the schema in its list", async () => {
    // The official Clients compare results with the schemas of the last list.
    const { tools } = await some.client.listTools()
    const structured = { structuredContent: client === "2025" || era === "2025" ? { result: rows } : rows }
    assert.deepInclude(await some.callTool({ name: "rows" }), structured)
    const schema = tools.find(({ name }) => name === "rows")?.outputSchema
    assert.strictEqual(schema?.type as string, client === "2025" || era === "2025" ? "object" : "array")
  })

  // As it is on the wire: the official Clients lose progress that comes together with the result.
  it("[E8] progress", async () => {
    await using host = wrap(["--", process.execPath, program, era])
    if (client === "2025") await host.initialize()
    const meta = { ...(client === "2026" ? envelope : {}), progressToken: "mine" }
    await host.result("tools/call", { name: "progress", arguments: {}, _meta: meta })
    assert.deepEqual(
      host.progress().map(({ params }) => [params?.["progressToken"], params?.["progress"]]),
      [["mine", 1], ["mine", 2]]
    )
    assert.isDefined(host.messages.at(-1)?.result)
  })

  it("[E8] a cancellation reaches the server", async () => {
    const abort = new AbortController()
    const hanging = some.callTool({ name: "hangs" }, { signal: abort.signal }).then(() => "answered", () => "cancelled")
    await said("echo", { message: "begun" })
    abort.abort("enough")
    assert.strictEqual(await hanging, "cancelled")
    while (await said("cancelled") !== "1") await new Promise((resolve) => setTimeout(resolve, 10))
  })

  it("[W4] a server that is killed comes back under the same client", async () => {
    const pid = Number(await said("pid"))
    process.kill(pid, "SIGKILL")
    while (!(await some.client.listTools().then(({ tools }) => tools.length > 0))) continue
    let again = pid
    while (again === pid) again = Number(await said("pid").catch(() => pid))
    assert.notStrictEqual(again, pid)
  })
})

describe("wrap and the eras", () => {
  it("[E7 W9] a probe starts a server that is not remembered, and no other", async () => {
    using state = stateFolder()
    const probed = async (isRemembered: boolean): Promise<Message> => {
      await using host = wrap(["--", process.execPath, program, "2025"], { state: state.path })
      const discovered = await host.request("server/discover", { _meta: envelope })
      assert.lengthOf(host.family, isRemembered ? 0 : 1)
      return discovered
    }
    let first = await probed(false)
    // A machine may be so slow that a host is told nothing yet.
    while (first.error !== undefined) first = await probed(false)
    assert.deepEqual(first.result?.["supportedVersions"], ["2026-07-28"])
    assert.deepEqual(await probed(true), first)
  })

  it("[E9] the protocol's keys of _meta stay on their hop, and everything else in it passes", async () => {
    const own = { mine: 1, "io.modelcontextprotocol/serverInfo": { name: "x" } }
    await using host = wrap(scripted(`
      const { id: of, result } = said(params._meta ?? {})
      send({ id: of, result: { ...result, _meta: ${JSON.stringify(own)} } })`))
    const result = await host.result("tools/call", { name: "x", _meta: { ...envelope, "example.com/trace": "t" } })
    assert.deepEqual(JSON.parse(result["content"][0].text), { "example.com/trace": "t" })
    assert.deepEqual(result["_meta"], { mine: 1 })
  })
})
