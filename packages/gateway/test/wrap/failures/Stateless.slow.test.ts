import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { assert } from "vitest"
import * as StatelessServer from "../../../../transport-http/test/fixtures/StatelessServer.js"
import { play } from "../../support/FailureGuide.js"
import { echoes, isUnknown, outcome, served, started, waits } from "../../support/FailureHosts.js"
import { type Host, initialized, options, wrap } from "../../support/Host.js"

const stateless = { era: "2026" } as const
const announcement = "notifications/tools/list_changed"

const announced = (use: (host: Host, server: StatelessServer.StatelessServer) => Promise<void>): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const server = yield* StatelessServer.make(true, { capabilities: { tools: { listChanged: true } } })
    yield* Effect.promise(async () => {
      await using host = await initialized([server.url])
      await host.result("tools/list")
      await Effect.runPromise(server.until(() => server.listening === 1))
      await use(host, server)
    })
  })))

const toolsOf = async (host: Host): Promise<ReadonlyArray<string>> =>
  (await host.result("tools/list"))["tools"].map(({ name }: { readonly name: string }) => name)

play("Stateless servers", {
  "The server is stateless, and `protocol` is `2025`": async () => {
    await using server = await HttpFaultServer.open(stateless)
    const args = ["--protocol", "2025", ...options("timeouts.wait=60s"), server.url]
    await using host = wrap(args)
    const refusal = await host.initialize().catch(String)
    // On a slow machine initialize is answered before the server is, and the call says why.
    assert.match(typeof refusal === "string" ? refusal : await outcome(host, "echo"), /2026-07-28/)
  },
  "The stateless server cannot be reached": waits(stateless),
  "A response of a stateless server is cut": () =>
    served(async (host, server) => {
      await host.result("tools/list")
      server.fail("tools/call", HttpFault.cut({ carriedOut: true }), 1)
      assert.match(await outcome(host, "echo"), isUnknown)
      server.fail("tools/call", HttpFault.cut({ carriedOut: true }), 1)
      assert.strictEqual(await host.call("read", { message: "read" }), "read")
    }, { ...stateless, tools: { echo: {}, read: { annotations: { readOnlyHint: true } } } }),
  "The stream of changes is cut": () =>
    announced(async (host, server) => {
      const before = host.notified(announcement).length
      server.tools = [{ name: "later", inputSchema: { type: "object" } }]
      server.cut()
      await host.until(() => host.notified(announcement)[before])
      assert.deepEqual(await toolsOf(host), ["later"])
    }),
  "The server has no stream of changes": () =>
    served(async (host) => {
      const { error } = await host.request("resources/subscribe", { uri: "test:a" })
      assert.match(error?.message ?? "", /announces no changes/)
    }, { ...stateless, capabilities: { tools: { listChanged: true }, resources: { subscribe: true } } }),
  "The stream of changes goes silent": {
    file: "../../protocol/test/listen",
    title: "[E5] comments prove life; a server that falls silent after it has sent some is in doubt"
  },
  "The server exits when it is asked which protocol it speaks": () =>
    started(
      `send(said("fine"))`,
      async (host) => assert.strictEqual(await host.call("x"), "fine"),
      { args: [], before: `if (method === "server/discover") process.exit(1)` }
    ),
  "The server does not answer which protocol it speaks": () =>
    started(
      `send(said(heard.map(({ method }) => method).slice(0, 2)))`,
      async (host) => assert.strictEqual(await host.call("x"), JSON.stringify(["server/discover", "initialize"])),
      { args: options("timeouts.connect=6s"), before: `if (method === "server/discover") return` }
    ),
  "A stateless server comes back with sessions only": () =>
    served(async (host, server) => {
      server.era = "2025"
      server.stateful = true
      await echoes(host, "after")
      assert.strictEqual(server.count("initialize"), 1)
    }, stateless)
})
