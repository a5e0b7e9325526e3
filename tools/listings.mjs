/**
 * Files by which others list Lifeline: they have the name, the version or the address of something here.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../", import.meta.url))

/** @param {string} path from the root @returns {any} */
export const json = (path) => JSON.parse(readFileSync(`${root}${path}`, "utf8"))

/** The entry of the MCP registry. */
export const registry = "packages/gateway/server.json"

/** The entry of SchemaStore's catalog. */
export const schemaStore = "deploy/schemastore.json"

/** The plugin of Claude Code. The marketplace that lists it is `.claude-plugin/marketplace.json`. */
export const plugin = "plugins/claude-code/.claude-plugin/plugin.json"
