import { ExactJson } from "@mcp-lifeline/core/text"
import { Effect, Option } from "effect"
import { StateFolder } from "mcp-lifeline"
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as ServerCache from "../../src/cache/ServerCache.js"
import { describe, expect, it, test } from "../support/vitest.js"

const identity: ServerCache.CacheKey = {
  server: { command: "node", args: ["server.js"], env: { TOKEN: "1" } },
  cwd: "/home/me",
  protocolVersion: "2025-11-25",
  clientName: "host",
  capabilities: { roots: {} }
}

const kept = (tool: string): ServerCache.CachedServer => ({
  introduction: { capabilities: { tools: {} }, protocolVersion: "2025-11-25" },
  lists: { "tools/list": { tools: [{ name: tool }] } }
})

const within = <A, E>(path: string, use: (files: ServerCache.ServerCache) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(ServerCache.make, use)).pipe(Effect.provide(StateFolder.layerAt(path)))

describe("what is kept of servers", () => {
  const others: { readonly [K in keyof ServerCache.CacheKey]: ReadonlyArray<unknown> } = {
    server: [
      { command: "deno", args: ["server.js"], env: { TOKEN: "1" } },
      { command: "node", args: ["other.js"], env: { TOKEN: "1" } },
      { command: "node", args: ["server.js"], env: { TOKEN: "2" } },
      { url: "https://mcp.example/" }
    ],
    cwd: ["/home/you"],
    protocolVersion: ["2025-06-18"],
    clientName: ["another host"],
    capabilities: [{}, { roots: { listChanged: true } }]
  }

  it.each(Object.entries(others).flatMap(([field, values]) => values.map((value) => [field, value] as const)))(
    "[W4] is another server's where %s differs: %j",
    (field, value) =>
      expect(ServerCache.fileNameOf({ ...identity, [field]: value })).not.toBe(ServerCache.fileNameOf(identity))
  )

  test.scopedLive("[W10] numbers of a list stay as their server wrote them", function*() {
    const path = join(yield* folder, "state")
    const text = `{"tools":[{"name":"t","inputSchema":{"type":"object","maximum":9007199254740993,"multipleOf":1.0}}]}`
    const list = ExactJson.parse(text) as { readonly tools: ReadonlyArray<unknown> }
    yield* within(path, (files) => files.set(identity, { ...kept("t"), lists: { "tools/list": list } }))
    const found = yield* within(path, (files) => files.get(identity))
    expect(ExactJson.stringify(Option.getOrThrow(found).lists["tools/list"])).toBe(text)
  })

  test.scopedLive("[W4, G4] stays for the next run in a file that only its user can read, and of several the last one stays", function*() {
    const path = join(yield* folder, "state")
    expect(yield* within(path, (files) => files.get(identity))).toEqual(Option.none())
    const tools = ["first", "second", "last"]
    yield* within(
      path,
      (files) =>
        Effect.forEach(tools, (tool) => files.set(identity, kept(tool)), { concurrency: "unbounded", discard: true })
    )
    const [name] = readdirSync(join(path, "servers"))
    const file = join(path, "servers", name!)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, "utf8")).not.toContain("server.js")
    expect(yield* within(path, (files) => files.get(identity))).toEqual(Option.some(kept("last")))
    writeFileSync(file, "{")
    expect(yield* within(path, (files) => files.get(identity))).toEqual(Option.none())
  })

  test.scopedLive("[X5] is bounded: what is too long is not kept, nor what was before", function*() {
    const path = join(yield* folder, "state")
    yield* within(path, (files) => files.set(identity, kept("small")))
    yield* within(path, (files) => files.set(identity, kept("x".repeat(8 * 1024 * 1024))))
    expect(yield* within(path, (files) => files.get(identity))).toEqual(Option.none())
  })

  test.scopedLive("[G4] is remembered for this run where the folder cannot be written", function*() {
    const path = yield* folder
    const file = join(path, "file")
    writeFileSync(file, "")
    chmodSync(file, 0o600)
    const found = yield* within(
      join(file, "state"),
      (files) => Effect.zipRight(files.set(identity, kept("one")), files.get(identity))
    )
    expect(found).toEqual(Option.some(kept("one")))
  })
})
