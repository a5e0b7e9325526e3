/**
 * What the place of a configuration says: the variables of editors for folders.
 */
import type { McpConfig } from "@mcp-lifeline/config"
import { homedir } from "node:os"
import { basename, dirname, resolve, sep } from "node:path"

/**
 * The values of `${workspaceFolder}` and the like for a file. The workspace is the folder of the file, or, where that is a hidden one
 * such as `.vscode`, the folder around it.
 */
export const placesOf = (file: string): McpConfig.Variables => {
  const folder = dirname(resolve(file))
  const workspace = basename(folder).startsWith(".") ? dirname(folder) : folder
  return {
    workspaceFolder: workspace,
    workspaceFolderBasename: basename(workspace),
    userHome: homedir(),
    pathSeparator: sep,
    "/": sep
  }
}
