import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { everything } from "../../../testing/test/support/Built.js"
import { type Host, initialized, startWrap } from "../support/Host.js"

const folder = (): Disposable & { readonly path: string } => {
  const path = mkdtempSync(join(tmpdir(), "lifeline-wrap-"))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) }
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
  it("[W1] --log and --record write what happens and what passes", async () => {
    using where = folder()
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
    using where = folder()
    const program = join(where.path, "server")
    const script = join(where.path, "server.mjs")
    writeFileSync(script, source(["one"]))
    const install = () => {
      writeFileSync(program, `#!${process.execPath}\nimport(${JSON.stringify(script)})\n`)
      chmodSync(program, 0o755)
    }
    install()
    await using host = await initialized(["--", program])
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
    await using host = await initialized(["--", process.execPath, everything, "stdio"], {
      state: join(blocked, "state")
    })
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
})
