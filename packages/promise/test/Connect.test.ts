import { BackendUnavailable, ConfigError, connect, ConnectError, RemoteError } from "@mcp-lifeline/client"
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
import { pidOf, reached } from "./fixtures/Living.js"
import { rejection } from "./fixtures/rejection.js"
import { withDirectory } from "./fixtures/withDirectory.js"

describe("connect", () => {
  it("[F1] a command that does not exist is rejected at once and leaves nothing", async () => {
    const error = await rejection(connect({ command: "/no/such/program" }, { timeouts: { connect: "10 minutes" } }))
    assert.instanceOf(error, ConnectError)
    assert.deepInclude({ ...error }, { _tag: "ConnectError", reason: "spawn", permanent: true, retryable: false })
    assert.strictEqual(error.backend, "program")
  })

  it("[F1] the error says that a server refuses connections", async () => {
    const port = await Everything.freePort()
    const error = await rejection(connect({ url: `http://127.0.0.1:${port}/mcp` }, { reconnect: { auto: false } }))
    assert.instanceOf(error, ConnectError)
    assert.deepInclude({ ...error }, { reason: "refused", permanent: false, retryable: true })
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

  it("[F1] close is idempotent, and tells onclose once", async () => {
    const client = await connect(Everything.stdio)
    let closes = 0
    client.onclose = () => closes++
    const first = client.close()
    assert.strictEqual(client.close(), first)
    await first
    await client.close()
    assert.strictEqual(closes, 1)
    assert.instanceOf(await rejection(client.ping()), BackendUnavailable)
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
        timeout: "2 seconds"
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

  it("[C10:real] no secret of the configuration is in the log or anywhere in an error", async () => {
    const lines: Array<string> = []
    const port = await Everything.freePort()
    const error = await rejection(
      connect(
        { url: `http://u:hunter2hunter2@127.0.0.1:${port}/mcp?key=s3cr3ts3cr3t`, headers: { x: "t0psecrett0p" } },
        {
          reconnect: { auto: false },
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

  it("[C11:real] when onConnected fails, so does the attempt, and its process is gone", () =>
    withDirectory(async (directory) => {
      const journal = join(directory, "journal")
      const error = await rejection(
        connect(StdioFaultServer.command({ journal }), {
          reconnect: { auto: false },
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
