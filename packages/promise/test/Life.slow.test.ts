import type { Event, State } from "@mcp-lifeline/client"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { join } from "node:path"
import { assert, describe, expect, it } from "vitest"
import { doors } from "./fixtures/Door.js"
import * as Everything from "./fixtures/Everything.js"
import { echo, pidOf, reached, said } from "./fixtures/Living.js"
import { rejection } from "./fixtures/rejection.js"
import { withDirectory } from "./fixtures/withDirectory.js"

const failure = async (promise: Promise<unknown>): Promise<Record<string, unknown>> => ({
  ...await rejection(promise) as object
})

describe.each(doors)("%s", (_, open) => {
  it("[F1 N1:real] a stdio server that is killed comes back, and its next call succeeds", async () => {
    await using client = await open(Everything.stdio)
    assert.strictEqual(client.status.state, "Connected")
    assert.deepEqual(await echo(client, "one"), said("one"))
    const pid = pidOf(client)
    process.kill(pid, "SIGKILL")
    await reached(client, "Connected", 2)
    assert.deepEqual(await echo(client, "two"), said("two"))
    assert.notStrictEqual(pidOf(client), pid)
    assert.strictEqual(client.status.generation, 2)
  })

  it("[F1 N1:real] an HTTP server that was restarted answers the next call", async () => {
    await using server = await Everything.HttpServer.start()
    await using client = await open({ url: server.url })
    assert.deepEqual(await echo(client, "one"), said("one"))
    await server.kill()
    await server.start()
    assert.deepEqual(await echo(client, "two"), said("two"))
    assert.strictEqual(client.status.generation, 2)
  })

  it("[F1 N1:real] lazy never rejects, and the first call connects", async () => {
    await using broken = await open({ command: "/no/such/program" }, { lifecycle: { lazy: true } })
    assert.strictEqual(broken.status.state, "Idle")
    assert.deepInclude(await failure(broken.ping()), { _tag: "BackendUnavailable" })
    await using client = await open(Everything.stdio, { lifecycle: { lazy: true } })
    assert.deepEqual(await echo(client, "woken"), said("woken"))
  })

  it("[F5 N1:real] aborting a call rejects at once with the reason, and the session lives on", async () => {
    await using client = await open(Everything.stdio)
    const controller = new AbortController()
    const reason = new Error("enough")
    let progressed = (): void => undefined
    const started = new Promise<void>((resolve) => {
      progressed = resolve
    })
    const call = rejection(
      client.callTool(
        { name: "trigger-long-running-operation", arguments: { duration: 60, steps: 600 } },
        undefined,
        { signal: controller.signal, onprogress: () => progressed() }
      )
    )
    await started
    controller.abort(reason)
    assert.strictEqual(await call, reason)
    assert.strictEqual(await rejection(client.ping({ signal: controller.signal })), reason)
    assert.deepEqual(await echo(client, "still there"), said("still there"))
    assert.deepInclude(client.status, { generation: 1, inFlight: 0 })
  })

  it("[F5 N1:real] status is a value, an event and an async iterable that ends with the client", async () => {
    const client = await open(Everything.stdio)
    const heard: Array<State> = []
    const events: Array<Event["_tag"]> = []
    client.on("status", ({ state }) => heard.push(state))
    const stop = client.on("event", ({ _tag }) => events.push(_tag))
    const states: Array<State> = []
    const read = (async () => {
      // A status changes with more than its state, for example with what the server announces of its tools.
      for await (const { state } of client.statusChanges()) if (states.at(-1) !== state) states.push(state)
    })()
    await expect.poll(() => states).toEqual(["Connected"])
    await client.disconnect()
    assert.strictEqual(client.status.state, "Disconnected")
    await client.reconnect()
    await expect.poll(() => events).toContain("Installed")
    stop()
    await client.disable()
    await client.enable()
    await client.close()
    await read
    assert.strictEqual(states.at(-1), "Closed")
    await expect.poll(() => heard.at(-1)).toBe("Closed")
    assert.include(events, "StateChanged")
    assert.strictEqual(events.filter((tag) => tag === "Installed").length, 1)
    const late = client.statusChanges()[Symbol.asyncIterator]()
    assert.strictEqual((await late.next()).value.state, "Closed")
    assert.isTrue((await late.next()).done)
  })

  it("[F2:real N1:real] what the official Client can ask, a supervised one can", async () => {
    await using client = await open(Everything.stdio)
    assert.strictEqual(client.getServerVersion()?.name, "mcp-servers/everything")
    assert.isDefined(client.getServerCapabilities()?.tools)
    assert.isString(client.getInstructions())
    const { tools } = await client.listTools()
    assert.include(tools.map(({ name }) => name), "echo")
    const structured = await client.callTool({ name: "get-structured-content", arguments: { location: "Chicago" } })
    assert.isObject(structured.structuredContent)
    const { prompts } = await client.listPrompts()
    assert.include(prompts.map(({ name }) => name), "simple-prompt")
    assert.isNotEmpty((await client.getPrompt({ name: "simple-prompt" })).messages)
    const { resources } = await client.listResources()
    const [resource] = resources
    assert.isDefined(resource)
    assert.isNotEmpty((await client.readResource({ uri: resource!.uri })).contents)
    assert.isNotEmpty((await client.listResourceTemplates()).resourceTemplates)
    assert.deepEqual(await client.subscribeResource({ uri: resource!.uri }), {})
    assert.deepEqual(await client.unsubscribeResource({ uri: resource!.uri }), {})
    const completed = await client.complete({
      ref: { type: "ref/prompt", name: "completable-prompt" },
      argument: { name: "department", value: "E" }
    })
    assert.deepEqual(completed.completion.values, ["Engineering"])
    assert.deepEqual(await client.setLoggingLevel("debug"), {})
    assert.deepEqual(await client.ping(), {})
    const { error, latency, status } = await client.healthCheck()
    assert.isUndefined(error)
    assert.isNumber(latency)
    assert.strictEqual(status.state, "Connected")
  })

  it("[F2:real N1:real] handlers given to connect are there for the first request, which comes with the handshake", async () => {
    let asked = (): void => undefined
    const first = new Promise<void>((resolve) => {
      asked = resolve
    })
    await using client = await open(Everything.stdio, {
      handlers: {
        roots: () => {
          asked()
          return { roots: [{ uri: "file:///early", name: "early" }] }
        }
      }
    })
    await first
    assert.include(JSON.stringify(await client.callTool({ name: "get-roots-list", arguments: {} })), "file:///early")
  })

  it("[F2:real N1:real] a call that was cut off is not sent again unless it may be, and says so", async () => {
    await using client = await open(Everything.stdio)
    const cut = async (idempotent: boolean): Promise<unknown> => {
      let progressed = (): void => undefined
      const started = new Promise<void>((resolve) => {
        progressed = resolve
      })
      const call = rejection(
        client.callTool(
          { name: "trigger-long-running-operation", arguments: { duration: 2, steps: 8 } },
          undefined,
          { onprogress: () => progressed(), idempotent }
        ).then(() => assert.fail("answered"))
      )
      await started
      process.kill(pidOf(client), "SIGKILL")
      return await call
    }
    assert.deepInclude(await failure(Promise.reject(await cut(false))), {
      _tag: "ResultUnknown",
      retryable: false,
      method: "tools/call",
      data: { fate: "unknown" }
    })
    await client.ping()
    assert.strictEqual((await cut(true) as Error).message, "answered")
  })

  it("[F2:real N1:real] an error of the server and a timeout have their tags, and the session lives on", async () => {
    await using client = await open(Everything.stdio, { name: "one" })
    assert.deepInclude(await failure(client.getPrompt({ name: "no-such-prompt" })), {
      _tag: "RemoteError",
      backend: "one",
      method: "prompts/get",
      code: -32602
    })
    const name = "trigger-long-running-operation"
    const slow = client.callTool({ name, arguments: { duration: 60, steps: 1 } }, undefined, { timeout: "2 seconds" })
    assert.deepInclude(await failure(slow), { _tag: "RequestTimeout", backend: "one", method: "tools/call" })
    assert.deepEqual(await echo(client, "still there"), said("still there"))
    assert.strictEqual(client.status.generation, 1)
  })

  it("[C11:real N1:real] onConnected prepares every new connection before calls are let in", () =>
    withDirectory(async (directory) => {
      const server = StdioFaultServer.command({ journal: join(directory, "journal") })
      const generations: Array<number> = []
      await using client = await open(server, {
        name: "one",
        onConnected: async ({ backend, callTool, generation, signal }) => {
          assert.isFalse(signal.aborted)
          assert.strictEqual(backend, "one")
          generations.push(generation)
          await callTool({ name: "login", arguments: { user: `user ${generation}` } })
        }
      })
      const whoami = async () => JSON.stringify((await client.callTool({ name: "whoami" })).content)
      assert.include(await whoami(), "user 1")
      process.kill(pidOf(client), "SIGKILL")
      await reached(client, "Connected", 2)
      assert.include(await whoami(), "user 2")
      assert.deepEqual(generations, [1, 2])
    }))

  it("[F1 N1:real] close ends the process and fails later calls", async () => {
    const client = await open(Everything.stdio)
    const pid = pidOf(client)
    await client.close()
    assert.isFalse(Everything.isAlive(pid))
    assert.strictEqual(client.status.state, "Closed")
    assert.deepInclude(await failure(client.ping()), { _tag: "BackendUnavailable", state: "Closed" })
  })
})
