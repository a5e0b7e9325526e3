import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Fiber } from "effect"
import type { ServerPool } from "mcp-lifeline"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import { chat, gateway, type Talk } from "../support/Talk.js"
import { describe, expect, test } from "../support/vitest.js"

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

const chatty = new URL("../fixtures/chatty.mjs", import.meta.url).href

const script = `require("node:fs").existsSync(process.argv[1])
  ? import(${JSON.stringify(chatty)})
  : (console.error("no licence found"), process.exit(3))`

const licensed = (options: Partial<ServerPool.Server>) =>
  Effect.map(folder, (path) => {
    const licence = join(path, "licence")
    const server = { command: process.execPath, args: ["-e", script, licence], protocol: "2025" } as const
    const connector = StdioConnector.make(server)
    return {
      server: { id: "o", connector, reconnect: { initialDelay: 20, maxDelay: 100 }, ...options },
      give: () => writeFileSync(licence, ""),
      take: () => rmSync(licence)
    }
  })

const untilDown = (client: Talk) =>
  promise(() => client.call("lifeline__status")).pipe(
    Effect.delay("20 millis"),
    Effect.repeat({ until: (text) => /^- o: down .*no licence found/m.test(text) })
  )

const unavailable = { tag: "BackendUnavailable", fate: "notSent", backend: "o" }
const down = {
  code: -32_000,
  message: expect.stringMatching(
    /^o is .*no licence found.*Tell the user that the MCP server o cannot be reached, and why\. It is being reconnected/s
  ),
  data: { ...unavailable, state: expect.any(String), lastError: expect.stringContaining("no licence found") }
}

const kinds: ReadonlyArray<readonly [string, Partial<ServerPool.Server>]> = [
  ["a server of its own", { sessions: "per-client" }],
  ["a shared server", {}]
]

describe.concurrent.each(kinds)("a client of %s", (_, sessions) => {
  test.scopedLive("[G15] [G12] has its call wait for a server that is not up yet, though its first attempts fail", function*() {
    const { give, server } = yield* licensed({ ...sessions, timeouts: { wait: "2 minutes" } })
    const { client } = yield* gateway([server])
    const one = yield* client()
    const pid = yield* Effect.fork(promise(() => chat("o").pid(one)))
    const unknown = yield* Effect.fork(promise(() => one.request("tools/call", { name: "o__no_such_tool" })))
    yield* untilDown(one)
    // Lists wait for no more than the first attempt.
    expect(yield* promise(() => one.tools())).toEqual([])
    give()
    expect(yield* Fiber.join(pid)).toBeGreaterThan(0)
    const noServer = { code: -32_602, message: expect.stringContaining("no server offers") }
    expect((yield* Fiber.join(unknown)).error).toMatchObject(noServer)
  })

  test.scopedLive("[G12] is told of a server that never came up what state it is in, why, and what to do", function*() {
    const { server } = yield* licensed({ ...sessions, timeouts: { wait: 100 } })
    const { client } = yield* gateway([server])
    const one = yield* client()
    yield* promise(() => one.tools())
    yield* untilDown(one)
    // The last one is as of a tool whose own name hosts do not accept.
    for (const name of ["o__pid", "o__no_such_tool", "o__files_read_0123abcd"]) {
      expect((yield* promise(() => one.request("tools/call", { name }))).error).toMatchObject(down)
    }
    expect((yield* promise(() => one.request("prompts/get", { name: "o__greet" }))).error).toMatchObject(down)
    const invalid = { code: -32_602 }
    expect((yield* promise(() => one.request("tools/call", { name: "other__pid" }))).error).toMatchObject(invalid)
  })
})
