import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "vitest"
import * as Wine from "../../../testing/test/support/Wine.js"
import type { Plan } from "./adopting.js"
import * as Program from "./program.js"

const mcpServers = `{
  // mine
  "mcpServers": {
    "plain": { "command": "npx", "args": ["tool", "C:\\\\My Files\\\\a"] },
    "shell": {
      "command": "CMD",
      "args": [\n        "/d",\n        "/C", // the shell
        "npx",\n        "-y",\n        "tool",\n        "%USERPROFILE%"\n      ]
    }
  }
}
`
const servers = `{ "servers": { "one": { "type": "stdio", "command": "uvx", "args": ["tool"] } } }\n`
const toml = `[mcp_servers.one] # mine\ncommand = "cmd"\nargs = [\n  "/c",\n  "npx", 'C:\\x'\n]\n`
const yaml = `extensions: # mine\n  one:\n    type: stdio\n    cmd: npx\n    args:\n    - tool\n`

const crlf = (text: string): string => text.replaceAll("\n", "\r\n")

const files: Readonly<Record<string, string>> = {
  "home/Roaming/Claude/claude_desktop_config.json": crlf(mcpServers),
  "home/Local/Packages/claude_1x/LocalCache/Roaming/Claude/claude_desktop_config.json": `\uFEFF${crlf(mcpServers)}`,
  "home/Roaming/Code/User/mcp.json": `\uFEFF${crlf(servers)}`,
  "home/Roaming/Code/User/profiles/a/mcp.json": servers,
  "home/.codex/config.toml": crlf(toml),
  "home/Roaming/Block/goose/config/config.yaml": crlf(yaml),
  "home/.codeium/windsurf/mcp_config.json": crlf(mcpServers).replace("\r\n", "\n"),
  "project/.mcp.json": crlf(mcpServers)
}

for (const node of Wine.nodes) {
  describe(`adopt on Windows (${node.name})`, () => {
    let wine: Wine.Wine
    Program.before(node, "adopting.ts", (made) => (wine = made))

    it("[W7] finds the files of hosts, keeps their line ends, and what it writes starts without a shell; --undo restores each byte", async () => {
      const path = (name: string): string => join(wine.directory, name)
      const read = (name: string): string => readFileSync(path(name), "utf8")
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(path(name)), { recursive: true })
        writeFileSync(path(name), text)
      }
      const windows = (name: string): string => Wine.windows(path(name))
      const plan: Plan = {
        // In the case in which some programs write them.
        env: {
          appdata: windows("home/Roaming"),
          LocalAppData: windows("home/Local"),
          UserProfile: windows("home"),
          Path: `${Wine.windows(wine.directory)};C:\\windows\\system32`,
          NODE_SKIP_PLATFORM_CHECK: "1"
        },
        commands: [["--yes"], ["--yes", "--json"], ["--undo", "--yes"]],
        files: Object.keys(files),
        started: "project/.mcp.json"
      }
      writeFileSync(path("plan.json"), JSON.stringify(plan))
      await wine.run(node.path, "adopting.cjs")
      type Outcome = { readonly status: number; readonly stdout: string; readonly texts: ReadonlyArray<string> }
      const outcome = JSON.parse(wine.read("outcome.json"))
      const { answers, outcomes } = outcome as { readonly answers: unknown; readonly outcomes: ReadonlyArray<Outcome> }
      const [first, second, third] = outcomes
      assert.strictEqual(first?.status, 0, first?.stdout)
      assert.include(first?.stdout, "Wrapped 12 servers in 8 files")
      assert.include(first?.stdout, `${windows("home/.codex/config.toml")}\n`)
      for (const [index, [name, text]] of Object.entries(files).entries()) {
        const adopted = first?.texts[index] ?? ""
        assert.include(adopted, "mcp-lifeline", name)
        const ends = (text: string) => [...new Set(text.split("\n").slice(1, -1).map((line) => line.endsWith("\r")))]
        assert.deepStrictEqual(ends(adopted), ends(text), name)
        assert.strictEqual(adopted.startsWith("\uFEFF"), text.startsWith("\uFEFF"), name)
        assert.strictEqual(read(name), text, name)
      }
      assert.deepStrictEqual(answers, [["first", "C:\\My Files\\a"], ["first", windows("home")]])
      assert.deepStrictEqual([second?.status, second?.texts], [0, first?.texts])
      const again = JSON.parse(second?.stdout ?? "") as { files: ReadonlyArray<{ status: string }> }
      assert.isTrue(again.files.every(({ status }) => status === "nothing to do"))
      assert.strictEqual(third?.status, 0, third?.stdout)
    })
  })
}
