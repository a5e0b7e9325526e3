import type { Fleet, State } from "@mcp-lifeline/client"
import {
  BackendUnavailable,
  ConfigError,
  connect,
  connectAll,
  ConnectError,
  RemoteError,
  supervisedTransport
} from "@mcp-lifeline/client"
import { HttpFaultServer, StdioFaultServer } from "@mcp-lifeline/testing"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { ServerNotification, ServerRequest } from "@modelcontextprotocol/sdk/types.js"
import { EmptyResultSchema, LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import * as Everything from "./fixtures/Everything.js"
import { rejection } from "./fixtures/rejection.js"
import { withDirectory } from "./fixtures/withDirectory.js"

const missing = { command: "/no/such/program" }

const echo = async (fleet: Fleet, server: string): Promise<string> =>
  JSON.stringify(await fleet.callTool({ name: `${server}__echo`, arguments: { message: `by ${server}` } }))

const reached = async (fleet: Fleet, name: string, state: State, generation = 0): Promise<void> => {
  for await (const status of fleet.statusChanges()) {
    const one = status[name]
    if (one?.state === state && one.generation >= generation) return
  }
  assert.fail(`closed before ${name} was ${state}`)
}

describe("connectAll", () => {
  it("[F1] one server that is down neither delays nor fails the others", async () => {
    await using server = await Everything.HttpServer.start()
    await using fleet = await connectAll({
      mcpServers: { stdio: Everything.stdio, http: { url: server.url }, down: missing }
    })
    assert.deepEqual(fleet.names, ["stdio", "http", "down"])
    assert.deepEqual(Object.values(fleet.status).map(({ state }) => state), [
      "Connected",
      "Connected",
      "PermanentlyFailed"
    ])
    const names = (await fleet.listTools()).tools.map(({ name }) => name)
    assert.includeMembers(names, ["stdio__echo", "http__echo"])
    assert.include(await echo(fleet, "stdio"), "by stdio")
    assert.include(await echo(fleet, "http"), "by http")
    assert.instanceOf(await rejection(fleet.client("down").ping()), BackendUnavailable)
    const unknown = await rejection(fleet.callTool({ name: "nobody__echo" }))
    assert.instanceOf(unknown, BackendUnavailable)
    assert.strictEqual(unknown.state, "Unknown")
    assert.instanceOf(await rejection(fleet.callTool({ name: "stdio__nothing" })), RemoteError)
  })

  it("[F1] require all rejects with the reason, and tears everything down", () =>
    withDirectory(async (directory) => {
      await using http = await HttpFaultServer.open()
      const journal = join(directory, "journal")
      const stdio = StdioFaultServer.command({ journal, grandchildren: 1 })
      const error = await rejection(
        connectAll({ mcpServers: { stdio, http: { url: http.url }, down: missing } }, { require: "all" })
      )
      assert.instanceOf(error, ConnectError)
      assert.deepInclude({ ...error }, { backend: "down", reason: "spawn", permanent: true })
      const pids = Everything.processes(journal)
      assert.lengthOf(pids, 2)
      assert.deepEqual(pids.filter(Everything.isAlive), [])
      assert.isAtLeast(http.count("initialize"), 1)
      await http.until(() => http.sessions.size === 0 && http.streams.size === 0 && http.sockets.size === 0)
    }))

  it("[F1] a fleet of which every server has failed for good is there, says why, and takes what mends it", async () => {
    await using fleet = await connectAll({ mcpServers: { down: missing } })
    const { lastError, state } = fleet.status["down"] ?? assert.fail()
    assert.strictEqual(state, "PermanentlyFailed")
    assert.include(lastError, missing.command)
    assert.deepEqual(await fleet.listTools(), { tools: [] })
    await fleet.apply({ mcpServers: { down: Everything.stdio } })
    await reached(fleet, "down", "Connected")
    assert.include(await echo(fleet, "down"), "by down")
  })

  it("[F1] waitTimeout bounds the waiting for servers that never answer", async () => {
    const port = await Everything.freePort()
    await using fleet = await connectAll({
      mcpServers: { down: { url: `http://127.0.0.1:${port}/mcp` }, slow: { command: "sleep", args: ["600"] } }
    }, { waitTimeout: "500 millis" })
    assert.strictEqual(fleet.status["slow"]?.state, "Connecting")
    assert.deepEqual(await fleet.listTools(), { tools: [] })
  })

  it("[F1 F4] what only a compiler would have seen is a ConfigError too, and is never shown where it may be secret", async () => {
    const command = "a"
    const url = "http://127.0.0.1/a"
    await using client = await connect({ command }, { lifecycle: { lazy: true } })
    await using fleet = await connectAll({ mcpServers: {} })
    const table: ReadonlyArray<readonly [field: string, said: RegExp, make: () => unknown]> = [
      ["server", /undefined; accepted: an object with a command or a url/, () => connect(undefined as never)],
      ["server", /neither command .* nor url/, async () => supervisedTransport({} as never)],
      ["mcpServers", /missing; accepted: an object/, () => connectAll({} as never)],
      ["mcpServers", /missing; accepted: an object/, () => fleet.apply({} as never)],
      ["mcpServers", /a string; accepted: an object/, () => fleet.apply({ mcpServers: "secret" } as never)],
      ["config", /undefined; accepted: an object/, () => connectAll(undefined as never)],
      ["options", /null; accepted: an object/, () => connect({ command }, null as never)],
      ["options", /null; accepted: an object/, () => connectAll({ mcpServers: {} }, null as never)],
      ["args", /string; accepted: an array of/, () => connect({ command, args: "secret" as never })],
      ["args[1]", /object; accepted: a string/, () => connect({ command, args: ["a", { secret: 1 } as never] })],
      ["env.a", /an array; accepted: a string/, () => connect({ command, env: { a: ["secret"] as never } })],
      ["env", /an array; accepted: an object/, () => connect({ command, env: ["secret"] as never })],
      ["command", /number; accepted: a string/, () => connect({ command: 1 as never })],
      ["cwd", /number; accepted: a string/, () => connect({ command, cwd: 1 as never })],
      ["headers.a", /object; accepted: a string/, () => connect({ url, headers: { a: {} as never } })],
      ["authProvider", /object; accepted: an OAuthClientProvider/, () => connect({ url, authProvider: {} as never })],
      // The short form of the official Client v2.
      [
        "authProvider",
        /object; accepted: an OAuthClientProvider.*A token that you have belongs in headers/,
        () => connect({ url, authProvider: { token: () => Promise.resolve("secret") } as never })
      ],
      [
        "stdio.stdinGrace",
        /"5 minuets"; accepted: 0 ms to 10 min/,
        () => connect({ command, stdio: { stdinGrace: "5 minuets" as never } })
      ],
      ["timeout", /"5 minuets"; accepted: 0 ms to/, () => client.ping({ timeout: "5 minuets" as never })],
      ["wait", /object; accepted: 0 ms/, () => fleet.callTool({ name: "a__b" }, undefined, { wait: {} as never })],
      [
        "require",
        /"some"; accepted: "any" or "all"/,
        () => connectAll({ mcpServers: {} }, { require: "some" as never })
      ]
    ]
    for (const [field, said, make] of table) {
      const error = await rejection((async () => make())())
      assert.instanceOf(error, ConfigError, String(make))
      assert.strictEqual(error.field, field)
      assert.match(error.message, said)
      assert.notInclude(error.message, "secret")
    }
  })

  it("[F1] commands reach one server, and the client of a name stays the same", async () => {
    await using fleet = await connectAll({ mcpServers: { one: Everything.stdio, two: Everything.stdio } })
    const one = fleet.client("one")
    assert.strictEqual(fleet.client("one"), one)
    await fleet.disable("one")
    assert.deepEqual([one.status.state, fleet.status["two"]?.state], ["Disabled", "Connected"])
    await fleet.enable("one")
    await fleet.reconnect("one")
    await fleet.refresh("one")
    assert.include(await echo(fleet, "one"), "by one")
    await fleet.disconnect("two")
    assert.strictEqual(fleet.status["two"]?.state, "Disconnected")
    await fleet.refresh()
    assert.throws(() => fleet.client("three"), BackendUnavailable, "there are: one, two")
    assert.instanceOf(await rejection(fleet.reconnect("three")), BackendUnavailable)
  })

  it("[C8:real] a server that asks before anybody has its client is answered, and can be asked back", async () => {
    const asks = { command: process.execPath, args: [fileURLToPath(new URL("fixtures/asks.mjs", import.meta.url))] }
    await using fleet = await connectAll({ mcpServers: { one: asks } }, {
      handlers: {
        sampling: async ({ messages }, extra) => {
          await (extra as RequestHandlerExtra<ServerRequest, ServerNotification>).sendRequest(
            { method: "ping" },
            EmptyResultSchema
          )
          return { role: "assistant", model: "none", content: { type: "text", text: JSON.stringify(messages) } }
        }
      }
    })
    const reply = async (name: string) => JSON.stringify(await fleet.callTool({ name: `${name}__reply` }))
    assert.include(await reply("one"), "early")
    await fleet.apply({ mcpServers: { one: asks, two: asks } })
    await reached(fleet, "two", "Connected")
    assert.include(await reply("two"), "early")
  })

  it("[L15] apply starts, stops and replaces only what changed", async () => {
    await using fleet = await connectAll({
      mcpServers: { same: Everything.stdio, edited: Everything.stdio, gone: Everything.stdio }
    })
    const before = fleet.status
    const edited = fleet.client("edited")
    const applied = await fleet.apply({
      mcpServers: {
        same: { ...Everything.stdio },
        edited: { ...Everything.stdio, env: { EDITED: "yes" } },
        added: Everything.stdio
      }
    })
    assert.deepEqual(applied, { started: ["added"], stopped: ["gone"], replaced: ["edited"], kept: [] })
    await reached(fleet, "edited", "Connected")
    await reached(fleet, "added", "Connected")
    assert.deepEqual(fleet.names, ["same", "edited", "added"])
    assert.strictEqual(fleet.status["same"]?.peer?.pid, before["same"]?.peer?.pid)
    assert.strictEqual(fleet.status["same"]?.generation, 1)
    assert.notStrictEqual(fleet.status["edited"]?.peer?.pid, before["edited"]?.peer?.pid)
    assert.isFalse(Everything.isAlive(before["gone"]?.peer?.pid ?? assert.fail("no process")))
    assert.match(JSON.stringify(await edited.callTool({ name: "get-env", arguments: {} })), /EDITED/)
    const config = { mcpServers: { same: { ...Everything.stdio, env: { STEP: "1" } } } }
    assert.deepEqual((await fleet.apply(config)).replaced, ["same"])
    assert.deepEqual((await fleet.apply(config)).replaced, [])
    config.mcpServers.same.env.STEP = "2"
    assert.deepEqual((await fleet.apply(config)).replaced, ["same"])
    const refused = await rejection(
      fleet.apply({ mcpServers: { same: { ...Everything.stdio, url: "http://h/" } as never } })
    )
    assert.instanceOf(refused, ConfigError)
    assert.deepEqual(fleet.names, ["same"])
  })

  it("[L12:real, L15] an edited program starts when the process of the old one has gone, however long that takes", () =>
    withDirectory(async (directory) => {
      const journal = join(directory, "journal")
      const server = {
        ...StdioFaultServer.command({ journal, ignoreStdinEnd: true, ignoreTerm: true }),
        stdio: { stdinGrace: 200, termGrace: 200 }
      }
      await using fleet = await connectAll({ mcpServers: { one: server } })
      const [first] = Everything.processes(journal)
      let applied: ReadonlyArray<string> | undefined
      // under way on the old one, it may end there
      const early = fleet.callTool({ name: "one__wait", arguments: { millis: 500 } })
      const applying = fleet.apply({ mcpServers: { one: { ...server, env: { EDITED: "yes" } } } }).then((result) => {
        applied = result.replaced
      })
      await new Promise(setImmediate)
      const late = fleet.callTool({ name: "one__pid" })
      const together: Array<ReadonlyArray<number>> = []
      while (applied === undefined) {
        const started = Everything.processes(journal)
        if (started.length > 1 && Everything.isAlive(first!)) together.push(started)
        await new Promise(setImmediate)
      }
      await applying
      assert.deepEqual([applied, together], [["one"], []])
      await early
      assert.notInclude(JSON.stringify(await late), String(first))
    }))

  it("[L12:real, L15] an edited HTTP server fails no call; where the edit leads nowhere, the connection goes on", async () => {
    await using server = await Everything.HttpServer.start()
    const edited = { url: server.url, headers: { "x-edited": "yes" } }
    await using fleet = await connectAll({ mcpServers: { one: { url: server.url } } })
    const call = fleet.callTool({ name: "one__trigger-long-running-operation", arguments: { duration: 1, steps: 1 } })
    const { kept, replaced } = await fleet.apply({ mcpServers: { one: edited } })
    assert.deepEqual([replaced, kept], [["one"], []])
    assert.include(JSON.stringify(await call), "completed")
    const nowhere = { url: `http://127.0.0.1:${await Everything.freePort()}/mcp` }
    assert.deepEqual((await fleet.apply({ mcpServers: { one: nowhere } })).kept, ["one"])
    assert.include(await echo(fleet, "one"), "by one")
    assert.strictEqual(fleet.client("one").status.generation, 1)
    assert.deepEqual((await fleet.apply({ mcpServers: { one: edited } })).replaced, [])
  })

  it("[L15] apply sees every edit of what it was given, and no other", async () => {
    const lazy = { lifecycle: { lazy: true } }
    const literal = { tokens: () => undefined, state: () => String(literal.saved), saved: 0 }
    const authProvider = literal as unknown as OAuthClientProvider
    class Provider {
      readonly #token: string
      constructor(token: string) {
        this.#token = token
      }
      get token() {
        return this.#token
      }
      tokens() {
        return undefined
      }
    }
    const toolArguments = { deep: { x: [1] } }
    const config = {
      mcpServers: {
        tool: { ...lazy, command: "a", keepalive: { method: "tool:x" as const, toolArguments } },
        url: { ...lazy, url: new URL("http://127.0.0.1/a") },
        headers: { ...lazy, url: "http://127.0.0.1/a", headers: () => ({}) },
        auth: { ...lazy, url: "http://127.0.0.1/a", authProvider }
      }
    }
    await using fleet = await connectAll(config)
    const replaced = async () => (await fleet.apply(config)).replaced
    literal.saved++
    assert.deepEqual(await replaced(), [])
    toolArguments.deep.x.push(2)
    assert.deepEqual(await replaced(), ["tool"])
    config.mcpServers.url.url.pathname = "/b"
    assert.deepEqual(await replaced(), ["url"])
    config.mcpServers.url.url = new URL("http://127.0.0.1/c")
    assert.deepEqual(await replaced(), ["url"])
    config.mcpServers.url.url = new URL("http://127.0.0.1/c")
    assert.deepEqual(await replaced(), [])
    config.mcpServers.headers.headers = () => ({})
    assert.deepEqual(await replaced(), ["headers"])
    for (const token of ["one", "two"]) {
      config.mcpServers.auth.authProvider = new Provider(token) as never
      assert.deepEqual(await replaced(), ["auth"])
    }
    assert.deepEqual(await replaced(), [])
  })

  it("[F1 F6] what one listener throws at the end is logged, and keeps neither close nor the other clients", async () => {
    const lazy = { ...Everything.stdio, lifecycle: { lazy: true } }
    const logged: Array<string> = []
    const fleet = await connectAll({ mcpServers: { one: lazy, two: lazy, three: lazy, four: lazy } }, {
      logger: ({ level, message }) => {
        if (level === "error") logged.push(message)
      }
    })
    const closed: Array<string> = []
    const fail = (what: string) => () => {
      closed.push(what)
      throw new Error(what)
    }
    for (const name of fleet.names) fleet.client(name).onclose = fail(name)
    fleet.client("three").on("status", ({ state }) => {
      if (state === "Closed") fail("status")()
    })
    assert.deepEqual((await fleet.apply({ mcpServers: { three: lazy, four: lazy } })).stopped, ["one", "two"])
    assert.sameMembers(closed, ["one", "two"])
    await fleet.close()
    assert.sameMembers(closed, ["one", "two", "status", "three", "four"])
    assert.sameMembers(logged.map((message) => message.match(/a listener threw .*Error: (\w+)/)?.[1]), closed)
  })

  it("[L20] a client of a fleet reads of its own server, through apply, until the server is taken out", async () => {
    const lazy = { ...Everything.stdio, lifecycle: { lazy: true } }
    await using fleet = await connectAll({ mcpServers: { one: lazy, other: lazy } })
    const client = fleet.client("one")
    const heard: Array<State> = []
    client.on("status", ({ state }) => heard.push(state))
    const read = (async () => {
      const states: Array<State> = []
      for await (const { backend, state } of client.statusChanges()) {
        assert.strictEqual(backend, "one")
        states.push(state)
      }
      return states
    })()
    await new Promise(setImmediate)
    await fleet.disable("other")
    await fleet.enable("other")
    assert.deepEqual(heard, ["Idle"])
    await fleet.apply({ mcpServers: { one: { ...lazy, env: { EDITED: "yes" } }, other: lazy } })
    await client.disable()
    await fleet.apply({ mcpServers: { other: lazy } })
    assert.strictEqual((await read).at(-1), "Closed")
    assert.deepEqual(heard.filter((state) => state === "Closed"), ["Closed"])
    assert.includeMembers(heard, ["Disabled"])
    const late = client.statusChanges()
    assert.strictEqual((await late.next()).value?.state, "Closed")
    assert.isTrue((await late.next()).done)
  })

  it("[F5] status of a fleet is a value, an event and an async iterable that ends with it", async () => {
    const fleet = await connectAll({ mcpServers: { one: Everything.stdio } })
    const heard: Array<State | undefined> = []
    fleet.on("status", (status) => heard.push(status["one"]?.state))
    const client = fleet.client("one")
    const logged: Array<unknown> = []
    client.setNotificationHandler(LoggingMessageNotificationSchema, (notification) => void logged.push(notification))
    const ended = (async () => {
      for await (const _ of client.statusChanges()) continue
      for await (const _ of fleet.statusChanges()) continue
    })()
    let closes = 0
    client.onclose = () => closes++
    await fleet.disconnect("one")
    await fleet.reconnect("one")
    await fleet.close()
    await fleet.close()
    await ended
    assert.strictEqual(closes, 1)
    assert.include(heard, "Disconnected")
    assert.instanceOf(await rejection(fleet.callTool({ name: "one__echo" })), BackendUnavailable)
  })
})
