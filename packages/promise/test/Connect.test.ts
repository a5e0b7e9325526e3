import type { Client, Event, State } from "@mcp-lifeline/client"
import {
  BackendUnavailable,
  ConfigError,
  connect,
  ConnectError,
  RemoteError,
  ResultUnknown
} from "@mcp-lifeline/client"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  McpError
} from "@modelcontextprotocol/sdk/types.js"
import { getEventListeners } from "node:events"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { inspect } from "node:util"
import { assert, describe, it } from "vitest"
import * as Everything from "./fixtures/Everything.js"
import { rejection } from "./fixtures/rejection.js"
import { withDirectory } from "./fixtures/withDirectory.js"

const echo = async (client: Client, message: string): Promise<unknown> => {
  const { content } = await client.callTool({ name: "echo", arguments: { message } })
  return content
}

const said = (message: string) => [{ type: "text", text: `Echo: ${message}` }]

/** Reads the status until it is in a state. */
const reached = async (client: Client, state: State, generation = 0): Promise<void> => {
  for await (const status of client.statusChanges()) {
    if (status.state === state && status.generation >= generation) return
  }
  assert.fail(`closed before it was ${state}`)
}

const pidOf = (client: Client): number => client.status.peer?.pid ?? assert.fail("no process")

describe("connect", () => {
  it("[F1] a stdio server that is killed comes back, and its next call succeeds", async () => {
    await using client = await connect(Everything.stdio)
    assert.strictEqual(client.status.state, "Connected")
    assert.deepEqual(await echo(client, "one"), said("one"))
    const pid = pidOf(client)
    process.kill(pid, "SIGKILL")
    await reached(client, "Connected", 2)
    assert.deepEqual(await echo(client, "two"), said("two"))
    assert.notStrictEqual(pidOf(client), pid)
    assert.strictEqual(client.status.generation, 2)
  })

  it("[F1] a call made right after the kill waits for the next connection", async () => {
    await using client = await connect(Everything.stdio)
    process.kill(pidOf(client), "SIGKILL")
    await client.listTools()
    assert.deepEqual(await echo(client, "after"), said("after"))
  })

  it("[F1] an HTTP server that was restarted answers the next call", async () => {
    await using server = await Everything.HttpServer.start()
    await using client = await connect({ url: server.url })
    assert.deepEqual(await echo(client, "one"), said("one"))
    await server.kill()
    await server.start()
    assert.deepEqual(await echo(client, "two"), said("two"))
    assert.strictEqual(client.status.generation, 2)
  })

  it("[F1] a command that does not exist is rejected at once and leaves nothing", async () => {
    const error = await rejection(connect({ command: "/no/such/program" }, { timeouts: { connect: "10 minutes" } }))
    assert.instanceOf(error, ConnectError)
    assert.deepInclude({ ...error }, { _tag: "ConnectError", reason: "spawn", permanent: true, retryable: false })
    assert.strictEqual(error.backend, "program")
  })

  it("[F1] a server that refuses connections is tried until timeouts.connect, and the error says why", async () => {
    const port = await Everything.freePort()
    const error = await rejection(
      connect({ url: `http://127.0.0.1:${port}/mcp` }, {
        timeouts: { connect: 2000 },
        reconnect: { initialDelay: 100, maxDelay: 100 }
      })
    )
    assert.instanceOf(error, ConnectError)
    assert.deepInclude({ ...error }, { reason: "refused", permanent: false, retryable: true })
  })

  it("[F1] a server that comes while connect is trying is connected", async () => {
    await using server = await Everything.HttpServer.start()
    await server.kill()
    // On a busy machine it comes later than what is not there is waited for by default.
    const connecting = connect({ url: server.url }, {
      timeouts: { connect: "3 minutes" },
      reconnect: { initialDelay: 100, maxDelay: 200 }
    })
    await server.start()
    await using client = await connecting
    assert.deepEqual(await echo(client, "late"), said("late"))
  })

  it("[F1] a server that accepts and never answers is rejected after timeouts.connect", async () => {
    const silent = createServer(() => undefined).listen(0, "127.0.0.1")
    try {
      await new Promise((resolve) => silent.once("listening", resolve))
      const { port } = silent.address() as AddressInfo
      const error = await rejection(connect({ url: `http://127.0.0.1:${port}/mcp` }, { timeouts: { connect: 300 } }))
      assert.instanceOf(error, ConnectError)
      assert.deepInclude({ ...error }, { reason: "timeout", permanent: false })
    } finally {
      silent.closeAllConnections()
      silent.close()
    }
  })

  it("[F1] when connect is rejected, or aborted, the process that it started is gone", async () => {
    const directory = await mkdtemp(join(tmpdir(), "lifeline-"))
    try {
      const silent = "require('fs').writeFileSync(process.argv[1], String(process.pid)); setInterval(() => {}, 1e6)"
      const pidIn = async (file: string): Promise<number> => Number(await readFile(file, "utf8").catch(() => ""))
      const started = async (file: string): Promise<number> => {
        for (;;) {
          const pid = await pidIn(file)
          if (pid > 0) return pid
          await setTimeout(20)
        }
      }
      const server = (file: string) => ({
        command: process.execPath,
        args: ["-e", silent, file],
        stdio: { stdinGrace: 100 }
      })
      const late = join(directory, "late")
      const rejected = await rejection(connect(server(late), { timeouts: { connect: "2 seconds" } }))
      assert.instanceOf(rejected, ConnectError)
      // A slow machine may have ended it before it could say who it is.
      const latePid = await pidIn(late)
      assert.isFalse(latePid > 0 && Everything.isAlive(latePid))
      const aborted = join(directory, "aborted")
      const controller = new AbortController()
      const connecting = rejection(connect(server(aborted), { signal: controller.signal }))
      const pid = await started(aborted)
      assert.isTrue(Everything.isAlive(pid))
      controller.abort()
      assert.strictEqual((await connecting as Error).name, "AbortError")
      assert.isFalse(Everything.isAlive(pid))
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  it("[F1] lazy never rejects, and the first call connects", async () => {
    await using broken = await connect({ command: "/no/such/program" }, { lifecycle: { lazy: true } })
    assert.strictEqual(broken.status.state, "Idle")
    assert.instanceOf(await rejection(broken.ping()), BackendUnavailable)
    await using client = await connect(Everything.stdio, { lifecycle: { lazy: true } })
    assert.deepEqual(await echo(client, "woken"), said("woken"))
  })

  it("[F1] close is idempotent, ends the process and fails later calls", async () => {
    const client = await connect(Everything.stdio)
    const pid = pidOf(client)
    let closes = 0
    client.onclose = () => closes++
    const first = client.close()
    assert.strictEqual(client.close(), first)
    await first
    await client.close()
    assert.strictEqual(closes, 1)
    assert.isFalse(Everything.isAlive(pid))
    assert.strictEqual(client.status.state, "Closed")
    const error = await rejection(client.ping())
    assert.instanceOf(error, BackendUnavailable)
    assert.strictEqual(error.state, "Closed")
  })

  it("[F1] options that are not acceptable are a ConfigError that names them", async () => {
    const error = await rejection(connect(Everything.stdio, { keepalive: { interval: "1 milli" } }))
    assert.instanceOf(error, ConfigError)
    assert.strictEqual(error.field, "keepalive.interval")
    assert.instanceOf(await rejection(connect({} as never)), ConfigError)
    assert.instanceOf(await rejection(connect({ url: "not a url" })), ConfigError)
    assert.instanceOf(await rejection(connect({ command: "a", url: "http://127.0.0.1" } as never)), ConfigError)
  })

  it("[F5] aborting connect rejects with the reason and leaves no process", async () => {
    const reason = new Error("no longer wanted")
    assert.strictEqual(await rejection(connect(Everything.stdio, { signal: AbortSignal.abort(reason) })), reason)
    const port = await Everything.freePort()
    const controller = new AbortController()
    const connecting = rejection(connect({ url: `http://127.0.0.1:${port}/mcp` }, { signal: controller.signal }))
    controller.abort(reason)
    assert.strictEqual(await connecting, reason)
  })

  it("[F5] aborting a call rejects at once with the reason, and the session lives on", async () => {
    await using client = await connect(Everything.stdio)
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

  it("[F5] calls and loops that share a signal leave one listener on it, no warning, and none when they have ended", async () => {
    await using client = await connect(StdioFaultServer.command())
    const warnings: Array<Error> = []
    const warned = (warning: Error) => warnings.push(warning)
    process.on("warning", warned)
    try {
      const controller = new AbortController()
      const { signal } = controller
      const listeners = () => getEventListeners(signal, "abort").length
      await Promise.all(Array.from({ length: 50 }, () => client.ping({ signal })))
      assert.strictEqual(listeners(), 0)
      const calls = Array.from(
        { length: 50 },
        () => rejection(client.callTool({ name: "silent" }, undefined, { signal }))
      )
      const loops = Array.from({ length: 50 }, async () => {
        for await (const _ of client.statusChanges({ signal })) continue
      }).map(rejection)
      await client.ping({ signal })
      assert.strictEqual(listeners(), 1)
      const reason = new Error("enough")
      controller.abort(reason)
      assert.deepEqual(new Set(await Promise.all([...calls, ...loops])), new Set([reason]))
      assert.strictEqual(listeners(), 0)
      assert.deepEqual(await client.ping(), {})
      assert.deepEqual(warnings, [])
    } finally {
      process.off("warning", warned)
    }
  })

  it("[F5] status is a value, an event and an async iterable that ends with the client", async () => {
    const client = await connect(Everything.stdio)
    const heard: Array<State> = []
    const events: Array<Event["_tag"]> = []
    client.on("status", ({ state }) => heard.push(state))
    const stop = client.on("event", ({ _tag }) => events.push(_tag))
    const read = (async () => {
      const states: Array<State> = []
      for await (const { state } of client.statusChanges()) states.push(state)
      return states
    })()
    await client.disconnect()
    assert.strictEqual(client.status.state, "Disconnected")
    await client.reconnect()
    stop()
    await client.disable()
    await client.enable()
    await client.close()
    const states = await read
    assert.strictEqual(states[0], "Connected")
    assert.strictEqual(states.at(-1), "Closed")
    assert.strictEqual(heard.at(-1), "Closed")
    assert.include(events, "StateChanged")
    assert.strictEqual(events.filter((tag) => tag === "Installed").length, 1)
    const late = client.statusChanges()
    assert.strictEqual((await late.next()).value.state, "Closed")
    assert.isTrue((await late.next()).done)
  })

  it("[F5] leaving the loop and aborting it both end the iteration", async () => {
    await using client = await connect(Everything.stdio)
    const controller = new AbortController()
    const changes = client.statusChanges({ signal: controller.signal })
    assert.strictEqual((await changes.next()).value.state, "Connected")
    const next = rejection(changes.next())
    controller.abort(new Error("stop"))
    assert.strictEqual((await next as Error).message, "stop")
    assert.isTrue((await changes.next()).done)
    const left = client.statusChanges()
    for await (const _ of left) break
    assert.isTrue((await left.next()).done)
  })

  it("[F2:real] what the official Client can ask, a supervised one can", async () => {
    await using client = await connect(Everything.stdio)
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

  it("[F2:real] a JSON-RPC error is an McpError with the server's code", async () => {
    await using client = await connect(Everything.stdio)
    const error = await rejection(client.getPrompt({ name: "no-such-prompt" }))
    assert.instanceOf(error, McpError)
    assert.instanceOf(error, RemoteError)
    assert.strictEqual(error.code, -32602)
    assert.match(error.message, /^MCP error -32602: .*no-such-prompt/)
    assert.strictEqual(error.backend, client.name)
    const timeout = await rejection(
      client.callTool({ name: "trigger-long-running-operation", arguments: { duration: 60, steps: 1 } }, undefined, {
        timeout: "100 millis"
      })
    )
    assert.instanceOf(timeout, McpError)
    assert.strictEqual(timeout.code, -32001)
  })

  it("[F2:real] requests and notifications of the server reach handlers, on every generation", async () => {
    await using client = await connect(Everything.stdio, {
      capabilities: { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } }
    })
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///here", name: "here" }] }))
    client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => ({
      role: "assistant",
      model: "none",
      content: { type: "text", text: `sampled ${params.messages.length}` }
    }))
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: "decline" }))
    const logged = new Promise<string>((resolve) => {
      client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => resolve(params.level))
    })
    const sample = async () =>
      JSON.stringify(await client.callTool({ name: "trigger-sampling-request", arguments: { prompt: "p" } }))
    assert.include(await sample(), "sampled 1")
    process.kill(pidOf(client), "SIGKILL")
    await reached(client, "Connected", 2)
    assert.include(await sample(), "sampled 1")
    const elicited = await client.callTool({ name: "trigger-elicitation-request", arguments: {} })
    assert.match(JSON.stringify(elicited), /decline/i)
    assert.include(JSON.stringify(await client.callTool({ name: "get-roots-list", arguments: {} })), "file:///here")
    await client.callTool({ name: "toggle-simulated-logging", arguments: {} })
    assert.isString(await logged)
  })

  it("[F2:real] handlers given to connect are there for the first request, which comes with the handshake", async () => {
    let asked = (): void => undefined
    const first = new Promise<void>((resolve) => {
      asked = resolve
    })
    await using client = await connect(Everything.stdio, {
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

  it("[F2:real] a call that was cut off is not sent again unless it may be, and says so", async () => {
    await using client = await connect(Everything.stdio)
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
    const error = await cut(false)
    assert.instanceOf(error, ResultUnknown)
    assert.instanceOf(error, McpError)
    assert.deepInclude({ ...error }, {
      code: -32000,
      retryable: false,
      method: "tools/call",
      data: { fate: "unknown" }
    })
    await client.ping()
    assert.strictEqual((await cut(true) as Error).message, "answered")
  })

  it("[C10:real] no secret of the configuration is in the log or anywhere in an error", async () => {
    const lines: Array<string> = []
    const port = await Everything.freePort()
    const error = await rejection(
      connect(
        { url: `http://u:hunter2hunter2@127.0.0.1:${port}/mcp?key=s3cr3ts3cr3t`, headers: { x: "t0psecrett0p" } },
        {
          timeouts: { connect: 2000 },
          logger: (entry) => lines.push(JSON.stringify(entry))
        }
      )
    )
    const everything = `${lines.join()} ${inspect(error, { depth: 20, showHidden: true })}`
    assert.include(everything, "refused")
    assert.notMatch(everything, /hunter2|s3cr3t|t0psecret/)
  })

  it("[C8:real, F2:real] a late handler without its capability throws and says what to declare", async () => {
    await using client = await connect(Everything.stdio)
    assert.throws(
      () => client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [] })),
      ConfigError,
      "capabilities: { roots: {} }"
    )
  })

  it("[C11:real] onConnected prepares every new connection before calls are let in", () =>
    withDirectory(async (directory) => {
      const server = StdioFaultServer.command({ journal: join(directory, "journal") })
      const generations: Array<number> = []
      await using client = await connect(server, {
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

  it("[C11:real] when onConnected fails, so does the attempt, and its process is gone", () =>
    withDirectory(async (directory) => {
      const journal = join(directory, "journal")
      const error = await rejection(
        connect(StdioFaultServer.command({ journal }), {
          timeouts: { connect: "2 seconds" },
          onConnected: async ({ request }) => {
            await request({ method: "tools/call", params: { name: "none" } }, CallToolResultSchema, { timeout: 20_000 })
          }
        })
      )
      assert.instanceOf(error, ConnectError)
      assert.strictEqual(error.reason, "onConnected")
      assert.match(error.message, /onConnected failed: .*there is no tool none/)
      assert.instanceOf(error.cause, RemoteError)
      const starts = StdioFaultServer.journal(journal).filter(({ event }) => event === "start")
      assert.isNotEmpty(starts)
      for (const { pid } of starts) assert.isFalse(Everything.isAlive(pid))
    }))

  it("[F6] lost connections are told to onerror, and nothing is left unhandled", async () => {
    const client = await connect(Everything.stdio)
    const told = new Promise<Error>((resolve) => {
      client.onerror = resolve
    })
    process.kill(pidOf(client), "SIGKILL")
    assert.match((await told).message, /connection lost/)
    await client.close()
  })
})
