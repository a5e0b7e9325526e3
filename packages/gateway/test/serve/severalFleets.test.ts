import { Effect, Either, Redacted } from "effect"
import * as Backends from "../../src/config/Backends.js"
import * as McpJson from "../../src/config/McpJson.js"
import * as SeveralFleets from "../../src/serve/severalFleets.js"
import * as Gateway from "../support/Gateway.js"
import { describe, expect, it, test } from "../support/vitest.js"

const noKey = { file: undefined, secret: undefined }
const secret = { file: undefined, secret: Redacted.make("k".repeat(32)) }
const file = { file: "key", secret: undefined }

const stdio = (lifeline: object = {}) => ({ command: "x", lifeline })

const servers = (mcpServers: Readonly<Record<string, object>>): ReadonlyArray<Backends.Server> => {
  const { entries } = Either.getOrThrow(McpJson.parse("mcp.json", JSON.stringify({ mcpServers }), {}))
  return Backends.fromEntries(entries, "/").backends
}

describe("several gateways without a cluster", () => {
  it("[D8] a gateway that was given a session key names the servers that would run once for each gateway", () => {
    const all = servers({
      files: stdio(),
      docs: { url: "http://docs.example/mcp" },
      once: { url: "http://once.example/mcp", lifeline: { placement: "one" } },
      own: stdio({ sessions: "per-client" }),
      each: stdio({ placement: "each" }),
      off: { ...stdio(), disabled: true }
    })
    const begin =
      "this gateway has a session key; if others have the same one, each of them runs files, once for itself: "
    const end =
      'run one gateway only, or set "lifeline": { "placement": "each" } for a server of which each may have one'
    for (const key of [secret, file]) {
      expect(SeveralFleets.warning(key, all, "linux")).toBe(`${begin}give all of them --cluster, or ${end}`)
      expect(SeveralFleets.warning(key, all, "win32")).toBe(begin + end)
    }
    expect(SeveralFleets.warning(noKey, all)).toBeUndefined()
    expect(SeveralFleets.warning(secret, all.filter(({ id }) => id !== "files" && id !== "once"))).toBeUndefined()
  })

  it("[D8] at most ten are named", () => {
    const many = (count: number) =>
      servers(Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, stdio()])))
    expect(SeveralFleets.warning(secret, many(10))).toContain("s8, s9 for itself")
    expect(SeveralFleets.warning(secret, many(12))).toContain("s8, s9 and 2 more for itself")
  })

  test.scopedLive("[D8] serve says so once, when it starts", function*() {
    const started = (env: Record<string, string>) =>
      Effect.scoped(Effect.gen(function*() {
        const { program } = yield* Gateway.serve({ files: { command: "cat", lifecycle: { lazy: true } } }, [], env)
        program.signal("SIGTERM")
        yield* program.ended
        return `${program.stdout()}${program.stderr()}`.match(/each of them runs files for itself/g)?.length ?? 0
      }))
    expect(yield* started({ MCP_LIFELINE_SESSION_KEY: "k".repeat(32) })).toBe(1)
    expect(yield* started({})).toBe(0)
  })
})
