// A server whose lists are those of a file, over stdio: `lists.mjs <file> <era> [announces|undeclared]`. Its tool `pid` says which process it is.
// With the last word, it says that a list has changed whenever it is asked for it; with `undeclared`, it has not said that it would.
import { readFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** @typedef {{ readonly id?: number | string, readonly method?: string, readonly params?: any }} Message */

const fields = /** @type {Readonly<Record<string, string>>} */ ({
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resourceTemplates"
})

const introduced = {
  capabilities: { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { listChanged: true } },
  serverInfo: { name: "lists", version: "1" }
}

/**
 * @param {Message} message
 * @param {Readonly<Record<string, ReadonlyArray<object>>>} lists
 * @param {string} era
 */
const resultOf = ({ method = "", params }, lists, era) => {
  if (method === (era === "2025" ? "initialize" : "server/discover")) {
    return { protocolVersion: params.protocolVersion, supportedVersions: ["2026-07-28"], ...introduced }
  }
  const field = fields[method]
  if (field !== undefined) return { [field]: lists[field], ttlMs: 0, cacheScope: "private" }
  if (method === "tools/call") return { content: [{ type: "text", text: String(process.pid) }] }
  return method === "ping" && era === "2025" ? {} : undefined
}

/**
 * The answer to a request; undefined if it is none.
 * @param {Message} message
 * @param {Readonly<Record<string, ReadonlyArray<object>>>} lists
 * @param {string} era
 */
export const answer = (message, lists, era) => {
  const { id, method } = message
  if (id === undefined || method === undefined) return undefined
  const result = resultOf(message, lists, era)
  if (result !== undefined) return { jsonrpc: "2.0", id, result: { resultType: "complete", ...result } }
  const code = method === "initialize" ? -32022 : -32601
  return { jsonrpc: "2.0", id, error: { code, message: `no ${method}`, data: { supported: ["2026-07-28"] } } }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file = "", era = "2025", announces] = process.argv.slice(2)
  createInterface({ input: process.stdin }).on("line", (line) => {
    const message = JSON.parse(line)
    const said = answer(message, JSON.parse(readFileSync(file, "utf8")), era)
    if (announces === "undeclared" && said !== undefined && "result" in said && "capabilities" in said.result) {
      Object.assign(said.result, { capabilities: { tools: {}, prompts: {}, resources: {} } })
    }
    if (said !== undefined) process.stdout.write(`${JSON.stringify(said)}\n`)
    const kind = fields[message.method]?.replace("resourceTemplates", "resources")
    if (announces === undefined || kind === undefined) return
    process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", method: `notifications/${kind}/list_changed` })}\n`)
  })
}
