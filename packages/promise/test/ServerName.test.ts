import { assert, describe, it } from "@effect/vitest"
import * as Servers from "../src/internal/Servers.js"

describe("the name of a server that was given none", () => {
  const cases: ReadonlyArray<readonly [name: string, command: string, ...args: ReadonlyArray<string>]> = [
    ["pkg", "npx", "-y", "@scope/pkg@1"],
    ["pkg", "npx", "-y", "@scope/pkg@^1.2", "stdio", "--port", "1"],
    ["mcp-remote", "npx", "-y", "mcp-remote", "https://example.com/mcp"],
    ["serve", "npx", "--yes", "-p", "some-pkg@2", "serve"],
    ["pkg", "npm", "exec", "--yes", "--", "@scope/pkg"],
    ["pkg", "pnpm", "dlx", "@scope/pkg"],
    ["pkg", "C:\\Program Files\\nodejs\\npx.cmd", "-y", "pkg"],
    ["pkg", "cmd", "/c", "npx", "-y", "@scope/pkg"],
    ["pkg", "C:\\Windows\\System32\\CMD.EXE", "/d", "/s", "/V:off", "/C", "NPX.CMD", "-y", "@scope/pkg"],
    ["cmd", "cmd", "/k", "npx"],
    ["pkg", "env", "A=b", "npx", "-y", "pkg"],
    ["pkg", "npx", "-y", "git+https://user:secret@host.example/owner/pkg.git#main"],
    ["server", "node", "./server.mjs"],
    ["weather", "/usr/bin/node", "--enable-source-maps", "-r", "./hook.js", "/home/me/weather/build/index.js", "--x"],
    ["node", "node", "-e", "process.exit()"],
    ["node", "node"],
    ["index", "node", "index.js"],
    ["pkg", "deno", "run", "-A", "npm:@scope/pkg@1"],
    ["tool", "bun", "run", "src/tool.ts"],
    ["mcp_server_fetch", "python3.12", "-m", "mcp_server_fetch", "--x"],
    ["pkg-server", "python", "-m", "pkg.server"],
    ["weather", "/opt/venv/bin/python", "-u", "weather.py"],
    ["mcp-server-git", "uvx", "mcp-server-git==1.2", "--repository", "/x"],
    ["mcp-server", "uvx", "--from", "git+https://host.example/owner/other", "mcp-server"],
    ["weather", "uv", "--directory", "/home/me/weather", "run", "weather.py"],
    ["app", "java", "-jar", "/opt/app.jar"],
    ["github-mcp-server", "docker", "run", "-i", "--rm", "-e", "TOKEN=secret", "ghcr.io/github/github-mcp-server:1"],
    ["time", "docker", "run", "-it", "--memory", "1g", "--label=x", "mcp/time@sha256:abc", "arg"],
    ["docker", "docker", "run", "--rm"],
    ["my-server", "/usr/local/bin/my-server", "--port", "1"],
    ["my-server", "my-server.exe"],
    ["server", "***"]
  ]

  for (const [name, command, ...args] of cases) {
    it(`${[command, ...args].join(" ")} is ${name}`, () => {
      assert.strictEqual(Servers.nameOf({ command, args }), name)
    })
  }

  it("an address has its host; what is no server is a server", () => {
    assert.strictEqual(Servers.nameOf({ url: "https://docs.example.com:8080/mcp" }), "docs-example-com-8080")
    for (const server of [undefined, {}, { command: "npx", args: 5 }, { url: "x" }]) {
      assert.match(Servers.nameOf(server as never), /^(server|npx)$/)
    }
  })
})
