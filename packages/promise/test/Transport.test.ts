import type { SupervisedTransport, Supervision, TransportOptions } from "@mcp-lifeline/client"
import { BackendUnavailable, ConfigError, ConnectError, supervisedTransport } from "@mcp-lifeline/client"
import { HttpFaultServer, StdioFaultServer } from "@mcp-lifeline/testing"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import type { ClientCapabilities, JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  McpError,
  ToolListChangedNotificationSchema
} from "@modelcontextprotocol/sdk/types.js"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import * as Everything from "./fixtures/Everything.js"
import { rejection } from "./fixtures/rejection.js"

interface Connected extends AsyncDisposable {
  readonly client: Client
  readonly transport: SupervisedTransport
  readonly supervision: Supervision
}

const connected = async (
  server: Parameters<typeof supervisedTransport>[0],
  options: TransportOptions = {},
  capabilities: ClientCapabilities = {},
  prepare: (client: Client) => void = () => undefined
): Promise<Connected> => {
  const client = new Client({ name: "a-test", version: "1.2.3" }, { capabilities })
  prepare(client)
  const transport = supervisedTransport(server, options)
  await client.connect(transport)
  const supervision = transport.supervision ?? assert.fail("not supervised")
  return { client, transport, supervision, [Symbol.asyncDispose]: () => client.close() }
}

const echo = async (client: Client, message: string): Promise<unknown> =>
  (await client.callTool({ name: "echo", arguments: { message } })).content

const said = (message: string) => [{ type: "text", text: `Echo: ${message}` }]

const text = (result: unknown): string => (result as { content: Array<{ text: string }> }).content[0]?.text ?? ""

/** Kills the process, and waits until that is known: what is sent before may have been carried out. */
const kill = async (supervision: Supervision): Promise<number> => {
  const { generation, peer } = supervision.status
  const pid = peer?.pid ?? assert.fail("no process")
  process.kill(pid, "SIGKILL")
  for await (const status of supervision.statusChanges()) {
    if (status.state !== "Connected" || status.generation > generation) break
  }
  return pid
}

const reached = async (supervision: Supervision, generation: number): Promise<void> => {
  for await (const status of supervision.statusChanges()) {
    if (status.state === "Connected" && status.generation >= generation) return
  }
}

const signal = <A = void>() => {
  let resolve: (value: A) => void = () => undefined
  const promise = new Promise<A>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

const withDirectory = async (use: (directory: string) => Promise<void>): Promise<void> => {
  const directory = await mkdtemp(join(tmpdir(), "lifeline-"))
  try {
    await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const versions = fileURLToPath(new URL("fixtures/versions.mjs", import.meta.url))

describe("supervisedTransport under the official Client", () => {
  it("[F3] a stdio server is killed, and the client that knows nothing of it goes on", async () => {
    await using session = await connected(Everything.stdio)
    const { client, supervision } = session
    const seen: Array<unknown> = []
    client.onerror = (error) => seen.push(error)
    client.onclose = () => seen.push("closed")
    assert.strictEqual(client.getServerVersion()?.name, "mcp-servers/everything")
    assert.isString(client.getInstructions())
    assert.deepEqual(await echo(client, "one"), said("one"))
    const pid = await kill(supervision)
    assert.deepEqual(await echo(client, "two"), said("two"))
    await reached(supervision, 2)
    assert.notStrictEqual(supervision.status.peer?.pid, pid)
    assert.deepEqual(seen, [])
  })

  it("[F3] an HTTP server is restarted, and its client goes on", async () => {
    await using server = await Everything.HttpServer.start()
    await using session = await connected({ url: server.url })
    const { client, supervision } = session
    assert.isNotEmpty((await client.listTools()).tools)
    await server.kill()
    await server.start()
    assert.deepEqual(await echo(client, "after"), said("after"))
    assert.strictEqual(supervision.status.generation, 2)
  })

  it("[F3] the id of the session is that of the current connection", async () => {
    await using server = await HttpFaultServer.open()
    await using session = await connected({ url: server.url })
    const { client, supervision } = session
    const ids = () => [...server.sessions.keys()]
    const first = client.transport?.sessionId
    assert.deepEqual(ids(), [first])
    await supervision.reconnect()
    await client.ping()
    assert.include(ids(), client.transport?.sessionId)
    assert.notStrictEqual(client.transport?.sessionId, first)
    assert.isUndefined(supervisedTransport({ url: server.url }).sessionId)
  })

  it("[F3] a hundred calls at once over a restart each get their own answer", async () => {
    await using session = await connected(Everything.stdio)
    const { client, supervision } = session
    const numbers = Array.from({ length: 50 }, (_, n) => String(n))
    await supervision.refresh() // it is known then that echo only reads
    const before = numbers.map((n) => echo(client, n))
    const killed = kill(supervision)
    const after = numbers.map((n) => echo(client, `again ${n}`))
    await killed
    assert.deepEqual(await Promise.all(before), numbers.map(said))
    assert.deepEqual(await Promise.all(after), numbers.map((n) => said(`again ${n}`)))
  })

  it("[F3] a request that was cut off is answered with -32000 and its fate, and never sent again", () =>
    withDirectory(async (directory) => {
      const journal = join(directory, "journal")
      const crashes = [{ at: "call", nth: 1, point: "applied", signal: "SIGKILL" }] as const
      await using session = await connected(StdioFaultServer.command({ journal, crashes }))
      const { client } = session
      const error = await rejection(client.callTool({ name: "count", arguments: { key: "once" } }))
      assert.instanceOf(error, McpError)
      assert.strictEqual(error.code, -32000)
      assert.deepInclude(error.data as object, { fate: "unknown", tag: "ResultUnknown", generation: 1 })
      assert.strictEqual(text(await client.callTool({ name: "count", arguments: { key: "other" } })), "1")
      assert.strictEqual(StdioFaultServer.count(journal, "apply", "once"), 1)
    }))

  it("[F3] what does no harm twice is sent again, and answered", () =>
    withDirectory(async (directory) => {
      const journal = join(directory, "journal")
      const crashes = [{ at: "call", nth: 1, point: "applied", signal: "SIGKILL" }] as const
      await using session = await connected(StdioFaultServer.command({ journal, crashes }))
      const { client } = session
      await client.listTools()
      await session.supervision.refresh()
      assert.strictEqual(text(await client.callTool({ name: "set", arguments: { key: "again" } })), "2")
    }))

  it("[F3] a call that no connection comes for is answered with -32000, notSent", async () => {
    await using server = await Everything.HttpServer.start()
    await using session = await connected({ url: server.url }, { timeouts: { wait: 300 } })
    await server.kill()
    const error = await rejection(session.client.ping())
    assert.instanceOf(error, McpError)
    assert.strictEqual(error.code, -32000)
    assert.deepInclude(error.data as object, { fate: "notSent", tag: "BackendUnavailable" })
  })

  it("[F3] the server's own errors pass as they are", async () => {
    await using session = await connected(Everything.stdio)
    const raw = new Client({ name: "a-test", version: "1.2.3" })
    await raw.connect(
      new StdioClientTransport({ command: Everything.stdio.command, args: [...Everything.stdio.args!] })
    )
    const errors = await Promise.all(
      [session.client, raw].map((client) => rejection(client.getPrompt({ name: "no-such-prompt" })))
    )
    await raw.close()
    const [ours, theirs] = errors as [McpError, McpError]
    assert.deepEqual([ours.code, ours.message, ours.data], [theirs.code, theirs.message, theirs.data])
    assert.strictEqual(ours.code, -32602)
  })

  it("[F3] listChanged is declared, and the client is told when the tools differ after a restart", () =>
    withDirectory(async (directory) => {
      const server = StdioFaultServer.command({ journal: join(directory, "journal"), addedFrom: 3 })
      await using session = await connected(server)
      const { client, supervision } = session
      assert.deepEqual(client.getServerCapabilities(), { tools: { listChanged: true } })
      const changed = signal()
      let times = 0
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
        times++
        changed.resolve()
      })
      await supervision.refresh()
      await kill(supervision)
      await reached(supervision, 2)
      await supervision.refresh()
      await client.ping()
      assert.strictEqual(times, 0)
      await kill(supervision)
      await reached(supervision, 3)
      await changed.promise
      assert.include((await client.listTools()).tools.map(({ name }) => name), "added")
      assert.strictEqual(times, 1)
    }))

  it("[F3] what servers ask passes to the client and back, before and after a restart", async () => {
    const capabilities = { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } }
    await using session = await connected(Everything.stdio, {}, capabilities, (client) => {
      client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///here", name: "here" }] }))
      client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
        role: "assistant",
        model: "none",
        content: { type: "text", text: `sampled ${params.messages.length}` }
      }))
      client.setRequestHandler(ElicitRequestSchema, () => ({ action: "decline" }))
    })
    const { client, supervision } = session
    const use = async () => {
      const sampled = await client.callTool({ name: "trigger-sampling-request", arguments: { prompt: "p" } })
      assert.include(JSON.stringify(sampled), "sampled 1")
      const elicited = await client.callTool({ name: "trigger-elicitation-request", arguments: {} })
      assert.match(JSON.stringify(elicited), /decline/i)
      assert.include(JSON.stringify(await client.callTool({ name: "get-roots-list", arguments: {} })), "file:///here")
    }
    await use()
    await kill(supervision)
    await reached(supervision, 2)
    await use()
    const logged = signal<string>()
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => logged.resolve(params.level))
    await client.setLoggingLevel("debug")
    await client.callTool({ name: "toggle-simulated-logging", arguments: {} })
    assert.isString(await logged.promise)
  })

  it("[F3] a client without capabilities declares none, and its error is the server's answer", async () => {
    await using session = await connected(Everything.stdio)
    const { tools } = await session.client.listTools()
    // The everything server lists these for clients that declare the capability.
    assert.notInclude(tools.map(({ name }) => name), "trigger-sampling-request")
    assert.notInclude(tools.map(({ name }) => name), "get-roots-list")
  })

  it("[F3] progress keeps its token, and a cancelled call frees the client and tells the server", async () => {
    await using session = await connected(Everything.stdio)
    const { client, supervision } = session
    const progressed: Array<number> = []
    const long = (steps: number, duration: number, options: object) =>
      client.callTool(
        { name: "trigger-long-running-operation", arguments: { duration, steps } },
        undefined,
        { onprogress: ({ progress }) => progressed.push(progress), ...options }
      )
    await long(3, 0.3, {})
    assert.deepEqual(progressed, [1, 2, 3])
    const controller = new AbortController()
    const started = signal()
    const call = rejection(long(600, 60, { signal: controller.signal, onprogress: () => started.resolve() }))
    await started.promise
    assert.strictEqual(supervision.status.inFlight, 1)
    controller.abort("enough")
    assert.match(String(await call), /enough/)
    assert.deepEqual(await echo(client, "free"), said("free"))
    assert.deepInclude(supervision.status, { inFlight: 0, generation: 1 })
  })

  it("[F3] a cancelled request does not reach the client's call of the same time", () =>
    withDirectory(async (directory) => {
      const journal = join(directory, "journal")
      await using session = await connected(StdioFaultServer.command({ journal }))
      const controller = new AbortController()
      const { client } = session
      const started = signal()
      const call = rejection(
        client.callTool({ name: "silent" }, undefined, {
          signal: controller.signal,
          onprogress: () => started.resolve()
        })
      )
      await started.promise
      controller.abort()
      await call
      await client.ping()
      assert.strictEqual(StdioFaultServer.count(journal, "notification", "notifications/cancelled"), 1)
    }))

  it("[F3] the server is asked for the client's protocol version, and heard when the client is initialized", () =>
    withDirectory(async (directory) => {
      const server = { command: process.execPath, args: [versions, join(directory, "starts"), "2025-03-26"] }
      await using transport = supervisedTransport(server)
      const received: Array<JSONRPCMessage> = []
      let wake = (): void => undefined
      transport.onmessage = (message) => {
        received.push(message)
        wake()
      }
      const ask = async (id: string | number, method: string, params?: Record<string, unknown>) => {
        await transport.send({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) })
        while (!received.some((message) => "id" in message && message.id === id)) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
      await transport.start()
      const clientInfo = { name: "old", version: "1" }
      await ask("first", "initialize", { protocolVersion: "2025-03-26", capabilities: { roots: {} }, clientInfo })
      // The server has spoken before it answers this.
      await ask("second", "ping")
      assert.deepEqual(received.map((message) => "id" in message && message.id), ["first", "second"])
      await transport.send({ jsonrpc: "2.0", method: "notifications/initialized" })
      assert.deepEqual(received.slice(2), [
        { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "hello" } },
        { jsonrpc: "2.0", id: 1, method: "roots/list" }
      ])
      await ask(7, "tools/call", { name: "any" })
      assert.deepEqual(received.at(-1), {
        jsonrpc: "2.0",
        id: 7,
        result: { content: [{ type: "text", text: "2025-03-26" }] }
      })
    }))

  it("[F3] a server that comes back with another protocol version ends the transport with an error", () =>
    withDirectory(async (directory) => {
      const args = [versions, join(directory, "starts"), "2025-11-25", "2025-06-18"]
      const { client, supervision } = await connected({ command: process.execPath, args })
      const failed = signal<Error>()
      const closed = signal()
      client.onerror = failed.resolve
      client.onclose = closed.resolve
      await kill(supervision)
      const error = await failed.promise
      assert.instanceOf(error, ConnectError)
      assert.strictEqual(error.reason, "incompatible")
      assert.match(error.message, /2025-06-18.*2025-11-25/)
      await closed.promise
      assert.instanceOf(await rejection(client.ping()), Error)
    }))

  it("[F3] initialize is answered with an error at once where the failure is permanent, and the transport ends", async () => {
    const client = new Client({ name: "a-test", version: "1.2.3" })
    const error = await rejection(client.connect(supervisedTransport({ command: "/no/such/program" })))
    assert.instanceOf(error, McpError)
    assert.strictEqual(error.code, -32000)
    assert.deepInclude(error.data as object, { fate: "notSent", tag: "ConnectError", reason: "spawn", permanent: true })
    assert.throws(() => supervisedTransport({} as never), ConfigError)
    assert.throws(() => supervisedTransport({ ...Everything.stdio, disabled: true }), ConfigError, "disabled")
    assert.throws(() => supervisedTransport(Everything.stdio, { keepalive: { interval: 1 } }), ConfigError)
  })

  it("[F3] lazy or not, nothing is started before initialize", () =>
    withDirectory(async (directory) => {
      const journal = join(directory, "journal")
      const transport = supervisedTransport(StdioFaultServer.command({ journal }), { lifecycle: { lazy: true } })
      const client = new Client({ name: "a-test", version: "1.2.3" })
      assert.strictEqual(StdioFaultServer.count(journal, "start"), 0)
      await client.connect(transport)
      assert.strictEqual(StdioFaultServer.count(journal, "start"), 1)
      await client.close()
    }))

  it("[F3] close ends the process, calls onclose once, and leaves nothing to send to", async () => {
    const { client, supervision, transport } = await connected(Everything.stdio)
    let closes = 0
    client.onclose = () => closes++
    const pid = supervision.status.peer?.pid ?? assert.fail("no process")
    const call = rejection(
      client.callTool({ name: "trigger-long-running-operation", arguments: { duration: 60, steps: 1 } })
    )
    await client.ping()
    await client.close()
    await transport.close()
    assert.instanceOf(await call, McpError)
    assert.strictEqual(closes, 1)
    assert.isFalse(Everything.isAlive(pid))
    assert.strictEqual(supervision.status.state, "Closed")
    assert.instanceOf(await rejection(transport.send({ jsonrpc: "2.0", id: 1, method: "ping" })), BackendUnavailable)
    assert.instanceOf(await rejection(transport.start()), BackendUnavailable)
  })
})
