import type { SupervisedTransport } from "@mcp-lifeline/client"
import { supervisedTransport } from "@mcp-lifeline/client"
import { Client as ClientV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { eras as program } from "../../testing/test/support/Built.js"
import { rejection } from "./fixtures/rejection.js"

interface Some {
  readonly client: Pick<
    ClientV1,
    "close" | "getServerVersion" | "getPrompt" | "listPrompts" | "listResources" | "listTools" | "ping" | "readResource"
  >
  readonly callTool: (
    params: { name: string; arguments?: Record<string, unknown> },
    options?: { onprogress?: (progress: { progress: number }) => void; signal?: AbortSignal }
  ) => Promise<unknown>
}

const clientInfo = { name: "a-test", version: "1.2.3" }
const capabilities = { elicitation: { form: {} } }
const elicit = () => ({ action: "accept" as const, content: { name: "Ada" } })

type Make = (transport: SupervisedTransport, onListChanged: () => void) => Promise<Some>

const v2 = (mode: "legacy" | "auto"): Make => async (transport, onListChanged) => {
  const client = new ClientV2(clientInfo, { capabilities, versionNegotiation: { mode } })
  client.setRequestHandler("elicitation/create", elicit)
  client.setNotificationHandler("notifications/tools/list_changed", onListChanged)
  await client.connect(transport)
  return { client: client as never, callTool: (params, options) => client.callTool(params, options) }
}

const clients: Readonly<Record<string, Make>> = {
  v1: async (transport, onListChanged) => {
    const client = new ClientV1(clientInfo, { capabilities })
    client.setRequestHandler(ElicitRequestSchema, elicit)
    client.setNotificationHandler(ToolListChangedNotificationSchema, onListChanged)
    await client.connect(transport)
    return { client, callTool: (params, options) => client.callTool(params, undefined, options) }
  },
  v2: v2("legacy"),
  "v2, which asks for the era": v2("auto")
}

const pairs = Object.keys(clients).flatMap((client) => ["2025", "2026"].map((era) => ({ client, era })))

describe.each(pairs)(
  "the official Client $client, over a supervised transport to a server of $era",
  ({ client, era }) => {
    let changed: () => void = () => undefined
    let some: Some
    const transport = supervisedTransport({ command: process.execPath, args: [program, era] })
    const said = async (name: string, given: Record<string, unknown> = {}): Promise<string> => {
      const result = await some.callTool({ name, arguments: given })
      return (result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]?.text ?? ""
    }
    beforeAll(async () => {
      some = await clients[client]!(transport, () => changed())
    })
    afterAll(() => some.client.close())

    it("[F3] tools, prompts, resources, and a ping", async () => {
      assert.deepInclude(some.client.getServerVersion(), { name: "era", version: era })
      assert.strictEqual(
        transport.supervision?.status.protocolVersion,
        era === "2025" ? "2025-11-25" : "2026-07-28"
      )
      assert.strictEqual(await said("echo", { message: "hi" }), "Echo: hi")
      assert.strictEqual((await some.client.listTools()).tools[0]?.name, "echo")
      assert.strictEqual((await some.client.listPrompts()).prompts[0]?.name, "greeting")
      assert.deepInclude((await some.client.getPrompt({ name: "greeting" })).messages[0]?.content, { text: "Hello" })
      assert.strictEqual((await some.client.listResources()).resources[0]?.uri, "test://one")
      assert.deepInclude((await some.client.readResource({ uri: "test://one" })).contents[0], { text: "1" })
      await some.client.ping()
    })

    it("[F3 E8] a structured result is an object, and fits the schema in its list", async () => {
      // The official Clients compare results with the schemas of the last list.
      const { tools } = await some.client.listTools()
      assert.strictEqual(tools.find(({ name }) => name === "rows")?.outputSchema?.type, "object")
      assert.deepInclude(await some.callTool({ name: "rows" }), { structuredContent: { result: ["first", "second"] } })
    })

    it("[F3] progress, and a cancellation that reaches the server", async () => {
      const heard: Array<number> = []
      await some.callTool({ name: "progress" }, { onprogress: ({ progress }) => void heard.push(progress) })
      assert.deepStrictEqual(heard, [1, 2])
      const abort = new AbortController()
      const hanging = rejection(some.callTool({ name: "hangs" }, { signal: abort.signal }))
      // What is asked after it is answered after it was begun.
      await said("echo", { message: "begun" })
      abort.abort("enough")
      assert.instanceOf(await hanging, Error)
      assert.strictEqual(await said("cancelled"), "1")
    })

    it("[F3 E3] what the server asks the person is asked of the client", async () => {
      assert.deepInclude(JSON.parse(await said("asks")), { action: "accept", content: { name: "Ada" } })
    })

    it("[F3] a list that changes is announced", async () => {
      const announced = new Promise<void>((resolve) => {
        changed = resolve
      })
      await said("grow")
      await announced
      assert.include((await some.client.listTools()).tools.map(({ name }) => name), "grown")
    })

    it("[F3] a server that is killed comes back under the same client", async () => {
      const { supervision } = transport
      const pid = Number(await said("pid"))
      process.kill(pid, "SIGKILL")
      for await (const { generation, state } of supervision?.statusChanges() ?? assert.fail("not supervised")) {
        if (state === "Connected" && generation === 2) break
      }
      assert.notStrictEqual(Number(await said("pid")), pid)
      await some.client.close()
    })
  }
)

it("[F3] a client that asks after the era is told that there are sessions, and may then initialize", async () => {
  await using transport = supervisedTransport({ command: process.execPath, args: [program, "2026"] })
  const answers: Array<unknown> = []
  let answered: () => void = () => undefined
  transport.onmessage = (message) => {
    answers.push(message)
    answered()
  }
  const ask = async (id: number, method: string, params: Record<string, unknown>): Promise<void> => {
    const answer = new Promise<void>((resolve) => {
      answered = resolve
    })
    await transport.send({ jsonrpc: "2.0", id, method, params })
    await answer
  }
  await transport.start()
  await ask(1, "server/discover", {})
  await ask(2, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo })
  const [discovered, initialized] = answers as Array<Record<string, Record<string, unknown>>>
  assert.strictEqual(discovered?.["error"]?.["code"], -32601)
  assert.strictEqual(initialized?.["result"]?.["protocolVersion"], "2025-11-25")
})
