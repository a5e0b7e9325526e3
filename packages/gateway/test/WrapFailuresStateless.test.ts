import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { assert } from "vitest"
import * as StatelessServer from "../../transport-http/test/fixtures/StatelessServer.js"
import { play } from "./support/FailureGuide.js"
import { echoes, isUnknown, outcome, served, started, waits } from "./support/FailureHosts.js"
import { type Host, options, stateFolder, wrap } from "./support/Host.js"

const stateless = { era: "2026" } as const
const announcement = "notifications/tools/list_changed"

/** A host with a server of the official SDK that announces its changes on a stream, which is open. */
const announced = (use: (host: Host, server: StatelessServer.StatelessServer) => Promise<void>): Promise<void> =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const server = yield* StatelessServer.make(true, { capabilities: { tools: { listChanged: true } } })
    yield* Effect.promise(async () => {
      using state = stateFolder()
      await using host = wrap([server.url], { state: state.path })
      await host.initialize()
      await host.result("tools/list")
      await Effect.runPromise(server.until(() => server.listening === 1))
      await use(host, server)
    })
  })))

/** The names of the tools that a host is given. */
const toolsOf = async (host: Host): Promise<ReadonlyArray<string>> =>
  (await host.result("tools/list"))["tools"].map(({ name }: { readonly name: string }) => name)

play("The revision without sessions", {
  "the server speaks only 2026-07-28, and `protocol` is `2025`": async () => {
    using state = stateFolder()
    await using server = await HttpFaultServer.open(stateless)
    const args = ["--protocol", "2025", ...options("timeouts.wait=60s"), server.url]
    await using host = wrap(args, { state: state.path })
    const refusal = await host.initialize().catch(String)
    // On a slow machine initialize is answered before the server is, and the call says why.
    assert.match(typeof refusal === "string" ? refusal : await outcome(host, "echo"), /2026-07-28/)
  },
  "the server cannot be reached": waits(stateless),
  "a response is cut": () =>
    served(async (host, server) => {
      await host.result("tools/list")
      server.fail("tools/call", HttpFault.cut({ carriedOut: true }), 1)
      assert.match(await outcome(host, "echo"), isUnknown)
      server.fail("tools/call", HttpFault.cut({ carriedOut: true }), 1)
      assert.strictEqual(await host.call("read", { message: "read" }), "read")
    }, { ...stateless, tools: { echo: {}, read: { annotations: { readOnlyHint: true } } } }),
  "the stream of changes is cut": () =>
    announced(async (host, server) => {
      const before = host.notified(announcement).length
      server.tools = [{ name: "later", inputSchema: { type: "object" } }]
      server.cut()
      await host.until(() => host.notified(announcement)[before])
      assert.deepEqual(await toolsOf(host), ["later"])
    }),
  "the server has no such stream, or does not announce what it says it does": () =>
    served(async (host) => {
      const { error } = await host.request("resources/subscribe", { uri: "test:a" })
      assert.match(error?.message ?? "", /announces no changes/)
    }, { ...stateless, capabilities: { tools: { listChanged: true }, resources: { subscribe: true } } }),
  "the stream of changes goes silent although keep-alive comments had come on it, or it cannot be opened": {
    file: "../../protocol/test/listen",
    title: "[E5] comments prove life; a server that falls silent after it has sent some is in doubt"
  },
  "the server exits when it is asked which protocol it speaks (`auto` over stdio)": () =>
    started(
      `send(said("fine"))`,
      async (host) => assert.strictEqual(await host.call("x"), "fine"),
      { args: [], before: `if (method === "server/discover") process.exit(1)` }
    ),
  "the server does not answer that question": () =>
    started(
      `send(said(heard.map(({ method }) => method).slice(0, 2)))`,
      async (host) => assert.strictEqual(await host.call("x"), JSON.stringify(["server/discover", "initialize"])),
      { args: options("timeouts.connect=6s"), before: `if (method === "server/discover") return` }
    ),
  "a server that spoke 2026-07-28 comes back with sessions only (`auto`)": () =>
    served(async (host, server) => {
      server.era = "2025"
      server.stateful = true
      await echoes(host, "after")
      assert.strictEqual(server.count("initialize"), 1)
    }, stateless)
})
