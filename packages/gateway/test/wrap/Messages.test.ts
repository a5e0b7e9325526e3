import { HttpFaultServer } from "@mcp-lifeline/testing"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { type Host, initialized, introduced, stateFolder, wrap } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

const methods = (host: Host): ReadonlyArray<string> => host.messages.map(({ method }) => method ?? "answer")

const write = (host: Host, ...lines: ReadonlyArray<object>): void =>
  void host.child.stdin?.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))

describe.concurrent("the messages that pass through wrap", () => {
  it("[W2] what a server says after an answer comes after it, also where both are one piece", async () => {
    await using host = wrap(scripted(
      `send({ method: "notifications/before" }, said("x"), { method: "notifications/after" }, { id: "q", method: "roots/list" })`
    ))
    await host.initialize({ roots: {} })
    host.messages.length = 0
    await host.call("x")
    await host.until(() => host.messages.find(({ method }) => method === "roots/list"))
    assert.deepEqual(methods(host), ["notifications/before", "answer", "notifications/after", "roots/list"])
  })

  it("[W2] a request does not overtake a notification that the host has sent before", async () => {
    const numbers = scripted(`send(said(heard.map(({ params }) => params?.nth).filter(Number.isInteger)))`)
    await using host = await initialized(numbers)
    await host.call("x")
    const count = 20
    const lines = Array.from({ length: count }, (_, nth) => [
      { jsonrpc: "2.0", method: "notifications/of-ours", params: { nth: 2 * nth } },
      { jsonrpc: "2.0", id: `n${nth}`, method: "tools/call", params: { name: "x", nth: 2 * nth + 1 } }
    ])
    write(host, ...lines.flat())
    const { result } = await host.until(() => host.messages.find(({ id }) => id === `n${count - 1}`))
    assert.deepEqual(JSON.parse(result?.["content"][0].text), Array.from({ length: 2 * count }, (_, nth) => nth))
  })

  it("[W3] progress of a task passes after the answer that begins the task", async () => {
    await using host = wrap(scripted(`
        const progress = { method: "notifications/progress", params: { progressToken: params._meta.progressToken, progress: 1 } }
        send({ id, result: { task: { taskId: "t", status: "working" } } })
        setTimeout(() => send(progress), 50)`))
    await host.initialize()
    await host.result("tools/call", { name: "x", task: { ttl: 1000 }, _meta: { progressToken: "mine" } })
    const [progress] = await host.until(() => host.progress().length > 0 ? host.progress() : undefined)
    assert.deepEqual(progress?.params, { progressToken: "mine", progress: 1 })
  })

  const broken: ReadonlyArray<object> = [{}, { error: null }, { error: "x" }, { result: 5 }]
  for (const answer of broken) {
    it(`[W3] a host that answers the server with ${JSON.stringify(answer)}: the server is told, and all goes on`, async () => {
      const asking = scripted(`send(said(await ask("roots/list")))`)
      await using host = await initialized(asking, { capabilities: { roots: {} } })
      const call = host.call("x")
      const asked = await host.until(() => host.messages.find(({ method }) => method === "roots/list"))
      write(host, { jsonrpc: "2.0", id: asked.id, ...answer })
      assert.include(await call, "not JSON-RPC")
    })
  }

  it("[W1] a message that is no JSON-RPC is refused by its id", async () => {
    await using host = await initialized(scripted(`send(said("x"))`))
    const wrong: ReadonlyArray<readonly [object, unknown]> = [
      [{ id: "a", method: 7 }, "a"],
      [{ id: "b", method: "tools/list", params: [1] }, "b"],
      [{ id: 1.5, method: "tools/list" }, null],
      [{ id: null, method: "tools/list" }, null]
    ]
    for (const [message, id] of wrong) {
      host.messages.length = 0
      write(host, { jsonrpc: "2.0", ...message })
      const refused = await host.until(() => host.messages[0])
      assert.deepEqual([refused.id as unknown, refused.error?.code], [id, -32_600])
    }
    write(host, { jsonrpc: "2.0", id: "c", method: "tools/list", params: null })
    assert.isDefined((await host.until(() => host.messages.find(({ id }) => id === "c"))).result)
  })

  it("[W4] a list that the server does not have does not keep the others from being compared", async () => {
    using state = stateFolder()
    const journal = join(state.path, "journal")
    const { host } = await introduced(scripted(`process.exit(1)`, journal))
    await using _ = host
    assert.strictEqual((await host.request("prompts/list")).error?.code, -32_601)
    const run = readFileSync(journal, "utf8").length
    assert.lengthOf((await host.result("tools/list"))["tools"], run)
    await host.request("tools/call", { name: "x" })
    await host.until(() => host.notified("notifications/tools/list_changed")[0])
    assert.lengthOf((await host.result("tools/list"))["tools"], run + 1)
  })

  it("[W4] what is known belongs to a whole address, with its query", async () => {
    using state = stateFolder()
    await using server = await HttpFaultServer.open()
    for (const query of ["one", "two", "one"]) {
      await using host = await initialized([`${server.url}?project=${query}`], { state: state.path })
      await host.call("echo", { message: "there" })
    }
    assert.lengthOf(readdirSync(join(state.path, "servers")), 2)
  })
})
