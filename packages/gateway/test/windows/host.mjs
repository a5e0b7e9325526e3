/** A host of `wrap`, run by Node.js for Windows: `node host.mjs output.json command..`. */
import { writeFileSync } from "node:fs"
import { aliveAtLast, introduction, isAlive, pidsOf, start } from "./conversation.mjs"

const [output = "", ...command] = process.argv.slice(2)
const { child, ended, lines } = start(["wrap", "--", ...command], {
  PATH: `${process.cwd()}\\bin;${process.env["PATH"]}`,
  LIFELINE_NODE: process.execPath
})

/** @type {Map<number, (message: any) => void>} */
const waiting = new Map()
lines.on("line", (line) => {
  const message = JSON.parse(line)
  if (message.method === undefined) waiting.get(message.id)?.(message)
})
/** @param {object} message */
const send = (message) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
let id = 0
/** @param {string} method @param {object} params @returns {Promise<any>} */
const request = (method, params) =>
  new Promise((resolve) => {
    waiting.set(++id, resolve)
    send({ id, method, params })
  })
const call = async () => pidsOf(await request("tools/call", { name: "tree", arguments: {} }))

const { result } = await request("initialize", introduction)
send({ method: "notifications/initialized" })
const first = await call()
const before = first.filter(isAlive).length
process.kill(first[0] ?? 0, "SIGKILL")
const afterKill = await aliveAtLast(first)
// The host is not told of the loss: a call that comes before `wrap` has noticed it is one that may have been carried out.
const second = await call().catch(call)
const again = second.filter(isAlive).length
child.stdin.end()
const code = await ended
const afterEnd = await aliveAtLast(second)
writeFileSync(output, JSON.stringify({ server: result.serverInfo.name, before, afterKill, again, code, afterEnd }))
process.exit()
