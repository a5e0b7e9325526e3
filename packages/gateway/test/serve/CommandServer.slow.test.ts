import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { assert, describe, it } from "vitest"
import { eras, everything } from "../../../testing/test/support/Built.js"
import { serve } from "../support/Host.js"
import { alive } from "../support/Program.js"
import { listing, scripted } from "../support/Scripted.js"
import { accept } from "../support/Served.js"

const version = "2026-07-28"
const key = (name: string): string => `io.modelcontextprotocol/${name}`

const capabilities = { elicitation: { form: {} } }

const served = async (server: ReadonlyArray<string>) => {
  const host = serve(server)
  const url = await host.until(() => host.url)
  return { host, url, [Symbol.asyncDispose]: () => host[Symbol.asyncDispose]() }
}

const textOf = (result: unknown): string =>
  (result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]?.text ?? ""

const legacy = async (url: string): Promise<ClientV1> => {
  const client = new ClientV1({ name: "a-test", version: "1" }, { capabilities })
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept" as const, content: { name: "Ada" } }))
  await client.connect(new HttpV1(new URL(url)) as never)
  return client
}

/** A client of 2026-07-28. Where the machine is so slow that it is told nothing of the server yet, it asks again. */
const modern = async (url: string, name = "a-test", answer = "Ada"): Promise<ClientV2> => {
  for (;;) {
    const client = new ClientV2({ name, version: "1" }, { capabilities, versionNegotiation: { mode: "auto" } })
    client.setRequestHandler("elicitation/create", () => ({ action: "accept" as const, content: { name: answer } }))
    await client.connect(new HttpV2(new URL(url)))
    if (client.getNegotiatedProtocolVersion() === version) return client
    await client.close()
  }
}

const call = (url: string, name: string, meta: object, signal: AbortSignal | null = null): Promise<Response> => {
  const _meta = { [key("protocolVersion")]: version, [key("clientCapabilities")]: {}, ...meta }
  return fetch(url, {
    method: "POST",
    headers: { ...accept, "MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": name },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, _meta } }),
    signal
  })
}

const messages = async (response: Response): Promise<ReadonlyArray<any>> => {
  const text = await response.text()
  return text.startsWith("{")
    ? [JSON.parse(text)]
    : text.split("\n").filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)))
}

describe.concurrent.each(["2025", "2026"])("serve -- COMMAND in front of a server of %s", (era) => {
  const server = ["--", process.execPath, eras, era]

  it("[E7 E8] real clients of both eras are served at one URL at once", async () => {
    await using one = await served(server)
    const [old, now] = [await legacy(one.url), await modern(one.url)]
    for (const client of [old, now]) {
      assert.strictEqual(textOf(await client.callTool({ name: "echo", arguments: { message: "hi" } })), "Echo: hi")
      assert.strictEqual((await client.listTools()).tools[0]?.name, "echo")
      assert.strictEqual((await client.listPrompts()).prompts[0]?.name, "greeting")
      assert.deepInclude((await client.readResource({ uri: "test://one" })).contents[0], { text: "1" })
      assert.deepInclude(JSON.parse(textOf(await client.callTool({ name: "asks" }))), { content: { name: "Ada" } })
    }
    await old.close()
    await now.close()
  })

  it("[E8] requests of one client share a server, and a list that changes is announced", async () => {
    await using one = await served(server)
    const client = await modern(one.url)
    let changed: () => void = () => undefined
    const announced = new Promise<void>((resolve) => (changed = resolve))
    client.setNotificationHandler("notifications/tools/list_changed", () => changed())
    const subscription = await client.listen({ toolsListChanged: true })
    const pid = textOf(await client.callTool({ name: "pid" }))
    assert.strictEqual(textOf(await client.callTool({ name: "pid" })), pid)
    await client.callTool({ name: "grow" })
    await announced
    await subscription.close()
    await client.close()
  })

  it("[E8] clients that differ in what they can do have each a server that was told so", async () => {
    await using one = await served(server)
    const [ada, eve] = [await modern(one.url), await modern(one.url, "another", "Eve")]
    assert.notStrictEqual(textOf(await ada.callTool({ name: "pid" })), textOf(await eve.callTool({ name: "pid" })))
    const asked = await Promise.all([ada.callTool({ name: "asks" }), eve.callTool({ name: "asks" })])
    assert.deepEqual(asked.map((result) => JSON.parse(textOf(result)).content.name), ["Ada", "Eve"])
    await ada.close()
    await eve.close()
  })

  it.runIf(era === "2026")("[E3 E8] what the server asks in place of a result comes as it is", async () => {
    await using one = await served(server)
    const meta = { [key("clientCapabilities")]: capabilities }
    const [asked] = await messages(await call(one.url, "asks", meta))
    assert.deepEqual(Object.keys(asked.result.inputRequests), ["name"])
  })
})

describe("serve -- COMMAND", () => {
  it("[W1 W2 W9] stands where the server stood, each session with one of its own, and leaves nothing", async () => {
    await using one = await served(["--", process.execPath, everything, "stdio"])
    const direct = new ClientV1({ name: "a-test", version: "1" }, { capabilities })
    await direct.connect(new StdioV1({ command: process.execPath, args: [everything, "stdio"], stderr: "ignore" }))
    const [client, other] = [await legacy(one.url), await legacy(one.url)]
    const said = async (of: ClientV1) => ({
      info: of.getServerVersion(),
      instructions: of.getInstructions(),
      kinds: Object.keys(of.getServerCapabilities() ?? {}).toSorted(),
      // That a tool only runs as a task is nothing that a client has to know.
      tools: (await of.listTools()).tools.map((tool) => ({ ...tool, execution: undefined })),
      prompts: await of.listPrompts(),
      resources: await of.listResources(),
      templates: await of.listResourceTemplates(),
      echo: await of.callTool({ name: "echo", arguments: { message: "hi" } })
    })
    const itself = await said(direct)
    await direct.close()
    assert.deepEqual([await said(client), await said(other)], [itself, itself])
    const started = one.host.family
    assert.lengthOf(started, 2)
    process.kill(started[0] ?? 0, "SIGKILL")
    assert.deepEqual([await said(client), await said(other)], [itself, itself])
    const last = one.host.family
    one.host.child.kill("SIGTERM")
    assert.deepEqual(await one.host.ended, { code: 0, signal: null })
    while (last.some(alive)) await new Promise((resolve) => setTimeout(resolve, 20))
  })
})

describe("serve -- COMMAND without sessions", () => {
  it("[E8] what the server says during a request goes to that request, under its own names", async () => {
    await using one = await served(scripted(
      `
      const { progressToken } = params._meta ?? {}
      if (progressToken !== undefined) send({ method: "notifications/progress", params: { progressToken, progress: 1 } })
      setTimeout(() => send(said(name)), 200)`,
      "",
      { before: listing("a", "b") }
    ))
    const answers = await Promise.all(
      ["a", "b"].map(async (name) => messages(await call(one.url, name, { progressToken: "same" })))
    )
    assert.deepEqual(
      answers.map((all) => all.map(({ id, params, result }) => [id, params?.progressToken, result?.content[0].text])),
      ["a", "b"].map((name) => [[undefined, "same", undefined], [1, undefined, name]])
    )
  })

  it("[E8] a question of the server is shown to nobody while calls of two windows wait", async () => {
    await using one = await served(scripted(
      `
      if (name === "asks") ask("elicitation/create", { message: "Who?", requestedSchema: { type: "object" } })
        .then((answer) => send(said(answer)))
      else send({ method: "notifications/progress", params: { progressToken: params._meta.progressToken, progress: 1 } })`,
      "",
      { before: listing("asks", "hangs") }
    ))
    const abort = new AbortController()
    const meta = { [key("clientCapabilities")]: capabilities }
    const window = await call(one.url, "hangs", { ...meta, progressToken: 1 }, abort.signal)
    const [answer] = await messages(await call(one.url, "asks", meta))
    assert.match(JSON.parse(textOf(answer.result)).message, /2 calls are under way.*shown to nobody/)
    abort.abort()
    await window.text().catch(() => "")
  })

  it("[E8 G18] streams of changes end with a result when serve ends", async () => {
    await using one = await served(["--", process.execPath, eras, "2025"])
    const client = await modern(one.url)
    const subscription = await client.listen({ toolsListChanged: true })
    one.host.child.kill("SIGTERM")
    assert.strictEqual(await subscription.closed, "graceful")
    await client.close()
  })
})
