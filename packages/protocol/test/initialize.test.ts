import { ConnectError, RequestError, Sending } from "@mcp-lifeline/core"
import { MemoryConnector, Meta, SdkConnection } from "@mcp-lifeline/protocol"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Fiber } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import type { AdapterTransport } from "../src/AdapterTransport.js"
import * as Discovery from "../src/Discovery.js"
import * as Failures from "../src/Failures.js"
import { initializeResult, transportOf } from "./scripted.js"

const options = { report: () => {} }

const attempt = (reply: object | ((transport: ReturnType<typeof transportOf>["transport"]) => Promise<void>)) => {
  const made = transportOf((message: JSONRPCMessage) => {
    if (!("id" in message)) return Promise.resolve()
    if (typeof reply === "function") return reply(made.transport)
    queueMicrotask(() => made.transport.onmessage?.({ jsonrpc: "2.0", id: message.id, ...reply } as JSONRPCMessage))
    return Promise.resolve()
  })
  return { ...made, error: Effect.scoped(Effect.flip(SdkConnection.connect(made.transport, options))) }
}

const nested = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`)

const introduced = (said: object, error: object = { code: -32603, message: "no" }) => {
  const { transport } = transportOf((message: JSONRPCMessage) => {
    if (!("id" in message)) return Promise.resolve()
    const reply = "method" in message && message.method === "initialize"
      ? { result: { ...initializeResult, ...said } }
      : { error }
    queueMicrotask(() => transport.onmessage?.({ jsonrpc: "2.0", id: message.id, ...reply } as JSONRPCMessage))
    return Promise.resolve()
  })
  return SdkConnection.connect(transport, options)
}

describe("what a server says of itself, and its errors", () => {
  test.scopedLive("[X1:unit W2] are what came, with what no schema knows", function*() {
    const serverInfo = { name: "n".repeat(256), version: "v", title: "t", icons: [{ src: "x" }], websiteUrl: "y" }
    const instructions = "i".repeat(100_000)
    const connection = yield* introduced({ serverInfo, instructions })
    assert.deepStrictEqual(connection.serverInfo, serverInfo)
    assert.strictEqual(connection.instructions, instructions)
  })

  test.scopedLive("[X1:unit] are cut where they are too long", function*() {
    const long = "\u001B;?".repeat(400_000)
    const error = { code: -32603, message: long }
    const serverInfo = { name: long, version: long, title: long }
    const connection = yield* introduced({ serverInfo, instructions: long }, error)
    const discovered = yield* Discovery.introductionOf(
      { capabilities: {}, instructions: long, _meta: { [Meta.keys.serverInfo]: serverInfo } },
      { peer: {} } as AdapterTransport
    )
    for (const { instructions, serverInfo } of [connection, discovered]) {
      for (const text of [serverInfo.name, serverInfo.version, serverInfo.title ?? long]) {
        assert.isBelow(text.length, 300)
      }
      assert.isBelow(instructions?.length ?? Number.POSITIVE_INFINITY, 100_100)
    }
    const failed = yield* Effect.flip(Sending.ask(connection, "tools/call", { name: "x" }, { timeout: 5000 }))
    assert.isBelow(failed.message.length, 16_500)
    assert.include(failed.message, `[cut: ${long.length} characters]`)
    const request = new RequestError({ fate: "unknown", reason: "network", message: "x".repeat(100_000) })
    assert.strictEqual(
      Failures.toConnectError(request).message,
      `${"x".repeat(4000)}… [cut: 100000 characters]`
    )
  })

  test.live("[X1:unit] are refused where they are nested too deeply to be passed on", function*() {
    for (
      const said of [
        { capabilities: { tools: {}, experimental: { x: nested(20_000) } } },
        { serverInfo: { name: "n", version: "v", icons: nested(20_000) } }
      ]
    ) {
      const error = yield* Effect.scoped(Effect.flip(introduced(said)))
      assert.include(error.message, "nested more than 500 levels deep")
    }
    const names = yield* attempt({ error: { code: -32004, message: "x", data: { supported: nested(20_000) } } }).error
    assert.deepInclude(names, { reason: "incompatible" })
  })
})

describe("a failing initialize", () => {
  test.live("(R5) a protocol version that we do not speak is incompatible", function*() {
    const error = yield* attempt({ result: { ...initializeResult, protocolVersion: "2031-01-01" } }).error
    assert.deepInclude(error, { reason: "incompatible", permanent: true })
    assert.include(error.message, "2031-01-01")
  })

  test.live("[T9:virtual] a server without initialize, or that names the versions it speaks, is incompatible", function*() {
    const without = yield* attempt({ error: { code: -32601, message: "Method not found" } }).error
    assert.deepInclude(without, { reason: "incompatible", permanent: true })
    const names = yield* attempt({
      error: { code: -32004, message: "Unsupported protocol version", data: { supported: ["2026-07-28"] } }
    }).error
    assert.deepInclude(names, { reason: "incompatible", permanent: true })
    assert.include(names.message, "2026-07-28")
  })

  test.live("(C9) another refusal, and an answer that does not fit, are protocol errors in one line", function*() {
    const refusal = yield* attempt({ error: { code: -32603, message: "no\nway" } }).error
    assert.deepInclude(refusal, { reason: "protocol", permanent: false })
    assert.strictEqual(refusal.message, "the server refused initialize: no way (code -32603)")
    const misfit = yield* attempt({ result: { hello: 1 } }).error
    assert.deepInclude(misfit, { reason: "protocol", permanent: false })
    assert.notInclude(misfit.message, "\n")
  })

  test.live("(C9) what the transport knows passes through, and each reason finds its own", function*() {
    const known = new ConnectError({ backend: "", reason: "tls", permanent: true, message: "bad certificate" })
    assert.strictEqual(yield* attempt(() => Promise.reject(known)).error, known)
    const pairs = [
      ["rateLimited", "rateLimited"],
      ["server", "server"],
      ["unauthorized", "unauthorized"],
      [
        "network",
        "unreachable"
      ],
      ["timeout", "timeout"],
      ["lost", "closed"]
    ] as const
    for (const [reason, expected] of pairs) {
      const error = yield* attempt(() =>
        Promise.reject(new RequestError({ fate: "unknown", reason, message: "why", retryAfter: 7 }))
      ).error
      assert.deepInclude(error, { reason: expected, message: "why", retryAfter: 7, permanent: false })
    }
  })

  test.live("(S3) a transport that ends during initialize ends the attempt with its message", function*() {
    const error = yield* attempt((transport) => {
      queueMicrotask(() => transport.onlost?.({ kind: "closed", message: "exited with code 3" }))
      return Promise.resolve()
    }).error
    assert.deepInclude(error, { reason: "closed", permanent: false, message: "exited with code 3" })
  })

  test.scopedLive("(L9) closes the transport at once, also when interrupted, and not with the caller's scope", function*() {
    const refused = attempt({ error: { code: 1, message: "no" } })
    yield* Effect.flip(SdkConnection.connect(refused.transport, options))
    assert.strictEqual(refused.closed(), 1)
    const silent = attempt(() => Promise.resolve())
    const fiber = yield* Effect.fork(SdkConnection.connect(silent.transport, options))
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(fiber)
    assert.strictEqual(silent.closed(), 1)
  })
})

describe("a refusal of the version", () => {
  const latest = "2025-11-25"

  const refusing = (
    code: number,
    supported: unknown,
    { speaks = "", relay = {} as Partial<SdkConnection.Relay> } = {}
  ) => {
    const asked: Array<unknown> = []
    const taken: Array<string> = []
    const { transport } = transportOf((message: JSONRPCMessage) => {
      if (!("id" in message) || !("method" in message)) return Promise.resolve()
      const version = message.params?.["protocolVersion"]
      asked.push(version)
      const reply = version === speaks
        ? { result: { ...initializeResult, protocolVersion: speaks } }
        : { error: { code, message: "no such version", data: { supported } } }
      queueMicrotask(() => transport.onmessage?.({ jsonrpc: "2.0", id: message.id, ...reply } as JSONRPCMessage))
      return Promise.resolve()
    })
    transport.setProtocolVersion = (version) => taken.push(version)
    const request = () => Promise.reject(new Error("none"))
    const connect = SdkConnection.connect(
      transport,
      relay.protocolVersion === undefined
        ? options
        : { ...options, relay: { request, ...relay, protocolVersion: relay.protocolVersion } }
    )
    return { asked, taken, connect }
  }

  for (const code of [-32602, -32022, -32000]) {
    test.scopedLive(`[E1] (${code}) that names versions: initialize is sent once more, with the newest that both know`, function*() {
      const cases: ReadonlyArray<readonly [supported: ReadonlyArray<unknown>, version: string]> = [
        [["2025-06-18"], "2025-06-18"],
        [["2024-11-05", "2031-01-01", "2025-06-18", "draft", 7, null, {}], "2025-06-18"],
        [[latest, "2024-10-07"], "2024-10-07"],
        [["2026-07-28", "2025-03-26"], "2025-03-26"]
      ]
      for (const [supported, version] of cases) {
        const { asked, connect, taken } = refusing(code, supported, { speaks: version })
        const { protocolVersion } = yield* connect
        assert.deepStrictEqual([asked, taken, protocolVersion], [[latest, version], [version], version])
      }
    })

    test.live(`[E1] (${code}) that names none in common, or nothing, or comes again, is the error`, function*() {
      const others = { reason: "incompatible", permanent: true }
      const own = { reason: "protocol", message: `the server refused initialize: no such version (code ${code})` }
      const cases: ReadonlyArray<readonly [supported: unknown, error: object, asked: ReadonlyArray<string>]> = [
        [["2031-01-01", "2026-07-28"], others, [latest]],
        [[], others, [latest]],
        [[...Array<string>(100).fill("2031-01-01"), "2025-06-18"], others, [latest]],
        ["2025-06-18", own, [latest]],
        [{ includes: true, 0: "2025-06-18" }, own, [latest]],
        [null, own, [latest]],
        [[latest], own, [latest]],
        [["2025-03-26", "2025-06-18"], own, [latest, "2025-06-18"]]
      ]
      for (const [supported, expected, versions] of cases) {
        const { asked, connect, taken } = refusing(code, supported)
        assert.deepInclude(yield* Effect.scoped(Effect.flip(connect)), expected)
        assert.deepStrictEqual([asked, taken], [versions, []])
      }
    })
  }

  test.scopedLive("[E1 W2] of a client that asks for an old one: older ones come first, which it may know", function*() {
    const cases = [[["2025-06-18", "2024-11-05"], "2024-11-05"], [["2025-06-18"], "2025-06-18"]] as const
    for (const [supported, speaks] of cases) {
      const relay = { protocolVersion: "2025-03-26" }
      const { asked, connect } = refusing(-32602, supported, { speaks, relay })
      assert.strictEqual((yield* connect).protocolVersion, speaks)
      assert.deepStrictEqual(asked, ["2025-03-26", speaks])
    }
  })
})

describe("MemoryConnector", () => {
  test.live("makes a server for each connection, and says what it is", function*() {
    let made = 0
    const connector = MemoryConnector.make({
      server: () => {
        made++
        return Promise.resolve(new McpServer({ name: `n${made}`, version: "1" }))
      }
    })
    assert.deepInclude(connector, { transport: "memory", overlap: true, target: "in memory" })
    const names = yield* Effect.scoped(Effect.all([connector.connect(options), connector.connect(options)]))
    assert.deepStrictEqual(names.map((connection) => connection.serverInfo.name), ["n1", "n2"])
  })

  test.live("a server that cannot be made is a ConnectError", function*() {
    const connector = MemoryConnector.make({
      server: () => {
        throw new Error("out of servers")
      }
    })
    const error = yield* Effect.scoped(Effect.flip(connector.connect(options)))
    assert.deepInclude(error, { reason: "spawn", permanent: false })
    assert.include(error.message, "out of servers")
  })
})
