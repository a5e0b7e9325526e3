import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { everything } from "../../../testing/test/support/Built.js"
import { type Host, startWrap, stateFolder, wrap } from "../support/Host.js"
import { alive } from "../support/Program.js"

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const folder = (): Disposable & { readonly path: string } => {
  const path = mkdtempSync(join(tmpdir(), "lifeline-wrap-"))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

const source = (tools: ReadonlyArray<string>): string => `
const tools = ${JSON.stringify(tools)}.map((name) => ({ name, inputSchema: { type: "object" } }))
let rest = ""
process.stdin.setEncoding("utf8").on("data", (chunk) => {
  const lines = (rest + chunk).split("\\n")
  rest = lines.pop()
  for (const line of lines) {
    const { id, method, params } = JSON.parse(line)
    if (id === undefined) continue
    const answer = (result) => console.log(JSON.stringify({ jsonrpc: "2.0", id, result }))
    if (method === "initialize") answer({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "edited", version: "1" } })
    else if (method === "tools/list") answer({ tools })
    else if (method === "tools/call") answer({ content: [{ type: "text", text: params.name + " of " + tools.length + " in " + process.pid }] })
    else console.log(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } }))
  }
})
`

const toolsOf = async (host: Host): Promise<ReadonlyArray<string>> =>
  (await host.result("tools/list"))["tools"].map(({ name }: { readonly name: string }) => name)

describe.concurrent("mcp-lifeline wrap, further", () => {
  it(
    "[W4] --watch restarts the server when its file changes, and announces the lists only where they differ",
    async () => {
      using state = stateFolder()
      using where = folder()
      const file = join(where.path, "server.mjs")
      writeFileSync(file, source(["one"]))
      await using host = wrap(["--watch", "--", process.execPath, file], { state: state.path })
      await host.initialize()
      assert.deepEqual(await toolsOf(host), ["one"])
      const before = await host.call("one")
      writeFileSync(file, `${source(["one"])}// the same tools\n`)
      let after = before
      while (after === before) after = await host.call("one").catch(() => before)
      assert.deepEqual(host.notified("notifications/tools/list_changed"), [])
      writeFileSync(file, source(["one", "two"]))
      await host.until(() => host.notified("notifications/tools/list_changed")[0])
      assert.deepEqual(await toolsOf(host), ["one", "two"])
      // A version that does not start: the lists stay, a call says why, and the next version is taken.
      writeFileSync(file, "throw new Error('a mistake of the author')")
      await host.until(() => /a mistake of the author/.test(host.stderr) ? true : undefined)
      assert.deepEqual(await toolsOf(host), ["one", "two"])
      const failed = await host.request("tools/call", { name: "one", arguments: {} })
      assert.match(failed.error?.message ?? "", /a mistake of the author/)
      writeFileSync(file, source(["one", "two", "three"]))
      await host.until(() => host.notified("notifications/tools/list_changed")[1])
      assert.deepEqual(await toolsOf(host), ["one", "two", "three"])
    }
  )

  it("[W1] --log and --record write what happens and what passes", async () => {
    using state = stateFolder()
    using where = folder()
    const [log, record] = [join(where.path, "log"), join(where.path, "record")]
    {
      await using host = wrap(
        ["--log", log, "--record", record, "--", process.execPath, everything, "stdio"],
        { state: state.path }
      )
      await host.initialize()
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
    assert.deepInclude(passed.find(({ method }) => method === "notifications/cancelled"), {
      params: { requestId: "long", reason: "enough" }
    })
    assert.isUndefined(passed.find(({ id, method }) => id === "long" && method === undefined))
  })

  it("[W4] a program that is missing for a while is used again when it is there", async () => {
    using state = stateFolder()
    using where = folder()
    const program = join(where.path, "server")
    const script = join(where.path, "server.mjs")
    writeFileSync(script, source(["one"]))
    const install = () => {
      writeFileSync(program, `#!${process.execPath}\nimport(${JSON.stringify(script)})\n`)
      chmodSync(program, 0o755)
    }
    install()
    await using host = wrap(["--", program], { state: state.path })
    await host.initialize()
    await toolsOf(host)
    rmSync(program)
    process.kill(Number(/in (\d+)/.exec(await host.call("one"))?.[1]), "SIGKILL")
    const missing = await host.request("tools/call", { name: "one", arguments: {} })
    assert.isDefined(missing.error)
    assert.deepEqual(await toolsOf(host), ["one"])
    install()
    let said: string | undefined
    while (said === undefined) said = await host.call("one").catch(() => undefined)
    assert.match(said, /^one of 1/)
  })

  it("[W1] a state folder that cannot be written: one warning, and everything works", async () => {
    using where = folder()
    const blocked = join(where.path, "file")
    copyFileSync(process.execPath, blocked)
    await using host = wrap(["--", process.execPath, everything, "stdio"], { state: join(blocked, "state") })
    await host.initialize()
    assert.isAbove((await toolsOf(host)).length, 5)
    assert.strictEqual(await host.call("echo", { message: "x" }), "Echo: x")
    assert.lengthOf(host.stderr.split("\n").filter((line) => line.includes("state folder")), 1)
  })

  it("[W5] standard input closed at once: it ends with 0 and has started nothing", async () => {
    using state = stateFolder()
    const host = startWrap(["--", process.execPath, everything, "stdio"], { state: state.path })
    host.child.stdin?.end()
    assert.deepEqual(await host.ended, { code: 0, signal: null })
    assert.strictEqual(host.stderr, "")
  })

  it("[W5] a host that kills it after a moment and starts it again, five times, leaves nothing behind", async () => {
    using state = stateFolder()
    const started = new Set<number>()
    for (let round = 0; round < 5; round++) {
      const host = startWrap(["--", process.execPath, everything, "stdio"], { state: state.path })
      host.send({
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "h", version: "1" } }
      })
      await pause(200)
      for (const pid of host.family) started.add(pid)
      host.child.kill("SIGKILL")
      await host.ended
    }
    while ([...started].some(alive)) await pause(20)
    await using host = wrap(["--", process.execPath, everything, "stdio"], { state: state.path })
    await host.initialize()
    assert.strictEqual(await host.call("echo", { message: "x" }), "Echo: x")
  })

  it("[W5] a host that reads no answers any more: it ends, and says so", async () => {
    using state = stateFolder()
    const host = startWrap(["--", process.execPath, everything, "stdio"], { state: state.path })
    await host.initialize()
    host.child.stdout?.destroy()
    host.send({ jsonrpc: "2.0", id: 77, method: "tools/list" })
    assert.deepEqual(await host.ended, { code: 1, signal: null })
    assert.match(host.stderr, /no longer reads the answers/)
  })

  it("[W1] two hosts at once have a server each", async () => {
    using state = stateFolder()
    await using one = wrap(["--", process.execPath, everything, "stdio"], { state: state.path })
    await using other = wrap(["--", process.execPath, everything, "stdio"], { state: state.path })
    await Promise.all([one.initialize(), other.initialize()])
    assert.deepEqual(
      await Promise.all([one.call("echo", { message: "1" }), other.call("echo", { message: "2" })]),
      ["Echo: 1", "Echo: 2"]
    )
  })
})
