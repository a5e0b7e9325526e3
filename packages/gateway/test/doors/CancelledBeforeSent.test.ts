import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import { type Host, stateFolder, wrap } from "../support/Host.js"
import { gateway, type Talk } from "../support/Talk.js"
import { assert, describe, test } from "../support/vitest.js"

const journal = Effect.map(folder, (path) => join(path, "journal"))

/** Longer than what any pipe takes at once. */
const long = "x".repeat(4 * 1024 * 1024)

const ids = Array.from({ length: 20 }, (_, nth) => `cancelled-${nth}`)

const carriedOut = async (client: Talk | Host, path: string, prefix: string): Promise<number> => {
  const call = (name: string, args: object) => ({ name: prefix + name, arguments: args })
  const pid = Number((await client.result("tools/call", call("pid", {})))["content"][0].text)
  process.kill(pid, "SIGSTOP")
  const first = client.result("tools/call", call("length", { text: long }))
  for (const id of ids) {
    client.send({ jsonrpc: "2.0", id, method: "tools/call", params: call("count", { key: id }) })
  }
  for (const requestId of ids) client.notify("notifications/cancelled", { requestId })
  // Answered without the server, behind all of that.
  await client.result("ping")
  process.kill(pid, "SIGCONT")
  await first
  await client.result("tools/call", call("echo", { text: "the last" }))
  return StdioFaultServer.count(path, "apply")
}

describe.concurrent("calls that a client cancels before they were sent", () => {
  for (const sessions of ["shared", "per-client"] as const) {
    test.scopedLive(`[C19:real] serve, ${sessions}: are never carried out`, function*() {
      const path = yield* journal
      const connector = StdioConnector.make(StdioFaultServer.command({ journal: path }))
      const { client } = yield* gateway([{ id: "o", connector, sessions, keepalive: { method: "none" } }])
      const one = yield* client()
      assert.strictEqual(yield* Effect.promise(() => carriedOut(one, path, "o__")), 0)
    })
  }

  test.scopedLive("[C19:real] wrap: are never carried out", function*() {
    const path = yield* journal
    const { args, command } = StdioFaultServer.command({ journal: path })
    yield* Effect.promise(async () => {
      using state = stateFolder()
      await using host = wrap(["--protocol", "2025", "--", command, ...args], { state: state.path })
      await host.initialize()
      assert.strictEqual(await carriedOut(host, path, ""), 0)
    })
  })
})
