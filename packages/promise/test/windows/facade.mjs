import { connect } from "@mcp-lifeline/client"
import { writeFileSync } from "node:fs"

const [output = ""] = process.argv.slice(2)

/** @param {number} pid */
const isAlive = (pid) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const client = await connect({ command: process.execPath, args: ["tree.cjs", "server", "plain"] })

/** The ids of the server's processes. @returns {Promise<Array<number>>} */
const call = async () => {
  /** @type {any} */
  const { content } = await client.callTool({ name: "tree" })
  return JSON.parse(content[0].text)
}

const first = await call()
const changes = client.statusChanges()
process.kill(first[0] ?? 0, "SIGKILL")
// A call in flight might fail: nobody knows whether the server has received it.
for await (const { state } of changes) if (state !== "Connected") break
const second = await call()
const { generation, state } = client.status
const alive = [first.filter(isAlive).length, second.filter(isAlive).length]
await client.close()
writeFileSync(output, JSON.stringify({ generation, state, alive, afterClose: second.filter(isAlive).length }))
