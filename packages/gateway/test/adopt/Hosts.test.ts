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

const packaged = "Packages\\Claude_*\\LocalCache\\Roaming\\Claude\\claude_desktop_config.json"
const extension = "saoudrizwan.claude-dev/settings"

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
    ["qwen", "linux", "/home/ann/.qwen/settings.json"],
    ["qwen", "win32", "C:\\work\\.qwen\\settings.json"],
    ["cline", "linux", "/home/ann/.cline/data/settings/cline_mcp_settings.json"],
    ["zed", "win32", "C:\\Users\\ann\\AppData\\Roaming\\Zed\\settings.json"],
    ["claude-desktop", "win32", `C:\\Users\\ann\\AppData\\Local\\${packaged}`],
    ["visual-studio", "win32", "C:\\Users\\ann\\.mcp.json"],
    ["visual-studio", "win32", "C:\\work\\.vs\\mcp.json"],
    ["codex", "win32", "C:\\Users\\ann\\.codex\\config.toml"],
    ["opencode", "win32", "C:\\Users\\ann\\.config\\opencode\\opencode.json"],
    ["kilo", "win32", "C:\\Users\\ann\\.config\\kilo\\kilo.jsonc"],
    ["amp", "win32", "C:\\Users\\ann\\.config\\amp\\settings.json"],
    ["amp", "win32", "C:\\Users\\ann\\AppData\\Roaming\\amp\\settings.json"],
    ["goose", "win32", "C:\\Users\\ann\\AppData\\Roaming\\Block\\goose\\config\\config.yaml"],
    ["cline", "linux", `/home/ann/.config/Code/User/globalStorage/${extension}/cline_mcp_settings.json`]
  ])("[W7] %s on %s: %s", (id, platform, path) => {
    expect(of(id, platform)).toContain(path)
  })

  it("[W7] follow the variables of their hosts", () => {
    expect(of("codex", "linux", { CODEX_HOME: "/x" })).toContain("/x/config.toml")
    expect(of("claude-code", "linux", { CLAUDE_CONFIG_DIR: "/y" })[0]).toBe("/y/.claude.json")
    expect(of("vscode", "linux", { XDG_CONFIG_HOME: "/z" })).toContain("/z/Code/User/mcp.json")
  })

  it("[W7] on Windows follow variables in any case; homes and folders may be on another drive or machine", () => {
    const variables = { appdata: "D:\\Roaming", LocalAppData: "E:\\Local", Codex_Home: "F:\\codex" }
    expect(of("vscode", "win32", variables)).toContain("D:\\Roaming\\Code\\User\\mcp.json")
    expect(of("claude-desktop", "win32", variables)).toContain(`E:\\Local\\${packaged}`)
    expect(of("codex", "win32", variables)).toContain("F:\\codex\\config.toml")
    expect(of("vscode", "win32", { APPDATA: "" })).toContain("C:\\Users\\ann\\AppData\\Roaming\\Code\\User\\mcp.json")
    expect(of("cursor", "win32", {}, "\\\\nas\\homes\\ann")).toContain("\\\\nas\\homes\\ann\\.cursor\\mcp.json")
    expect(of("codex", "linux", { codex_home: "/x" })).not.toContain("/x/config.toml")
  })

  it("[W7] have names that a command line can hold, each once", () => {
    const ids = hosts.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[a-z-]+$/)
  })
})
