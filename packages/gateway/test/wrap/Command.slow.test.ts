import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { everything } from "../../../testing/test/support/Built.js"
import { type Host, initialized, startWrap, stateFolder } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

const toolsOf = async (host: Host): Promise<ReadonlyArray<string>> =>
  (await host.result("tools/list"))["tools"].map(({ name }: { readonly name: string }) => name)

describe.concurrent("mcp-lifeline wrap, further", () => {
  it("[W1] --log and --record write what happens and what passes", async () => {
    using where = stateFolder()
    const [log, record] = [join(where.path, "log"), join(where.path, "record")]
    {
      const args = ["--log", log, "--record", record, "--", process.execPath, everything, "stdio"]
      await using host = await initialized(args)
      await host.call("echo", { message: "hello there" })
      const params = { name: "trigger-long-running-operation", arguments: { duration: 600, steps: 2 } }
      host.send({ jsonrpc: "2.0", id: "long", method: "tools/call", params })
      host.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "long", reason: "enough" } })
      await host.request("ping")
    }
    const lines = (file: string) => readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line))
    assert.includeMembers(lines(log).map(({ _tag }) => _tag), ["StateChanged"])
    const text = readFileSync(record, "utf8")
    assert.include(text, "hello there")
    assert.includeMembers(lines(record).map(({ about }) => about), ["from the host", "to the host"])
    assert.match(lines(record)[0].note, /read it before you share it/)
    const passed = lines(record).slice(1).map(({ message }) => message)
    const cancelled = { params: { requestId: "long", reason: "enough" } }
    assert.deepInclude(passed.find(({ method }) => method === "notifications/cancelled"), cancelled)
    assert.isUndefined(passed.find(({ id, method }) => id === "long" && method === undefined))
  })

  it("[W4] a program that is missing for a while is used again when it is there", async () => {
    using where = stateFolder()
    const program = join(where.path, "server")
    const script = join(where.path, "server.mjs")
    writeFileSync(script, scripted(`send(said(name + " in " + process.pid))`).at(-1)!)
    const install = () => {
      writeFileSync(program, `#!${process.execPath}\nimport(${JSON.stringify(script)})\n`)
      chmodSync(program, 0o755)
    }
    install()
    await using host = await initialized(["--", program])
    await toolsOf(host)
    rmSync(program)
    process.kill(Number(/in (\d+)/.exec(await host.call("tool-0"))?.[1]), "SIGKILL")
    const missing = await host.request("tools/call", { name: "tool-0", arguments: {} })
    assert.isDefined(missing.error)
    assert.deepEqual(await toolsOf(host), ["tool-0"])
    install()
    let said: string | undefined
    while (said === undefined) said = await host.call("tool-0").catch(() => undefined)
    assert.match(said, /^tool-0 in/)
  })

  it("[W1] a state folder that cannot be written: one warning, and everything works", async () => {
    using where = stateFolder()
    const blocked = join(where.path, "file")
    copyFileSync(process.execPath, blocked)
    const state = join(blocked, "state")
    await using host = await initialized(["--", process.execPath, everything, "stdio"], { state })
    assert.isAbove((await toolsOf(host)).length, 5)
    assert.strictEqual(await host.call("echo", { message: "x" }), "Echo: x")
    assert.lengthOf(host.stderr.split("\n").filter((line) => line.includes("state folder")), 1)
  })

  it("[W5] a host that reads no answers any more: it ends, and says so", async () => {
    const host = startWrap(["--", process.execPath, everything, "stdio"])
    await host.initialize()
    host.child.stdout?.destroy()
    host.send({ jsonrpc: "2.0", id: 77, method: "tools/list" })
    assert.deepEqual(await host.ended, { code: 1, signal: null })
    assert.match(host.stderr, /no longer reads the answers/)
  })

  it("[W2] a long answer passes, up to what hosts read, or what is said that this one reads", async () => {
    using state = stateFolder()
    const server = scripted(`send(said("x".repeat(Number(name))))`)
    await using host = await initialized(server, { state: state.path, run: startWrap })
    assert.lengthOf(await host.call("10400000"), 10_400_000)
    const { error } = await host.request("tools/call", { name: "10600000" })
    assert.match(error?.message ?? "", /the answer is 10\.\d MB long.*--max-message/)
    assert.deepEqual(error?.data, { fate: "answered", tag: "TooLong" })
    assert.lengthOf(await host.call("5"), 5)
    const longer = ["--max-message", "50 MB", ...server]
    await using other = await initialized(longer, { state: state.path, run: startWrap })
    assert.lengthOf(await other.call("17000000"), 17_000_000)
  })
})
