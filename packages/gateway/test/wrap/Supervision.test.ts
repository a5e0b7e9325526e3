import { McpConfig } from "@mcp-lifeline/config"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import * as Supervision from "../../src/wrap/Supervision.js"
import { answer, outcome } from "../support/FailureHosts.js"
import { initialized, introduced, options, stateFolder, wrap } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

const command = StdioConnector.make({ command: "server" })

describe("the options of supervision on the command line of wrap", () => {
  it("[W4] mean the same as in the file of a host", async () => {
    const given = [
      "keepalive.interval=10s",
      "keepalive.timeout=1500",
      'keepalive.toolArguments={"depth":1}',
      "keepalive.method=tool:look",
      "keepalive.idleTtl=never",
      "reconnect.factor=1.5",
      "reconnect.overlap=true",
      'timeouts.request="5 minutes"',
      "discovery.mode=eager",
      "tools.write_*.timeout=5min",
      "tools.write_*.retry=never",
      'tools={"a.b":{"idempotent":true}}'
    ]
    const lifeline = {
      keepalive: { interval: "10s", timeout: 1500, toolArguments: { depth: 1 }, method: "tool:look", idleTtl: "never" },
      reconnect: { factor: 1.5, overlap: true },
      timeouts: { request: "5 minutes" },
      discovery: { mode: "eager" },
      tools: { "write_*": { timeout: "5min", retry: "never" }, "a.b": { idempotent: true } }
    }
    const { problems, value } = McpConfig.readServer({ command: "server", lifeline })
    assert.deepEqual(problems, [])
    assert.deepEqual(await Effect.runPromise(Supervision.read(given, command)), value?.policy)
  })

  it.each(
    [
      [["keepalive.intervall=1min"], /keepalive\.intervall is not an option of keepalive; did you mean "interval"\?/],
      [["idleTtl=10s"], /idleTtl is not an option; did you mean "keepalive\.idleTtl"\?/],
      [["sessions=per-client"], /sessions is not an option; there are: keepalive, reconnect,/],
      [["__proto__.interval=1min"], /__proto__ is not an option/],
      [["keepalive.interval=10"], /keepalive\.interval is 10; accepted: 1 s to 24 h/],
      [["keepalive.interval=5 parsecs"], /keepalive\.interval is "5 parsecs"; accepted/],
      [["keepalive=1min"], /keepalive is "1min"; accepted: an object of options/],
      [["timeouts.wait=-1s", "calls.retry=maybe"], /timeouts\.wait is .*\n.*calls\.retry is "maybe"; accepted: "safe"/],
      [["keepalive.interval"], /keepalive\.interval is not written as NAME=VALUE/],
      [["keepalive.interval="], /not written as NAME=VALUE/],
      [["timeouts.wait=1s", "timeouts.wait=2s"], /timeouts\.wait appears more than once/],
      [["tools.write_*.timout=1s"], /tools\.write_\*\.timout is not an option of a tool; did you mean "timeout"\?/],
      [["tools.search=never"], /tools\.search is "never"; accepted: an object of options/],
      [["lifecycle.disabled=true"], /lifecycle\.disabled would leave nothing to wrap; disable the server in the/],
      [["keepalive.method=options"], /keepalive\.method is "options"; accepted: "ping", .* only servers over HTTP/]
    ] as const
  )("[W1] %j is refused", async (given, message) => {
    const error = await Effect.runPromise(Effect.flip(Supervision.read(given, command)))
    assert.strictEqual(error._tag, "UsageError")
    assert.match(error.message, message)
    assert.include(error.message, "--option")
  })

  it("[W1] what only one transport can do is for that one", async () => {
    const http = HttpConnector.make({ url: "http://127.0.0.1:1/mcp" })
    const read = await Effect.runPromise(Supervision.read(["keepalive.method=options"], http))
    assert.deepEqual(read, { keepalive: { method: "options" } })
  })
})

describe.concurrent("mcp-lifeline wrap --option", () => {
  it("[W1] one that is not accepted: one line on standard error, exit code 2", async () => {
    await using host = wrap([...options("timeouts.requets=1s"), "--", "x"])
    assert.deepEqual(await host.ended, { code: 2, signal: null })
    assert.match(host.stderr, /^mcp-lifeline: --option: timeouts\.requets .*did you mean "request"\?\n$/)
  })

  it.each(["timeouts.request", "tools.hang*.timeout"])(
    "[W4 C5 C18:real] %s bounds a call, and a number without a unit is told",
    async (option) => {
      const server = scripted(`if (!name.startsWith("hang")) send(said("fine"))`)
      await using host = await initialized([...options(`${option}=900`), ...server])
      assert.match(await outcome(host, "hang_on"), /not answered within 900 ms/)
      assert.strictEqual(await answer(host, "x"), "fine")
      assert.include(host.stderr, `${option} is 900 without a unit, which is read as milliseconds`)
    }
  )

  it("[W4] calls.failFast: where there is no connection, a call fails at once", async () => {
    const server = scripted(`process.exit(1)`)
    const given = options("calls.failFast=true", "reconnect.initialDelay=1h", "reconnect.maxDelay=1h")
    await using host = await initialized([...given, ...server])
    const messages: Array<string> = []
    for (let call = 0; call < 2; call++) {
      messages.push((await host.request("tools/call", { name: "x", arguments: {} })).error?.message ?? "")
    }
    assert.match(messages[0] ?? "", /result is unknown/)
    assert.match(messages[1] ?? "", /not sent, because it must not wait/)
  })

  it("[W4] reconnect.auto=false: a lost server is connected only when the host asks for something", async () => {
    const server = scripted(`if (name === "exit") process.exit(1); else send(said("fine"))`)
    await using host = await initialized([...options("reconnect.auto=false"), ...server])
    await host.request("tools/call", { name: "exit", arguments: {} })
    const { error } = await host.request("tools/call", { name: "x", arguments: {} })
    assert.match(error?.message ?? "", /does not connect by itself/)
    assert.strictEqual(await answer(host, "x"), "fine")
  })

  it("[W4] lifecycle.lazy: a server that is known is started by the first call", async () => {
    using state = stateFolder()
    const args = [...options("lifecycle.lazy=true"), ...scripted(`send(said("fine"))`)]
    {
      const { host, introduction } = await introduced(args, { state: state.path })
      await using _ = host
      assert.strictEqual(introduction["serverInfo"].name, "scripted")
      await host.result("tools/list")
      await state.hasLists()
    }
    await using host = await initialized(args, { state: state.path })
    assert.lengthOf((await host.result("tools/list"))["tools"], 1)
    assert.deepEqual(host.family, [])
    assert.strictEqual(await host.call("x"), "fine")
    assert.lengthOf(host.family, 1)
  })
})
