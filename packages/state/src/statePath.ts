import { homedir } from "node:os"
import { isAbsolute, posix, resolve, win32 } from "node:path"

const nonEmpty = (value: string | undefined): string | undefined => value === "" ? undefined : value

/** Windows takes names in any case, a copy of `process.env` does not. */
const read = (platform: NodeJS.Platform, env: NodeJS.ProcessEnv, name: string): string | undefined => {
  if (platform !== "win32") return nonEmpty(env[name])
  const found = Object.keys(env).find((one) => one.toUpperCase() === name)
  return found === undefined ? undefined : nonEmpty(env[found])
}

/**
 * `MCP_LIFELINE_STATE` if it is set; otherwise `$XDG_STATE_HOME/mcp-lifeline` or `~/.local/state/mcp-lifeline`, on macOS
 * `~/Library/Application Support/mcp-lifeline`, on Windows `%USERPROFILE%\.mcp-lifeline`: below `AppData`, hosts installed as MSIX packages
 * see files of their own, so they would share nothing.
 */
export const statePath = (platform: NodeJS.Platform, env: NodeJS.ProcessEnv, home: string): string => {
  const chosen = read(platform, env, "MCP_LIFELINE_STATE")
  if (chosen !== undefined) return resolve(chosen)
  if (platform === "win32") {
    const profile = read(platform, env, "USERPROFILE")
    return win32.join(profile !== undefined && win32.isAbsolute(profile) ? profile : home, ".mcp-lifeline")
  }
  if (platform === "darwin") return posix.join(home, "Library", "Application Support", "mcp-lifeline")
  const state = nonEmpty(env["XDG_STATE_HOME"])
  // The XDG convention says to ignore a relative path.
  return posix.join(
    state !== undefined && isAbsolute(state) ? state : posix.join(home, ".local", "state"),
    "mcp-lifeline"
  )
}

export const ofUser = (): string => statePath(process.platform, process.env, homedir())
