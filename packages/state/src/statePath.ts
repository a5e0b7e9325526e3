/**
 * The path of the state folder, by the convention of each platform.
 */
import { isAbsolute, posix, resolve, win32 } from "node:path"

/** Treats an empty variable as missing. */
const nonEmpty = (value: string | undefined): string | undefined => value === "" ? undefined : value

/**
 * `MCP_LIFELINE_STATE` if it is set; otherwise `$XDG_STATE_HOME/mcp-lifeline` or `~/.local/state/mcp-lifeline`, on macOS
 * `~/Library/Application Support/mcp-lifeline`, on Windows `%LOCALAPPDATA%\mcp-lifeline`.
 */
export const statePath = (platform: NodeJS.Platform, env: NodeJS.ProcessEnv, home: string): string => {
  const chosen = nonEmpty(env["MCP_LIFELINE_STATE"])
  if (chosen !== undefined) return resolve(chosen)
  if (platform === "win32") {
    return win32.join(nonEmpty(env["LOCALAPPDATA"]) ?? win32.join(home, "AppData", "Local"), "mcp-lifeline")
  }
  if (platform === "darwin") return posix.join(home, "Library", "Application Support", "mcp-lifeline")
  const state = nonEmpty(env["XDG_STATE_HOME"])
  // The XDG convention says to ignore a relative path.
  return posix.join(
    state !== undefined && isAbsolute(state) ? state : posix.join(home, ".local", "state"),
    "mcp-lifeline"
  )
}
