import { connect, connectAll, supervisedTransport } from "@mcp-lifeline/client"
import type { Client, ConnectOptions } from "@mcp-lifeline/client"
import { HttpFaultServer, StdioFaultServer } from "@mcp-lifeline/testing"
import { Client as OfficialClient } from "@modelcontextprotocol/sdk/client/index.js"
import { InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { CallToolResultSchema, McpError, ResultSchema } from "@modelcontextprotocol/sdk/types.js"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import * as Everything from "./fixtures/Everything.js"
import { rejection } from "./fixtures/rejection.js"
import { withDirectory } from "./fixtures/withDirectory.js"

const reconnect = { initialDelay: 50, demandInterval: 50 }

const inMemory = (make: () => McpServer, options: ConnectOptions = {}) =>
  connect({
    transport: async () => {
      const [ours, theirs] = InMemoryTransport.createLinkedPair()
      await make().connect(theirs)
      return ours
    }
  }, { reconnect, ...options })

const server = () => {
  const one = new McpServer({ name: "docs", version: "1.0.0" }, { instructions: "read them" })
  one.registerTool("hello", {}, () => ({ content: [{ type: "text", text: "hello" }] }))
  return one
}

const reached = async (client: Client, generation: number): Promise<void> => {
  for await (const status of client.statusChanges()) {
    if (status.state === "Connected" && status.generation >= generation) return
  }
}

const longTask = () => {
  const one = new McpServer({ name: "slow", version: "1.0.0" }, {
    capabilities: { tasks: { requests: { tools: { call: {} } } } },
    taskStore: new InMemoryTaskStore()
  })
  one.experimental.tasks.registerToolTask("long", { execution: { taskSupport: "required" } }, {
    createTask: async ({ taskStore }) => {
      const task = await taskStore.createTask({ ttl: 60_000, pollInterval: 10 })
      await taskStore.storeTaskResult(task.taskId, "completed", { content: [{ type: "text", text: "done" }] })
      return { task }
    },
    getTask: ({ taskId, taskStore }) => taskStore.getTask(taskId),
    getTaskResult: async ({ taskId, taskStore }) => await taskStore.getTaskResult(taskId) as never
  })
  return one
}

describe("an official Client", () => {
  it("[F2:real] is what connect and a fleet's client give, without a cast", async () => {
    await using fleet = await connectAll({ mcpServers: { one: Everything.stdio } })
    await using single = await inMemory(server)
    const clients: ReadonlyArray<OfficialClient> = [fleet.client("one"), single]
    for (const client of clients) {
      assert.instanceOf(client, OfficialClient)
      assert.isNotEmpty((await client.listTools()).tools)
      assert.match(String(await rejection(client.connect(InMemoryTransport.createLinkedPair()[0]))), /has its server/)
    }
    assert.strictEqual(single.getInstructions(), "read them")
  })

  it("[F2:real] listChanged, a validator and strict capabilities are options; fallback handlers are there", async () => {
    const servers: Array<McpServer> = []
    const make = () => {
      const one = server()
      servers.push(one)
      return one
    }
    const lists: Array<ReadonlyArray<string>> = []
    let heard = (): void => undefined
    const changed = new Promise<void>((resolve) => {
      heard = resolve
    })
    await using client = await inMemory(make, {
      enforceStrictCapabilities: true,
      listChanged: {
        tools: {
          debounceMs: 0,
          onChanged: (_, tools) => {
            lists.push((tools ?? []).map(({ name }) => name))
            heard()
          }
        }
      }
    })
    assert.match(String(await rejection(client.listPrompts())), /does not support prompts/)
    const methods: Array<string> = []
    client.fallbackNotificationHandler = ({ method }) => {
      methods.push(method)
      return Promise.resolve()
    }
    client.fallbackRequestHandler = ({ method }) => Promise.resolve({ said: method })
    const peer = servers[0]?.server ?? assert.fail("not connected")
    await peer.notification({ method: "notifications/own" as never })
    assert.deepEqual(await peer.request({ method: "own/request" as never }, ResultSchema), { said: "own/request" })
    assert.deepEqual(methods, ["notifications/own"])
    servers[0]?.registerTool("later", {}, () => ({ content: [] }))
    await changed
    assert.deepEqual(lists, [["hello", "later"]])
  })

  it('[C17:real] a tool whose task is "required" is refused as the official Client does it, with calls.tasks "never"', async () => {
    await using client = await inMemory(longTask, { calls: { tasks: "never" } })
    await client.listTools()
    assert.match(String(await rejection(client.callTool({ name: "long" }))), /requires task-based execution/)
  })

  it("[F2:real] tasks of the server are run, with experimental.tasks or without it", async () => {
    mayLeave("timers")
    await using client = await inMemory(longTask)
    await client.listTools()
    assert.deepEqual((await client.callTool({ name: "long" })).content, [{ type: "text", text: "done" }])
    const seen: Array<string> = []
    const stream = client.experimental.tasks.callToolStream({ name: "long" }, CallToolResultSchema, {
      task: { ttl: 60_000 }
    })
    for await (const message of stream) {
      seen.push(message.type)
      if (message.type === "result") assert.deepEqual(message.result.content, [{ type: "text", text: "done" }])
    }
    assert.deepEqual([seen[0], seen.at(-1)], ["taskCreated", "result"])
  })

  it("[F2:real] what the server says of itself is that of the last connection; a lazy client knows it after the first", async () => {
    let version = 0
    const make = () => new McpServer({ name: "docs", version: String(++version) })
    await using client = await inMemory(make, {
      lifecycle: { lazy: true },
      enforceStrictCapabilities: true
    })
    assert.isUndefined(client.getServerVersion())
    await client.ping()
    assert.strictEqual(client.getServerVersion()?.version, "1")
    await client.reconnect()
    assert.strictEqual(client.getServerVersion()?.version, "2")
  })

  it("[F2:real] heartbeats can be paused by hand", async () => {
    await using client = await inMemory(server)
    await client.keepalive.pause()
    assert.strictEqual(client.status.keepalive.state, "paused")
    await client.keepalive.resume()
    assert.strictEqual(client.status.keepalive.state, "running")
  })
})

describe("what is sent", () => {
  it("[F2:real] nothing that the caller did not ask for but the handshake, until the catalogue is asked for", async () => {
    await using http = await HttpFaultServer.open()
    await using client = await connect({ url: http.url }, { reconnect })
    const official = new OfficialClient({ name: "a-test", version: "1.2.3" })
    await official.connect(supervisedTransport({ url: http.url }, { reconnect }))
    await client.ping()
    await official.ping()
    const lists = () => ["tools/list", "prompts/list", "resources/list"].map((method) => http.count(method))
    assert.deepEqual([lists(), client.status.catalog], [[0, 0, 0], undefined])
    await client.reconnect()
    await client.ping()
    assert.deepEqual(lists(), [0, 0, 0])
    await client.refresh()
    assert.isAtLeast(http.count("tools/list"), 1)
    assert.isAtLeast(client.status.catalog?.tools ?? 0, 1)
    await official.close()
    await using eager = await connect({ url: http.url, discovery: { mode: "eager" } }, { reconnect })
    for await (const { catalog } of eager.statusChanges()) if (catalog !== undefined) break
  })

  it("[F3] a list that the client has read is compared after a restart where nobody else reads it, and the client is notified of a difference", () =>
    withDirectory(async (directory) => {
      const command = StdioFaultServer.command({ journal: join(directory, "journal"), addedFrom: 4 })
      const official = new OfficialClient({ name: "a-test", version: "1.2.3" })
      const transport = supervisedTransport(command, { reconnect })
      const told: Array<string> = []
      let changed = (): void => undefined
      const isChanged = new Promise<void>((resolve) => {
        changed = resolve
      })
      official.fallbackNotificationHandler = ({ method }) => {
        told.push(method)
        changed()
        return Promise.resolve()
      }
      await official.connect(transport)
      const restart = async () => {
        await transport.supervision?.reconnect()
        await official.ping()
      }
      await restart()
      assert.deepEqual(told, [])
      await official.listTools()
      await restart()
      assert.deepEqual(told, [])
      await restart()
      await isChanged
      await restart()
      assert.deepEqual(told, ["notifications/tools/list_changed"])
      await official.close()
    }))
})

describe("errors", () => {
  it("[F4] keep their classes on the way through the official Client", async () => {
    const one = () => {
      const peer = server()
      peer.registerTool("fail", {}, () => {
        throw new McpError(-32_042, "sign", { elicitations: [] })
      })
      return peer
    }
    await using client = await inMemory(one, { timeouts: { wait: 100 } })
    const shape = (error: unknown) => {
      const { _tag, backend, retryable } = error as Record<string, unknown>
      return { _tag, backend, retryable }
    }
    assert.deepEqual(shape(await rejection(client.request({ method: "none" }, ResultSchema))), {
      _tag: "RemoteError",
      backend: "server",
      retryable: false
    })
    const strange = CallToolResultSchema.extend({ more: CallToolResultSchema })
    const unfit = await rejection(client.callTool({ name: "hello" }, strange as never))
    assert.deepInclude(shape(unfit), { _tag: "ProtocolError" })
    await client.disconnect()
    assert.deepInclude(shape(await rejection(client.ping())), { _tag: "BackendUnavailable" })
    await client.reconnect()
    await reached(client, 2)
    assert.deepEqual(await client.ping(), {})
  })
})
