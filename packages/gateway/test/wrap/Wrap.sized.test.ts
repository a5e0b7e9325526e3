import { StdioFaultServer } from "@mcp-lifeline/testing"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { everything } from "../../../testing/test/support/Built.js"
import { bySize } from "../../../testing/test/support/bySize.js"
import { gone } from "../support/FailureHosts.js"
import { Host, initialized, introduced, refusal, startWrap, stateFolder, wrap } from "../support/Host.js"

const everythingCommand = ["--", process.execPath, everything, "stdio"]
const faulty = (options: StdioFaultServer.Options = {}) => {
  const { args, command } = StdioFaultServer.command(options)
  return ["--", command, ...args]
}

const journal = (): Disposable & { readonly path: string } => {
  const folder = stateFolder()
  return { path: join(folder.path, "journal"), [Symbol.dispose]: folder[Symbol.dispose] }
}

const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } }

describe.concurrent("mcp-lifeline wrap", () => {
  it("[W1] stands where the server stood: initialize, lists, calls", async () => {
    const { host, introduction: { capabilities, serverInfo } } = await introduced(everythingCommand)
    await using _ = host
    assert.strictEqual(serverInfo.name, "mcp-servers/everything")
    assert.deepInclude(capabilities, { tools: { listChanged: true } })
    assert.include((await host.result("tools/list"))["tools"].map(({ name }: { name: string }) => name), "echo")
    assert.strictEqual(await host.call("echo", { message: "hi" }), "Echo: hi")
    assert.deepEqual(host.strange, [])
  })

  it("[W2] what the server says passes as it came: info, instructions, lists, results, errors", async () => {
    const { host: wrapped, introduction: one } = await introduced(everythingCommand)
    await using _ = wrapped
    await using direct = Host.start(process.execPath, [everything, "stdio"], process.env)
    const other = await direct.initialize()
    assert.deepEqual({ ...one, capabilities: undefined }, { ...other, capabilities: undefined })
    assert.deepEqual(Object.keys(one["capabilities"]).toSorted(), Object.keys(other["capabilities"]).toSorted())
    const requests: ReadonlyArray<readonly [string, object?]> = [
      ["tools/list"],
      ["prompts/list"],
      ["resources/list"],
      ["resources/templates/list"],
      ["tools/call", { name: "get-sum", arguments: { a: 2, b: 3 } }],
      ["tools/call", { name: "get-tiny-image", arguments: {} }],
      ["tools/call", { name: "get-structured-content", arguments: { location: "Chicago" } }],
      ["tools/call", { name: "get-sum", arguments: { a: "x" } }],
      ["tools/call", { name: "no-such-tool", arguments: {} }],
      ["prompts/get", { name: "simple-prompt" }],
      ["prompts/get", { name: "no-such-prompt" }],
      ["resources/read", { uri: "no://such" }],
      ["completion/complete", {
        ref: { type: "ref/prompt", name: "completable-prompt" },
        argument: { name: "department", value: "E" }
      }],
      ["no/such/method"]
    ]
    // Who cannot run a task may call a tool that requires one, too. (C17)
    const orTask = (answer: object): object =>
      JSON.parse(JSON.stringify(answer).replaceAll('"taskSupport":"required"', '"taskSupport":"optional"'))
    for (const [method, params] of requests) {
      const [got, expected] = await Promise.all([wrapped.request(method, params), direct.request(method, params)])
      assert.deepEqual(JSON.parse(JSON.stringify({ ...got, id: 0 })), orTask({ ...expected, id: 0 }), method)
    }
  })

  it("[W3] sampling, elicitation and roots reach the host, progress and logs too, and cancellation the server", async () => {
    const answers = {
      "sampling/createMessage": () => ({ role: "assistant", model: "m", content: { type: "text", text: "sampled" } }),
      "elicitation/create": () => ({ action: "accept", content: { name: "Ada" } }),
      "roots/list": () => ({ roots: [{ uri: "file:///tmp", name: "tmp" }] })
    }
    await using host = wrap(everythingCommand, { answers })
    await host.initialize(capabilities)
    await host.until(() => host.messages.find(({ method }) => method === "roots/list"))
    const called = async (name: string, args: object = {}) =>
      JSON.stringify(await host.result("tools/call", { name, arguments: args }))
    assert.include(await called("trigger-sampling-request", { prompt: "p" }), "sampled")
    assert.include(await called("trigger-elicitation-request"), "Ada")
    await host.result("tools/call", {
      name: "trigger-long-running-operation",
      arguments: { duration: 0.2, steps: 2 },
      _meta: { progressToken: "mine" }
    })
    const progress = host.notified("notifications/progress")
    assert.deepEqual(progress.map(({ params }) => params?.["progressToken"]), progress.map(() => "mine"))
    assert.isAtLeast(progress.length, 2)
    await host.result("logging/setLevel", { level: "debug" })
    await called("toggle-simulated-logging")
    await host.until(() => host.notified("notifications/message")[0])
    await host.result("resources/subscribe", { uri: "demo://resource/dynamic/text/1" })
    await called("toggle-subscriber-updates")
    await host.until(() => host.notified("notifications/resources/updated")[0])
  })

  it("[W3] a call that the host cancels is cancelled at the server, and not answered", async () => {
    using file = journal()
    await using host = await initialized(faulty({ journal: file.path }))
    host.send({ jsonrpc: "2.0", id: "c", method: "tools/call", params: { name: "silent", arguments: {} } })
    await host.result("tools/call", { name: "echo", arguments: { text: "x" } })
    host.notify("notifications/cancelled", { requestId: "c", reason: "no longer" })
    while (StdioFaultServer.count(file.path, "notification", "notifications/cancelled") === 0) {
      await host.call("echo", { text: "y" })
    }
    assert.isUndefined(host.messages.find(({ id }) => id === "c"))
  })

  it("[W4] a killed server is latency only, and what may have been done twice is told as such", async () => {
    using file = journal()
    await using host = await initialized(faulty({ journal: file.path }), { run: startWrap })
    const { tools } = await host.result("tools/list")
    for (const round of [1, 2, 3]) {
      const pid = Number(await host.call("pid"))
      process.kill(pid, "SIGKILL")
      const again = host.call("look", { key: "k" })
      // The list never empties, whatever becomes of the server.
      assert.lengthOf((await host.result("tools/list"))["tools"], tools.length, `round ${round}`)
      await again
      assert.notStrictEqual(Number(await host.call("pid")), pid)
    }
    const pid = Number(await host.call("pid"))
    const cut = host.request("tools/call", { name: "silent", arguments: {} })
    await host.call("echo", { text: "read before" })
    process.kill(pid, "SIGKILL")
    const { error } = await cut
    assert.strictEqual(error?.data.fate, "unknown")
    assert.match(error?.message ?? "", /result is unknown.*; check before you repeat it\. If that cannot be checked/)
    assert.strictEqual(await host.call("echo", { text: "back" }), "back")
  })

  it("[W4] a known server that cannot start is there: initialize and lists at once, calls say what to tell the user", async () => {
    using state = stateFolder()
    using file = journal()
    // The same command line, which the second time leads to a server that dies at its start.
    const args = faulty({ journal: file.path, crashes: [2, 3, 4].map((nth) => ({ at: "start", nth })) })
    let known: Record<string, any>
    {
      await using host = await initialized(args, { state: state.path })
      known = await host.result("tools/list")
      await state.hasLists()
    }
    await using host = await initialized(args, { state: state.path })
    assert.deepEqual((await host.result("tools/list"))["tools"], known["tools"])
    assert.strictEqual(await host.call("echo", { text: "there" }), "there")
  })

  it("[W4] lists that differ after a restart are announced, and others are not", async () => {
    using file = journal()
    await using host = await initialized(faulty({ journal: file.path, addedFrom: 3 }))
    const first = await host.result("tools/list")
    process.kill(Number(await host.call("pid")), "SIGKILL")
    await host.call("look", { key: "k" })
    const pid = Number(await host.call("pid"))
    assert.deepEqual(host.notified("notifications/tools/list_changed"), [])
    process.kill(pid, "SIGKILL")
    await host.call("look", { key: "k" })
    await host.until(() => host.notified("notifications/tools/list_changed")[0])
    assert.lengthOf((await host.result("tools/list"))["tools"], first["tools"].length + 1)
  })

  const ways = ["stdin", "SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"] as const
  for (const way of ways.slice(0, bySize(2, ways.length))) {
    it(`[W5] everything that was started ends after the host's ${way}`, async () => {
      await using host = startWrap(
        // Nobody is left to end what does not end with its stdin, once it is wrap itself that is killed.
        faulty(way === "SIGKILL" ? {} : { wrapper: true, grandchildren: 2, ignoreTerm: true, ignoreStdinEnd: true })
      )
      await host.initialize()
      await host.call("echo", { text: "x" })
      const started = host.family
      assert.isAtLeast(started.length, way === "SIGKILL" ? 1 : 2)
      if (way === "stdin") host.child.stdin?.end()
      else host.child.kill(way)
      // On a busy machine, wrap may have to end itself by SIGKILL.
      if (way !== "SIGKILL") assert.oneOf((await host.ended).code, [0, null])
      await gone(started)
      assert.deepEqual(host.strange, [])
    })
  }

  it("[W1] a command that does not exist: one line, an answer to initialize that says so, exit code 1", async () => {
    await using host = startWrap(["--", "no-such-program-of-ours"])
    assert.match(await refusal(host), /no-such-program-of-ours/)
    assert.lengthOf(host.stderr.trim().split("\n"), 1)
  })

  it("[W1] a program that is no MCP server: an answer that says what it printed", async () => {
    await using host = wrap(["--", process.execPath, "-e", "console.log('hello, world')"])
    assert.match(await refusal(host), /hello, world/)
  })

  const wrong: ReadonlyArray<readonly [string, ReadonlyArray<string>, RegExp]> = [
    ["no command", [], /give a URL, or -- and the command/],
    ["an unknown option", ["--verbose", "--", "x"], /unknown option --verbose/],
    ["a URL that is none", ["ftp://example.com"], /begins with http/],
    ["a header without a colon", ["--header", "nonsense", "http://127.0.0.1:9/mcp"], /NAME: VALUE/],
    ["a header with a variable that is not set", ["--header", "A: ${NOT_SET_HERE}", "http://h/mcp"], /NOT_SET_HERE/]
  ]
  for (const [what, args, message] of wrong) {
    it(`[W1] ${what}: one line on standard error, exit code 2`, async () => {
      await using host = wrap(args)
      assert.deepEqual(await host.ended, { code: 2, signal: null })
      assert.match(host.stderr, message)
      assert.lengthOf(host.stderr.trim().split("\n"), 1)
    })
  }
})
