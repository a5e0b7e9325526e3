import { Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "vitest"
import { type Host, initialized } from "../support/Host.js"
import { gone } from "../support/Program.js"

const program = (name: string): string =>
  join(dirname(createRequire(import.meta.url).resolve(`@modelcontextprotocol/${name}/package.json`)), "dist/index.js")

const kill = async (host: Host): Promise<void> => {
  const [pid = 0] = host.family
  process.kill(pid, "SIGKILL")
  await Effect.runPromise(gone(pid))
}

describe.concurrent("wrap with published servers", () => {
  it("[W4] server-filesystem: list, write, kill, read", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lifeline-files-"))
    try {
      await using host = await initialized(["--", process.execPath, program("server-filesystem"), folder])
      assert.isAbove((await host.result("tools/list"))["tools"].length, 5)
      const path = join(folder, "note.txt")
      await host.call("write_file", { path, content: "kept" })
      await kill(host)
      assert.strictEqual(await host.call("read_text_file", { path }), "kept")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("[W4] server-memory: list, remember, kill, recall", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lifeline-memory-"))
    try {
      const memory = { env: { MEMORY_FILE_PATH: join(folder, "memory.jsonl") } }
      await using host = await initialized(["--", process.execPath, program("server-memory")], memory)
      assert.isAbove((await host.result("tools/list"))["tools"].length, 5)
      const ada = { entities: [{ name: "Ada", entityType: "person", observations: ["counts"] }] }
      await host.call("create_entities", ada)
      await kill(host)
      assert.include(await host.call("read_graph"), "Ada")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("[W4] server-sequential-thinking: list, think, kill, think", async () => {
    await using host = await initialized(["--", process.execPath, program("server-sequential-thinking")])
    const [{ name }] = (await host.result("tools/list"))["tools"]
    const thought = { thought: "one", nextThoughtNeeded: false, thoughtNumber: 1, totalThoughts: 1 }
    assert.include(await host.call(name, thought), "thoughtNumber")
    await kill(host)
    // Its call is no reading: wrap may have to say that it does not know, but only of a call that was under way.
    assert.include(await host.call(name, thought), "thoughtNumber")
  })
})
