import { Effect } from "effect"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { assert, describe, it } from "vitest"
import { type Host, initialized, stateFolder } from "../support/Host.js"
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
    using files = stateFolder()
    await using host = await initialized(["--", process.execPath, program("server-filesystem"), files.path])
    assert.isAbove((await host.result("tools/list"))["tools"].length, 5)
    const path = join(files.path, "note.txt")
    await host.call("write_file", { path, content: "kept" })
    await kill(host)
    assert.strictEqual(await host.call("read_text_file", { path }), "kept")
  })

  it("[W4] server-memory: list, remember, kill, recall", async () => {
    using files = stateFolder()
    const env = { MEMORY_FILE_PATH: join(files.path, "memory.jsonl") }
    await using host = await initialized(["--", process.execPath, program("server-memory")], { env })
    assert.isAbove((await host.result("tools/list"))["tools"].length, 5)
    const ada = { entities: [{ name: "Ada", entityType: "person", observations: ["counts"] }] }
    await host.call("create_entities", ada)
    await kill(host)
    assert.include(await host.call("read_graph"), "Ada")
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
