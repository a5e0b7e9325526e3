import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { everything, gateway } from "../../../testing/test/support/Built.js"
import * as Inspector from "../support/Inspector.js"
import * as Program from "../support/Program.js"

const folder = mkdtempSync(join(tmpdir(), "lifeline-inspector-"))
const program = Inspector.programIn(folder)

const inspect = (...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const inspector = [process.execPath, program, process.execPath, gateway, "wrap"] as const
    const child = yield* Program.start(args, { MCP_LIFELINE_STATE: join(folder, "state") }, inspector)
    const { code } = yield* child.ended
    return { code, stdout: child.stdout(), stderr: child.stderr() }
  }).pipe(Effect.scoped, Effect.runPromise)

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
