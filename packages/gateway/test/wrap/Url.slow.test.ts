import { HttpFaultServer, ReservedPort } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { createServer } from "node:http"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import * as Signer from "../../../sign-in/test/support/Signer.js"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import { initialized, isGuess, refusal, wrap } from "../support/Host.js"
import { assert, describe, it, test } from "../support/vitest.js"

describe.concurrent("mcp-lifeline wrap URL", () => {
  it("[W1] a server at a URL: lists, calls, headers with variables of the environment", async () => {
    await using server = await HttpFaultServer.open()
    const env = { WRAP_TEST_KEY: "secret-of-ours" }
    await using host = await initialized(["--header", "X-Key: k-${WRAP_TEST_KEY}", server.url], { env })
    assert.strictEqual(await host.call("echo", { message: "hi" }), "hi")
    const [call] = server.requests("tool:echo")
    // A client of another test may look for its server, which had this port.
    const ours = server.seen.filter(({ rpc, session }) => rpc !== "initialize" && session === call?.session)
    assert.includeMembers(ours.map(({ rpc }) => rpc), ["notifications/initialized", "tools/call"])
    assert.deepEqual(ours.filter(({ headers }) => headers["x-key"] !== "k-secret-of-ours"), [])
    assert.include(server.requests("initialize").map(({ headers }) => headers["x-key"]), "k-secret-of-ours")
    assert.notInclude(host.stderr, "secret-of-ours")
  })

  it("[W4] a lost session and a killed stream are latency only", async () => {
    await using server = await HttpFaultServer.open()
    await using host = await initialized([server.url])
    for (let round = 0; round < 3; round++) {
      for (const id of [...server.sessions.keys()]) server.sessions.delete(id)
      assert.strictEqual(await host.call("echo", { message: "again" }), "again")
    }
  })

  it("[W4] a server that is down at the start: initialize is answered, and its tools appear when it is there", async () => {
    await using reserved = await ReservedPort.open()
    const { port } = reserved
    await using host = wrap([`http://127.0.0.1:${port}/mcp`])
    const { error, result } = await host.introduction()
    assert.isUndefined(error)
    assert.isTrue(isGuess(result))
    host.notify("notifications/initialized")
    assert.deepEqual((await host.result("tools/list"))["tools"], [])
    const call = await host.request("tools/call", { name: "echo", arguments: {} })
    assert.match(call.error?.message ?? "", /Tell the user that the MCP server/)
  })

  it("[W1] a URL that is no MCP server: an answer that says so, one line, exit code 1", async () => {
    const page = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end("<html>hello</html>")
    })
    const test = async (url: string): Promise<void> => {
      await using host = wrap([`${url}/`])
      assert.match(await refusal(host), /text\/html|not JSON|no MCP/)
      assert.lengthOf(host.stderr.trim().split("\n"), 1)
    }
    await Effect.runPromise(Effect.scoped(Effect.flatMap(listening(page), (url) => Effect.promise(() => test(url)))))
  })

  test.scopedLive("[A3] a login is told with its address at once, and once a person has signed in the tools are there", function*() {
    const server = yield* AuthServer.make
    const state = yield* folder
    yield* Effect.promise(async () => {
      await using host = wrap([server.url], { state })
      const { result } = await host.introduction({}, undefined, true)
      host.notify("notifications/initialized")
      const address = await host.until(() => /http:\S+(?=\n)/.exec(host.stderr)?.[0])
      assert.isTrue(isGuess(result))
      const refused = await host.request("tools/call", { name: "ask", arguments: {} })
      assert.include(refused.error?.message ?? "", address)
      assert.deepEqual((await host.result("tools/list"))["tools"], [])
      assert.include((await Effect.runPromise(Signer.visit(address))).text, "Signed in")
      await host.until(() => host.notified("notifications/tools/list_changed")[0])
      assert.isAbove((await host.result("tools/list"))["tools"].length, 0)
      await host.call("ask")
      assert.deepEqual(host.strange, [])
    })
    yield* Effect.promise(async () => {
      await using host = wrap([server.url], { state })
      const { instructions } = await host.initialize()
      assert.notInclude(instructions ?? "", "login")
      await host.call("ask")
      assert.lengthOf(server.grants("authorization_code"), 1)
    })
  })

  test.scopedLive("[A1] a server that nobody can log in to: initialize says why at once, and standard error once however many attempts fail", function*() {
    const server = yield* AuthServer.make
    server.knobs.metadata = { code_challenge_methods_supported: [] }
    const state = yield* folder
    yield* Effect.promise(async () => {
      await using host = wrap([server.url], { state })
      const { result } = await host.introduction({}, undefined, true)
      await host.until(() => /does not offer PKCE/.exec(host.stderr) ?? undefined)
      assert.isTrue(isGuess(result))
      host.notify("notifications/initialized")
      const refused = await host.request("tools/call", { name: "ask", arguments: {} })
      assert.match(refused.error?.message ?? "", /does not offer PKCE/)
      assert.lengthOf(host.stderr.trim().split("\n"), 1)
    })
  })
})
