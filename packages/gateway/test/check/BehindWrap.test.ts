import { describe, expect, it } from "@effect/vitest"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Either } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as BehindWrap from "../../src/check/behindWrap.js"
import * as McpJson from "../../src/config/McpJson.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lifeline-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** What `check` finds behind the servers of a file, by their names: a command or address, or what is said instead. */
const found = (mcpServers: object, env: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function*() {
    const path = yield* folder
    const parsed = McpJson.parse(join(path, "mcp.json"), JSON.stringify({ mcpServers }), env)
    const { entries, problems } = Either.getOrThrow(parsed)
    expect(problems).toEqual([])
    const all = yield* Effect.provide(BehindWrap.find(entries, path), StateFolder.layerAt(join(path, "state")))
    return {
      ...all,
      targets: Object.fromEntries(
        entries.map(({ name }) => [
          name,
          all.servers.get(name)?.connector.target ??
            [...all.problems, ...all.notices].find(({ key }) => key.startsWith(`mcpServers.${name}.`))?.message
        ])
      )
    }
  })

describe("what is behind wrap", () => {
  it.scopedLive("[G2] [W7] is found in every form in which hosts start it", () =>
    Effect.gen(function*() {
      const behind = ["wrap", "--", "node", "a.mjs"]
      const { hidden, targets } = yield* found({
        plain: { command: "mcp-lifeline", args: behind },
        path: { command: "/opt/bin/mcp-lifeline", args: ["wrap", "node", "a.mjs"] },
        adopted: { command: "/usr/bin/node", args: ["/usr/local/bin/mcp-lifeline", ...behind] },
        file: { command: "node", args: ["--no-warnings", "/x/gateway/esm/bin.js", ...behind] },
        npx: { command: "npx", args: ["-y", "mcp-lifeline@1.2.3", ...behind] },
        list: { command: ["npx", "-y", "mcp-lifeline", ...behind] },
        windows: { command: "cmd", args: ["/c", "mcp-lifeline", ...behind] },
        shell: { command: "sh", args: ["-c", "npx -y mcp-lifeline wrap -- node 'a.mjs'"] },
        options: {
          command: "mcp-lifeline",
          args: ["wrap", "--name", "x", "--option", "timeouts.connect=1s", ...behind.slice(1)]
        },
        url: { command: "mcp-lifeline", args: ["wrap", "--transport", "sse", "https://docs.example/mcp?key=x"] },
        other: { command: "node", args: ["a.mjs"] },
        serve: { command: "mcp-lifeline", args: ["serve", "--stdio"] }
      })
      expect([...hidden]).toEqual([])
      expect(targets).toEqual({
        ...Object.fromEntries(
          ["plain", "path", "adopted", "file", "npx", "list", "windows", "shell", "options"].map((
            name
          ) => [name, "node a.mjs"])
        ),
        url: "https://docs.example/mcp",
        other: undefined,
        serve: undefined
      })
    }))

  it.scopedLive("[G2] where it cannot be seen, check says so, and does not take the answers of wrap for it", () =>
    Effect.gen(function*() {
      const { hidden, targets } = yield* found({
        ssh: { command: "ssh", args: ["host", "mcp-lifeline", "wrap", "--", "node", "a.mjs"] },
        docker: { command: "docker", args: ["run", "-i", "image", "mcp-lifeline", "wrap", "node", "a.mjs"] },
        shell: { command: "sh", args: ["-c", "cd /x && exec mcp-lifeline wrap -- node a.mjs"] },
        windows: { command: "cmd", args: ["/c", "mcp-lifeline", "wrap", "--", "%APPDATA%\\a.exe"] }
      })
      const instead = "so that check cannot see the server behind wrap; try what stands behind wrap by itself"
      const shell = `a shell makes its command line, ${instead}`
      expect(targets).toEqual({
        ssh: `ssh starts it, ${instead}`,
        docker: `docker starts it, ${instead}`,
        shell,
        windows: shell
      })
      expect([...hidden]).toEqual(["ssh", "docker", "shell", "windows"])
    }))

  it.scopedLive("[G2] what wrap refuses is a problem of the entry", () =>
    Effect.gen(function*() {
      const { hidden, problems, targets } = yield* found({
        option: { command: "mcp-lifeline", args: ["wrap", "--optoin", "x", "--", "node"] },
        http: { command: "mcp-lifeline", args: ["wrap", "--http", "--", "node"] },
        help: { command: "mcp-lifeline", args: ["wrap", "--help"] },
        value: { command: "mcp-lifeline", args: ["wrap", "--option", "timeouts.connect=-1", "--", "node"] },
        variable: { command: "mcp-lifeline", args: ["wrap", "--header", "A: ${B}", "http://h.test/"], env: { B: null } }
      })
      expect(problems).toHaveLength(5)
      expect([...hidden]).toHaveLength(5)
      expect(targets).toEqual({
        option: expect.stringContaining("wrap refuses them: unknown option --optoin; did you mean --option?"),
        http: expect.stringContaining("--http serves a URL"),
        help: expect.stringContaining("--help only shows"),
        value: expect.stringContaining("timeouts.connect"),
        variable: expect.stringContaining("the header A has ${B}, which is not set")
      })
    }))
})
