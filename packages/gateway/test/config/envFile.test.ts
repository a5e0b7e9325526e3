import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Redacted } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as Backends from "../../src/config/Backends.js"
import * as McpJson from "../../src/config/McpJson.js"

describe("an envFile", () => {
  it.scopedLive("[G2:unit] as editors on Windows write it has the same variables: a byte order mark, line ends, backslashes", () =>
    Effect.gen(function*() {
      const path = yield* folder
      writeFileSync(join(path, ".env"), "\uFEFFONE=1\r\nTWO=C:\\notes\\new\r\n")
      const text = JSON.stringify({ mcpServers: { a: { command: "x", envFile: ".env", env: { THREE: "3" } } } })
      const { entries } = Either.getOrThrow(McpJson.parse(join(path, "mcp.json"), text, {}))
      const [problems, [entry]] = yield* Backends.completed(entries, path)
      expect(problems).toEqual([])
      const env = entry?.server._tag === "Stdio" ? entry.server.env : {}
      expect(
        Object.entries(env).map(([name, value]) => [name, Redacted.isRedacted(value) ? Redacted.value(value) : value])
      ).toEqual(
        [["ONE", "1"], ["TWO", "C:\\notes\\new"], ["THREE", "3"]]
      )
    }))
})
