import { basename, posix, win32 } from "node:path"
import type { Section } from "./Entries.js"

export interface Machine {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly cwd: string
}

export interface Host {
  readonly id: string
  readonly title: string
  /** `{name}` stands for a folder or a platform, `{a,b}` for each of these words, `*` for anything but a separator. */
  readonly user: ReadonlyArray<string>
  readonly project: ReadonlyArray<string>
  readonly sections: ReadonlyArray<Section>
  /** Rewrites its user file while it runs, so that a change from outside may be lost. */
  readonly isLive: boolean
}

const mcpServers = [["mcpServers"]]

const host = (
  id: string,
  title: string,
  user: ReadonlyArray<string>,
  project: ReadonlyArray<string> = [],
  sections: ReadonlyArray<Section> = mcpServers,
  isLive = false
): Host => ({ id, title, user, project, sections, isLive })

/** Of an extension, in VS Code and editors that are based on it. */
const storage = "{config}/{Code,Code - Insiders,VSCodium,Cursor,Windsurf}/User/globalStorage"

export const hosts: ReadonlyArray<Host> = [
  host("claude-desktop", "Claude Desktop", [
    "{config}/Claude/claude_desktop_config.json",
    "{linux}{dotConfig}/claude/claude_desktop_config.json",
    "{windows}{local}/Packages/Claude_*/LocalCache/Roaming/Claude/claude_desktop_config.json"
  ]),
  host(
    "claude-code",
    "Claude Code",
    ["{claude}/.claude.json", "{home}/.claude.json"],
    [".mcp.json"],
    [...mcpServers, ["projects", "*", "mcpServers"]],
    true
  ),
  host("cursor", "Cursor", ["{home}/.cursor/mcp.json"], [".cursor/mcp.json"]),
  host(
    "vscode",
    "VS Code",
    ["{config}/{Code,Code - Insiders,VSCodium}/User/{mcp.json,profiles/*/mcp.json,settings.json}"],
    [".vscode/mcp.json", ".vscode/settings.json"],
    [["servers"], ["mcp", "servers"]]
  ),
  host("visual-studio", "Visual Studio", ["{windows}{home}/.mcp.json"], [".vs/mcp.json"], [["servers"]]),
  host("copilot", "GitHub Copilot CLI", ["{copilot}/mcp-config.json"]),
  host("windsurf", "Windsurf", ["{home}/.codeium/{windsurf/mcp_config.json,mcp_config.json}"]),
  host(
    "zed",
    "Zed",
    ["{dotConfig}/zed/settings.json", "{config}/Zed/settings.json"],
    [".zed/settings.json"],
    [["context_servers"]]
  ),
  host("gemini", "Gemini CLI", ["{home}/.gemini/settings.json"], [".gemini/settings.json"]),
  host("qwen", "Qwen Code", ["{home}/.qwen/settings.json"], [".qwen/settings.json"]),
  host("antigravity", "Antigravity", ["{home}/.gemini/{config,antigravity}/mcp_config.json"]),
  host("codex", "Codex", ["{codex}/config.toml"], [".codex/config.toml"], [["mcp_servers"]]),
  host(
    "continue",
    "Continue",
    ["{home}/.continue/{config.yaml,mcpServers/*.yaml,mcpServers/*.yml,mcpServers/*.json}"],
    [".continue/mcpServers/*.{yaml,yml,json}"]
  ),
  host("cline", "Cline", [
    `${storage}/saoudrizwan.claude-dev/settings/cline_mcp_settings.json`,
    "{home}/.cline/data/settings/cline_mcp_settings.json"
  ]),
  host("roo", "Roo Code", [`${storage}/rooveterinaryinc.roo-cline/settings/mcp_settings.json`], [".roo/mcp.json"]),
  host(
    "opencode",
    "opencode",
    ["{dotConfigs}/opencode/opencode.{json,jsonc}"],
    ["{opencode,.opencode/opencode}.{json,jsonc}"],
    [["mcp", "servers"], ["mcp"]]
  ),
  host(
    "kilo",
    "Kilo Code",
    ["{dotConfigs}/kilo/kilo.{json,jsonc}"],
    ["kilo.{json,jsonc}", ".kilocode/mcp.json"],
    [["mcp", "servers"], ["mcp"], ...mcpServers]
  ),
  host("junie", "Junie", ["{home}/.junie/mcp/mcp.json"], [".junie/mcp/mcp.json"]),
  host("air", "JetBrains Air", [], [".air/mcp.json"]),
  host(
    "goose",
    "Goose",
    [
      "{windows}{config}/Block/goose/config/config.yaml",
      "{unix}{dotConfig}/goose/config.yaml"
    ],
    [],
    [["extensions"]]
  ),
  host("lm-studio", "LM Studio", ["{home}/.lmstudio/mcp.json"]),
  host("kiro", "Kiro", ["{home}/.kiro/settings/mcp.json"], [".kiro/settings/mcp.json"]),
  host("amp", "Amp", ["{dotConfigs}/amp/settings.json"], [".amp/settings.json"], [["amp.mcpServers"]])
]

export interface Place {
  readonly host: Host
  readonly scope: "user" | "project"
  readonly path: string
}

/** On Windows, the case of names does not matter: here, they are in capitals. */
const environment = ({ env, platform }: Machine): Machine["env"] =>
  platform === "win32"
    ? Object.fromEntries(Object.entries(env).map(([name, value]) => [name.toUpperCase(), value]))
    : env

/** Each name stands for several folders, or none. A platform is an empty text there, and nothing elsewhere. */
const foldersOf = (machine: Machine): Readonly<Record<string, ReadonlyArray<string>>> => {
  const { home, platform } = machine
  const env = environment(machine)
  const roaming = env["APPDATA"] || `${home}/AppData/Roaming`
  const xdg = env["XDG_CONFIG_HOME"] || `${home}/.config`
  const isWindows = platform === "win32"
  const dotConfig = isWindows ? roaming : platform === "darwin" ? `${home}/.config` : xdg
  return {
    home: [home],
    config: [platform === "darwin" ? `${home}/Library/Application Support` : dotConfig],
    dotConfig: [dotConfig],
    // These programs also use `~/.config` on Windows, or have done so.
    dotConfigs: [...new Set([dotConfig, xdg, `${home}/.config`])],
    local: [env["LOCALAPPDATA"] || `${home}/AppData/Local`],
    claude: env["CLAUDE_CONFIG_DIR"] ? [env["CLAUDE_CONFIG_DIR"]] : [],
    codex: [env["CODEX_HOME"] || `${home}/.codex`],
    copilot: [env["COPILOT_HOME"] || `${home}/.copilot`],
    linux: platform === "linux" ? [""] : [],
    unix: isWindows ? [] : [""],
    windows: isWindows ? [""] : []
  }
}

const expand = (path: string, folders: ReturnType<typeof foldersOf>): ReadonlyArray<string> => {
  const [braces, words = ""] = /\{([^{}]*)\}/.exec(path) ?? []
  if (braces === undefined) return [path]
  const at = path.indexOf(braces)
  const ends = expand(path.slice(at + braces.length), folders)
  return (folders[words] ?? words.split(",")).flatMap((word) => ends.map((end) => path.slice(0, at) + word + end))
}

export const places = (machine: Machine): ReadonlyArray<Place> => {
  const path = machine.platform === "win32" ? win32 : posix
  const folders = foldersOf(machine)
  const all = (scope: Place["scope"], place: (file: string) => string) =>
    hosts.flatMap((host) =>
      host[scope].flatMap((file) => expand(file, folders)).map((file): Place => ({ host, scope, path: place(file) }))
    )
  return [...all("user", path.normalize), ...all("project", (file) => path.join(machine.cwd, file))]
}

export const pattern = (step: string, platform: NodeJS.Platform): RegExp =>
  new RegExp(
    `^${step.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`,
    platform === "win32" ? "i" : ""
  )

export const formatOf = (file: string): "json" | "toml" | "yaml" =>
  /\.ya?ml$/i.test(basename(file)) ? "yaml" : /\.toml$/i.test(basename(file)) ? "toml" : "json"
