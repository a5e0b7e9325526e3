/** A client of `serve`, run by Node.js for Windows: `node client.mjs output.json mcp.json`. */
import { writeFileSync } from "node:fs"
import { aliveAtLast, introduction, isAlive, pidsOf, start } from "./conversation.mjs"

const [output = "", config = ""] = process.argv.slice(2)
const { child, ended, lines } = start(["serve", "--port", "0", "--config", config])
/** @type {string} */
const url = await new Promise((resolve) =>
  lines.on("line", (line) => {
    const [, found] = /^Serving (\S+)/.exec(line) ?? []
    if (found !== undefined) resolve(found)
  })
)

/** @type {Record<string, string>} */
const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" }
/** @param {object} message */
const post = (message) => fetch(url, { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", ...message }) })
/** @param {Response} response @returns {Promise<any>} */
const answerOf = async (response) => {
  const text = await response.text()
  const messages = response.headers.get("content-type")?.startsWith("text/event-stream") === true
    ? text.split("\n").filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)))
    : [JSON.parse(text)]
  return messages.find(({ id }) => id !== undefined)
}
/** @param {string} server */
const call = async (server) =>
  pidsOf(
    await answerOf(await post({ id: 2, method: "tools/call", params: { name: `${server}__tree`, arguments: {} } }))
  )

const introduced = await post({ id: 1, method: "initialize", params: introduction })
headers["mcp-session-id"] = introduced.headers.get("mcp-session-id") ?? ""
await introduced.text()
await post({ method: "notifications/initialized" })

const one = await call("one")
const other = await call("other")
const before = [...one, ...other].filter(isAlive).length
process.kill(one[0] ?? 0, "SIGKILL")
const afterKill = await aliveAtLast(one)
const oneAgain = await call("one").catch(() => call("one"))
const otherAgain = await call("other")
child.kill("SIGKILL")
await ended
writeFileSync(
  output,
  JSON.stringify({
    before,
    afterKill,
    isOneNew: oneAgain[0] !== one[0],
    isOtherSame: String(otherAgain) === String(other),
    afterEnd: await aliveAtLast([...oneAgain, ...other])
  })
)
process.exit()
