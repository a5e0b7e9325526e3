import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { everything, gateway } from "../../../testing/test/support/Built.js"
import * as Inspector from "../support/Inspector.js"

const folder = mkdtempSync(join(tmpdir(), "lifeline-inspector-"))
const program = Inspector.programIn(folder)

const inspect = (
  ...args: ReadonlyArray<string>
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, process.execPath, gateway, "wrap", ...args], {
      env: { ...process.env, MCP_LIFELINE_STATE: join(folder, "state") },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk))
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, stdout, stderr }))
  })

const asked = async (...args: ReadonlyArray<string>): Promise<any> => {
  const { code, stderr, stdout } = await inspect(process.execPath, everything, "stdio", ...args)
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

beforeAll(() => void Inspector.copy(folder))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("the inspector's command line as a host of wrap", () => {
  it("[W1] lists and calls, the first time and once the server is known", async () => {
    const names = async (): Promise<ReadonlyArray<string>> =>
      (await asked("--method", "tools/list")).tools.map(({ name }: { readonly name: string }) => name)
    const first = await names()
    assert.include(first, "echo")
    assert.deepEqual(await names(), first)
    const { content } = await asked("--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello")
    assert.deepEqual(content, [{ type: "text", text: "Echo: hello" }])
  })

  it("[W1] is told why where there is no such command", async () => {
    const { code, stderr } = await inspect("no-such-command-anywhere", "--method", "tools/list")
    assert.notStrictEqual(code, 0)
    assert.match(stderr, /no-such-command-anywhere/)
  })
})
