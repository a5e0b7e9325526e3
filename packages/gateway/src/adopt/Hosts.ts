import { basename, posix, win32 } from "node:path"
import type { Section } from "./Entries.js"

export interface Machine {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  /** The project, whose files count, too. */
  readonly cwd: string
}

interface Folders {
  readonly home: string
  /** `~/Library/Application Support`, `$XDG_CONFIG_HOME`, `%APPDATA%`. */
  readonly config: string
  /** `~/.config`, on Linux `$XDG_CONFIG_HOME`, on Windows `%APPDATA%`. */
  readonly dotConfig: string
  /** For programs that also use `~/.config` on Windows, or have done so: that folder, and `dotConfig`. */
  readonly dotConfigs: ReadonlyArray<string>
  readonly local: string
  readonly env: Machine["env"]
  readonly platform: NodeJS.Platform
}

/** In paths `*` stands for anything but a separator. */
export interface Host {
  readonly id: string
  readonly title: string
  readonly sections: ReadonlyArray<Section>
  readonly user: (folders: Folders) => ReadonlyArray<string>
  readonly project?: ReadonlyArray<string>
  /** Rewrites its user file while it runs, so that a change from outside may be lost. */
  readonly isLive?: boolean
}

const mcpServers = [["mcpServers"]]
const editors = ["Code", "Code - Insiders", "VSCodium"]

/** Of an extension, in VS Code and editors that are based on it. */
const storage = (rest: string) => ({ config }: Folders) =>
  [...editors, "Cursor", "Windsurf"].map((editor) => `${config}/${editor}/User/globalStorage/${rest}`)

export const hosts: ReadonlyArray<Host> = [
  {
    id: "claude-desktop",
    title: "Claude Desktop",
    sections: mcpServers,
    user: ({ config, dotConfig, local, platform }) => [
      `${config}/Claude/claude_desktop_config.json`,
      ...(platform === "linux" ? [`${dotConfig}/claude/claude_desktop_config.json`] : []),
      ...(platform === "win32"
        ? [`${local}/Packages/Claude_*/LocalCache/Roaming/Claude/claude_desktop_config.json`]
        : [])
    ]
  },
  {
    id: "claude-code",
    title: "Claude Code",
    sections: [...mcpServers, ["projects", "*", "mcpServers"]],
    user: (
      { env, home }
    ) => [...(env["CLAUDE_CONFIG_DIR"] ? [`${env["CLAUDE_CONFIG_DIR"]}/.claude.json`] : []), `${home}/.claude.json`],
    project: [".mcp.json"],
    isLive: true
  },
  {
    id: "cursor",
    title: "Cursor",
    sections: mcpServers,
    user: ({ home }) => [`${home}/.cursor/mcp.json`],
    project: [".cursor/mcp.json"]
  },
  {
    id: "vscode",
    title: "VS Code",
    sections: [["servers"], ["mcp", "servers"]],
    user: ({ config }) =>
      editors.flatMap((editor) =>
        ["mcp.json", "profiles/*/mcp.json", "settings.json"].map((file) => `${config}/${editor}/User/${file}`)
      ),
    project: [".vscode/mcp.json", ".vscode/settings.json"]
  },
  {
    id: "visual-studio",
    title: "Visual Studio",
    sections: [["servers"]],
    user: ({ home, platform }) => platform === "win32" ? [`${home}/.mcp.json`] : [],
    project: [".vs/mcp.json"]
  },
  {
    id: "copilot",
    title: "GitHub Copilot CLI",
    sections: mcpServers,
    user: ({ env, home }) => [`${env["COPILOT_HOME"] || `${home}/.copilot`}/mcp-config.json`]
  },
  {
    id: "windsurf",
    title: "Windsurf",
    sections: mcpServers,
    user: ({ home }) => [`${home}/.codeium/windsurf/mcp_config.json`, `${home}/.codeium/mcp_config.json`]
  },
  {
    id: "zed",
    title: "Zed",
    sections: [["context_servers"]],
    user: ({ config, dotConfig }) => [`${dotConfig}/zed/settings.json`, `${config}/Zed/settings.json`],
    project: [".zed/settings.json"]
  },
  {
    id: "gemini",
    title: "Gemini CLI",
    sections: mcpServers,
    user: ({ home }) => [`${home}/.gemini/settings.json`],
    project: [".gemini/settings.json"]
  },
  {
    id: "qwen",
    title: "Qwen Code",
    sections: mcpServers,
    user: ({ home }) => [`${home}/.qwen/settings.json`],
    project: [".qwen/settings.json"]
  },
  {
    id: "antigravity",
    title: "Antigravity",
    sections: mcpServers,
    user: ({ home }) => [`${home}/.gemini/config/mcp_config.json`, `${home}/.gemini/antigravity/mcp_config.json`]
  },
  {
    id: "codex",
    title: "Codex",
    sections: [["mcp_servers"]],
    user: ({ env, home }) => [`${env["CODEX_HOME"] || `${home}/.codex`}/config.toml`],
    project: [".codex/config.toml"]
  },
  {
    id: "continue",
    title: "Continue",
    sections: mcpServers,
    user: (
      { home }
    ) => [
      `${home}/.continue/config.yaml`,
      ...["yaml", "yml", "json"].map((ext) => `${home}/.continue/mcpServers/*.${ext}`)
    ],
    project: ["yaml", "yml", "json"].map((ext) => `.continue/mcpServers/*.${ext}`)
  },
  {
    id: "cline",
    title: "Cline",
    sections: mcpServers,
    user: (folders) => [
      ...storage("saoudrizwan.claude-dev/settings/cline_mcp_settings.json")(folders),
      `${folders.home}/.cline/data/settings/cline_mcp_settings.json`
    ]
  },
  {
    id: "roo",
    title: "Roo Code",
    sections: mcpServers,
    user: storage("rooveterinaryinc.roo-cline/settings/mcp_settings.json"),
    project: [".roo/mcp.json"]
  },
  {
    id: "opencode",
    title: "opencode",
    sections: [["mcp", "servers"], ["mcp"]],
    user: ({ dotConfigs }) =>
      dotConfigs.flatMap((folder) => ["json", "jsonc"].map((ext) => `${folder}/opencode/opencode.${ext}`)),
    project: ["opencode.json", "opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc"]
  },
  {
    id: "kilo",
    title: "Kilo Code",
    sections: [["mcp", "servers"], ["mcp"], ...mcpServers],
    user: ({ dotConfigs }) =>
      dotConfigs.flatMap((folder) => ["json", "jsonc"].map((ext) => `${folder}/kilo/kilo.${ext}`)),
    project: ["kilo.json", "kilo.jsonc", ".kilocode/mcp.json"]
  },
  {
    id: "junie",
    title: "Junie",
    sections: mcpServers,
    user: ({ home }) => [`${home}/.junie/mcp/mcp.json`],
    project: [".junie/mcp/mcp.json"]
  },
  { id: "air", title: "JetBrains Air", sections: mcpServers, user: () => [], project: [".air/mcp.json"] },
  {
    id: "goose",
    title: "Goose",
    sections: [["extensions"]],
    user: ({ config, dotConfig, platform }) => [
      platform === "win32" ? `${config}/Block/goose/config/config.yaml` : `${dotConfig}/goose/config.yaml`
    ]
  },
  { id: "lm-studio", title: "LM Studio", sections: mcpServers, user: ({ home }) => [`${home}/.lmstudio/mcp.json`] },
  {
    id: "kiro",
    title: "Kiro",
    sections: mcpServers,
    user: ({ home }) => [`${home}/.kiro/settings/mcp.json`],
    project: [".kiro/settings/mcp.json"]
  },
  {
    id: "amp",
    title: "Amp",
    sections: [["amp.mcpServers"]],
    user: ({ dotConfigs }) => dotConfigs.map((folder) => `${folder}/amp/settings.json`),
    project: [".amp/settings.json"]
  }
]

export interface Place {
  readonly host: Host
  readonly scope: "user" | "project"
  /** An absolute path; may hold `*`. */
  readonly path: string
}

/** On Windows, the case of names does not matter: here, they are in capitals. */
const environment = ({ env, platform }: Machine): Machine["env"] =>
  platform === "win32"
    ? Object.fromEntries(Object.entries(env).map(([name, value]) => [name.toUpperCase(), value]))
    : env

const foldersOf = (machine: Machine): Folders => {
  const { home, platform } = machine
  const env = environment(machine)
  const roaming = env["APPDATA"] || `${home}/AppData/Roaming`
  const xdg = env["XDG_CONFIG_HOME"] || `${home}/.config`
  const dotConfig = platform === "win32" ? roaming : platform === "darwin" ? `${home}/.config` : xdg
  return {
    home,
    env,
    platform,
    config: platform === "win32" ? roaming : platform === "darwin" ? `${home}/Library/Application Support` : xdg,
    dotConfig,
    dotConfigs: [...new Set([dotConfig, xdg, `${home}/.config`])],
    local: env["LOCALAPPDATA"] || `${home}/AppData/Local`
  }
}

export const places = (machine: Machine): ReadonlyArray<Place> => {
  const path = machine.platform === "win32" ? win32 : posix
  const folders = foldersOf(machine)
  const user = hosts.flatMap((host) =>
    host.user(folders).map((file): Place => ({ host, scope: "user", path: path.normalize(file) }))
  )
  const project = hosts.flatMap((host) =>
    (host.project ?? []).map((file): Place => ({ host, scope: "project", path: path.join(machine.cwd, file) }))
  )
  return [...user, ...project]
}

export const pattern = (step: string, platform: NodeJS.Platform): RegExp =>
  new RegExp(
    `^${step.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`,
    platform === "win32" ? "i" : ""
  )

/** By the name of the file. Default: JSON. */
export const formatOf = (file: string): "json" | "toml" | "yaml" =>
  /\.ya?ml$/i.test(basename(file)) ? "yaml" : /\.toml$/i.test(basename(file)) ? "toml" : "json"
