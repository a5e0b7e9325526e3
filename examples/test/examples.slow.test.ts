/**
 * Runs the examples as a user does, against real servers, and holds the pages to them.
 */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { delimiter } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "vitest"
import { gateway, published } from "../../packages/testing/test/support/Built.js"

const folder = fileURLToPath(new URL("../", import.meta.url))
/** An example is TypeScript. */
const run = [...published, "--import", createRequire(import.meta.url).resolve("tsx")]

/** The `npx` of the examples: npx itself takes seconds of work. */
const bin = fileURLToPath(new URL("bin", import.meta.url))
const path = process.env["PATH"] ?? ""

const started: Array<ChildProcess> = []
afterAll(() => {
  for (const child of started.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
})

const start = (args: ReadonlyArray<string>, env: Record<string, string> = {}) => {
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, PATH: `${bin}${delimiter}${path}`, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  started.push(child)
  let stdout = ""
  let stderr = ""
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => stdout += chunk)
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => stderr += chunk)
  const closed = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }))
  const prints = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const [, found] = pattern.exec(stdout) ?? []
      if (found !== undefined) return found
      const ended = await Promise.race([closed, once(child.stdout, "data").then(() => undefined)])
      if (ended !== undefined) throw new Error(`ended without ${pattern}: ${ended.stdout}${ended.stderr}`)
    }
  }
  return { child, closed, prints }
}

const unusedPort = async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

describe.concurrent("an example", () => {
  it("[F1:example] promise.ts: the server is killed, and the same client goes on", async () => {
    const { code, stderr, stdout } = await start([...run, "promise.ts"]).closed
    expect([stderr, code]).toEqual(["", 0])
    expect(stdout.split("\n").filter((line) => line !== "")).toEqual([
      expect.stringMatching(/Echo: hello' .* 1$/),
      expect.stringMatching(/Echo: hello again' .* 2$/)
    ])
  })

  it("[F1:example] agent-loop.ts: the server is killed between two steps, and the loop goes on", async () => {
    const { code, stderr, stdout } = await start([...run, "agent-loop.ts"]).closed
    expect([stderr, code]).toEqual(["", 0])
    expect(stdout.split("\n").filter((line) => line !== "")).toEqual([
      expect.stringMatching(/^get-sum: .* 5.* \(connection 1\)$/),
      expect.stringMatching(/^echo: .*the sum is five.* \(connection 1\)$/),
      "lost: closed",
      expect.stringMatching(/^get-sum: .* 13.* \(connection 2\)$/)
    ])
  })

  it("[F1:example] fleet.ts: the servers of an mcp.json, one of which is down", async () => {
    const { code, stderr, stdout } = await start([...run, "fleet.ts"]).closed
    expect([stderr, code]).toEqual(["", 0])
    expect(stdout).toMatch(/^everything Connected\ndocs \w+\ntrue\n.*Echo: hello.*\nBackendUnavailable\n/)
    expect(stdout).toContain("stopped: [ 'docs' ], replaced: []")
  })

  it("[F3:example] supervised-transport.ts: the server is killed under the official Client", async () => {
    const { code, stderr, stdout } = await start([...run, "supervised-transport.ts"]).closed
    expect([stderr, code]).toEqual(["", 0])
    expect(stdout.split("\n").filter((line) => line !== "")).toEqual([
      expect.stringMatching(/Echo: hello' .* 1$/),
      expect.stringMatching(/Echo: hello again' .* 2$/)
    ])
  })

  it("[L1:example] effect-layer.ts: a program over a layer, which ends with it", async () => {
    const { code, stderr, stdout } = await start([...run, "effect-layer.ts"]).closed
    expect([stderr, code]).toEqual(["", 0])
    expect(stdout).toMatch(/Echo: hello' .* Connected 1$/m)
  })

  it("[G1:example] mcp.json: the gateway serves what is up, and brings back what is killed", async () => {
    const docs = `http://127.0.0.1:${await unusedPort()}/mcp`
    const { child, closed, prints } = start([gateway, "serve", "--port", "0", "--config", "mcp.json"], {
      DOCS_URL: docs
    })
    const url = await prints(/Serving (\S+)/)
    const pid = Number(await prints(/everything {2}Connected .*pid (\d+)/))
    const client = new Client({ name: "example", version: "1.0.0" })
    await client.connect(new StreamableHTTPClientTransport(new URL(url)))
    const echo = { name: "everything__echo", arguments: { message: "hello" } }
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toContain(echo.name)
    expect(await client.callTool(echo)).toMatchObject({ content: [{ text: "Echo: hello" }] })
    process.kill(pid, "SIGKILL")
    await prints(/everything {2}(Lost) /)
    expect(await client.callTool(echo)).toMatchObject({ content: [{ text: "Echo: hello" }] })
    await client.close()
    child.kill("SIGTERM")
    expect((await closed).code).toBe(0)
  })
})
