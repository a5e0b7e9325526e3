import { Backend, Sending } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Clock, Effect, TestClock } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { journaled, sdkServer } from "./eraServers.js"
import { ask, connected, connectOptions, eventually, isAlive, pidOf, reconnect, temporary } from "./support.js"

const stateless = "2026-07-28"
const sessions = "2025-11-25"

describe("the era of a server over stdio", () => {
  for (const legacy of ["serve", "reject"] as const) {
    test.scopedLive(`[E6] auto: a server of the official SDK v2 that would ${legacy} the older protocol is asked and connected in one process`, function*() {
      let starts = 0
      const backend = yield* Backend.make("test", {
        connector: StdioConnector.make(sdkServer(legacy, () => starts++)),
        reconnect
      })
      const pid = Number(yield* ask(backend, "pid"))
      const status = yield* backend.status
      assert.strictEqual(status.protocolVersion, stateless)
      assert.strictEqual(status.peer?.pid, pid)
      assert.strictEqual(starts, 1)
      process.kill(pid, "SIGKILL")
      assert.strictEqual(yield* connected(backend, 2), Number(yield* ask(backend, "pid")))
      assert.strictEqual(starts, 2)
      assert.isFalse(isAlive(pid))
    })
  }

  test.scopedLive("[E6] auto: a server that exits at the probe is started once more within the attempt, and remembered", function*() {
    const { connector, counts } = yield* journaled({ crashes: [{ at: "discover" }] })
    let attempts = 0
    const connect: typeof connector.connect = (options) =>
      Effect.suspend(() => {
        attempts++
        return connector.connect(options)
      })
    const backend = yield* Backend.make("test", { connector: { ...connector, connect }, reconnect })
    const pid = Number(yield* ask(backend, "pid"))
    assert.deepStrictEqual(counts(), { start: 2, discover: 1, initialize: 1 })
    assert.strictEqual(attempts, 1)
    const status = yield* backend.status
    assert.strictEqual(status.protocolVersion, sessions)
    assert.strictEqual(status.lastError, undefined)
    assert.strictEqual(status.generation, 1)
    process.kill(pid, "SIGKILL")
    yield* connected(backend, 2)
    assert.deepStrictEqual(counts(), { start: 3, discover: 1, initialize: 2 })
  })

  test.scopedLive("[E6] auto: a server that is silent at the probe is initialized in the same process, and remembered", function*() {
    const { counts, version } = yield* journaled({ silentAtDiscover: true })
    assert.strictEqual(yield* version, sessions)
    assert.deepStrictEqual(counts(), { start: 1, discover: 1, initialize: 1 })
    assert.strictEqual(yield* version, sessions)
    assert.deepStrictEqual(counts(), { start: 2, discover: 1, initialize: 2 })
  })

  test.scoped("[E6] auto: a silent server is waited for a third of timeouts.connect, so that the attempt has time for the rest", function*() {
    const { connector, counts } = yield* journaled({ silentAtDiscover: true })
    const backend = yield* Backend.make("test", { connector, timeouts: { connect: "6 seconds" } })
    yield* Effect.withClock(eventually(() => counts().discover === 1), Clock.make())
    yield* TestClock.adjust("2 seconds")
    yield* backend.firstOutcome
    const { generation, lastError } = yield* backend.status
    assert.deepStrictEqual([generation, lastError], [1, undefined])
    assert.deepStrictEqual(counts(), { start: 1, discover: 1, initialize: 1 })
  })

  test.scopedLive("[E1:real E6] auto over stdio: a server with sessions is asked once, in its own process; a refused handshake ends what was remembered", function*() {
    const { counts, refusal, version } = yield* journaled({ statelessFrom: 2 })
    assert.strictEqual(yield* version, sessions)
    assert.deepStrictEqual(counts(), { start: 1, discover: 1, initialize: 1 })
    assert.strictEqual((yield* refusal).reason, "incompatible")
    assert.deepStrictEqual(counts(), { start: 2, discover: 1, initialize: 2 })
    assert.strictEqual(yield* version, stateless)
    assert.deepStrictEqual(counts(), { start: 3, discover: 2, initialize: 2 })
  })

  test.scopedLive("[E6] auto: a server without sessions that crashes as it is asked is asked again by the next attempt", function*() {
    const { counts, refusal, version } = yield* journaled({ era: "2026", crashes: [{ at: "discover", nth: 1 }] })
    const error = yield* refusal
    assert.isFalse(error.permanent)
    assert.deepStrictEqual(counts(), { start: 2, discover: 1, initialize: 1 })
    assert.strictEqual(yield* version, stateless)
    assert.deepStrictEqual(counts(), { start: 3, discover: 2, initialize: 1 })
  })

  test.scopedLive("[E6] auto: a command that is not found is started once; one that always exits, twice at first, and then once", function*() {
    const missing = StdioConnector.make({ command: "/nowhere/at-all" })
    const spawn = yield* Effect.flip(Effect.scoped(missing.connect(connectOptions)))
    assert.strictEqual(spawn.reason, "spawn")
    const { counts, refusal } = yield* journaled({ crashes: [{ at: "start", stderr: "no key" }] })
    assert.include((yield* refusal).message, "no key")
    assert.strictEqual(counts().start, 2)
    yield* refusal
    assert.strictEqual(counts().start, 3)
  })

  test.scopedLive("[E1:real] a server over stdio that refuses the version and names others gets initialize once more, in the same process", function*() {
    const server = `
      require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
        const { id, method, params } = JSON.parse(line)
        if (id === undefined) return
        const { protocolVersion } = params
        const reply = method !== "initialize"
          ? { error: { code: -32601, message: "Method not found" } }
          : protocolVersion !== "2025-06-18"
          ? { error: { code: -32602, message: "no", data: { supported: ["2024-11-05", "2025-06-18"] } } }
          : { result: { protocolVersion, capabilities: {}, serverInfo: { name: String(process.pid), version: "1" } } }
        console.log(JSON.stringify({ jsonrpc: "2.0", id, ...reply }))
      })
    `
    for (const protocol of ["auto", "2025"] as const) {
      const options = { command: process.execPath, args: ["-e", server], protocol }
      const connection = yield* StdioConnector.make(options).connect(connectOptions)
      assert.strictEqual(connection.protocolVersion, "2025-06-18")
      assert.strictEqual(connection.serverInfo.name, String(pidOf(connection)))
    }
  })

  test.scopedLive("[E1:real] 2025 over stdio sends the same bytes as before there were eras", function*() {
    const journal = join(yield* temporary, "lines")
    const recorder = `
      const { appendFileSync } = require("node:fs")
      require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
        appendFileSync(process.argv[1], line + "\\n")
        const { id, method } = JSON.parse(line)
        if (id === undefined) return
        const initialized = {
          protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "recorder", version: "1" }
        }
        const result = method === "initialize" ? initialized : { content: [] }
        console.log(JSON.stringify({ jsonrpc: "2.0", id, result }))
      })
    `
    const options = { command: process.execPath, args: ["-e", recorder, journal], protocol: "2025" } as const
    const connection = yield* StdioConnector.make(options).connect(connectOptions)
    yield* Sending.ask(connection, "tools/call", { name: "echo", arguments: { text: "hi" } }, { timeout: 20_000 })
    assert.isTrue(isAlive(pidOf(connection)))
    assert.strictEqual(
      readFileSync(journal, "utf8").replaceAll(/"id":\d+/g, '"id":N'),
      [
        '{"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"lifeline","version":"0.0.0"}},"jsonrpc":"2.0","id":N}',
        '{"method":"notifications/initialized","jsonrpc":"2.0"}',
        '{"method":"tools/call","params":{"name":"echo","arguments":{"text":"hi"}},"jsonrpc":"2.0","id":N}',
        ""
      ].join("\n")
    )
  })
})
