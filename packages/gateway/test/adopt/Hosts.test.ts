import { describe, expect, it } from "@effect/vitest"
import { hosts, places } from "../../src/adopt/Hosts.js"

const of = (
  id: string,
  platform: NodeJS.Platform,
  env: Record<string, string> = {},
  home = platform === "win32" ? "C:\\Users\\ann" : "/home/ann"
) =>
  places({ platform, env, home, cwd: platform === "win32" ? "C:\\work" : "/work" }).filter(({ host }) => host.id === id)
    .map(({ path }) => path)

describe("the places of hosts", () => {
  it.each<[string, NodeJS.Platform, string]>([
    ["claude-desktop", "darwin", "/home/ann/Library/Application Support/Claude/claude_desktop_config.json"],
    ["claude-desktop", "linux", "/home/ann/.config/Claude/claude_desktop_config.json"],
    ["claude-desktop", "linux", "/home/ann/.config/claude/claude_desktop_config.json"],
    ["claude-desktop", "win32", "C:\\Users\\ann\\AppData\\Roaming\\Claude\\claude_desktop_config.json"],
    ["claude-code", "linux", "/home/ann/.claude.json"],
    ["claude-code", "linux", "/work/.mcp.json"],
    ["cursor", "win32", "C:\\Users\\ann\\.cursor\\mcp.json"],
    ["vscode", "darwin", "/home/ann/Library/Application Support/Code/User/mcp.json"],
    ["vscode", "linux", "/home/ann/.config/Code/User/profiles/*/mcp.json"],
    ["vscode", "win32", "C:\\work\\.vscode\\mcp.json"],
    ["zed", "darwin", "/home/ann/.config/zed/settings.json"],
    ["codex", "linux", "/home/ann/.codex/config.toml"],
    ["goose", "win32", "C:\\Users\\ann\\AppData\\Roaming\\Block\\goose\\config\\config.yaml"],
    [
      "cline",
      "linux",
      "/home/ann/.config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"
    ]
  ])("[W7] %s on %s: %s", (id, platform, path) => {
    expect(of(id, platform)).toContain(path)
  })

  it("[W7] follow the variables of their hosts", () => {
    expect(of("codex", "linux", { CODEX_HOME: "/x" })).toContain("/x/config.toml")
    expect(of("claude-code", "linux", { CLAUDE_CONFIG_DIR: "/y" })[0]).toBe("/y/.claude.json")
    expect(of("vscode", "linux", { XDG_CONFIG_HOME: "/z" })).toContain("/z/Code/User/mcp.json")
  })

  it("[W7] have names that a command line can hold, each once", () => {
    const ids = hosts.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[a-z-]+$/)
  })
})
