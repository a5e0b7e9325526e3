import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { ask, connected, livingIn, reconnect, temporary } from "./support.js"

const program = (name: string): string =>
  join(
    dirname(createRequire(import.meta.url).resolve(`@modelcontextprotocol/${name}/package.json`)),
    "dist/index.js"
  )

const killed = (backend: Backend.Backend) =>
  Effect.gen(function*() {
    const pid = yield* connected(backend)
    process.kill(pid, "SIGKILL")
    const next = yield* connected(backend, 2)
    assert.notStrictEqual(next, pid)
    assert.deepStrictEqual(livingIn(pid), [])
  })

describe.concurrent("with published servers", () => {
  test.scopedLive("(S3, C2) server-filesystem: connect, list, call, kill, call again", function*() {
    const directory = yield* temporary
    const backend = yield* Backend.make("files", {
      connector: StdioConnector.make({ command: process.execPath, args: [program("server-filesystem"), directory] }),
      reconnect
    })
    yield* backend.firstOutcome
    const { tools } = yield* backend.listTools()
    assert.includeMembers(tools.map(({ name }) => name), ["read_text_file", "write_file", "list_directory"])
    const path = join(directory, "note.txt")
    yield* ask(backend, "write_file", { path, content: "kept" })
    assert.strictEqual(readFileSync(path, "utf8"), "kept")
    yield* killed(backend)
    assert.strictEqual(yield* ask(backend, "read_text_file", { path }), "kept")
    // It announces what it reads and what it writes: only the first may be sent again after a crash.
    const hints = new Map(tools.map(({ annotations, name }) => [name, annotations]))
    assert.isTrue(hints.get("read_text_file")?.readOnlyHint)
    assert.isNotTrue(hints.get("edit_file")?.idempotentHint)
    writeFileSync(path, "changed")
    assert.strictEqual(yield* ask(backend, "read_text_file", { path }), "changed")
  })
})
