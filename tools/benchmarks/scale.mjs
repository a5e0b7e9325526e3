/**
 * How the gateway grows: `serve` in front of 1 to 10,000 servers over real HTTP, each at a port of its own, used by 1, 10 and 100 clients that call
 * without a pause for `--seconds`. The servers are `fixtures/servers.mjs`, a thousand in a process: each needs three file descriptors, and a process
 * may have 20,000 on many systems. They close idle sockets after 5 s, as servers on Node.js do by default.
 *
 * `connected s` is from the start of the program until every server has answered a call; the calls are made one after the other, and are in it.
 * `RSS` is of the gateway alone, after the calls.
 *
 * With 10,000 servers everything together takes some 5 GB of memory, and the gateway needs to be allowed 20,000 open files (`ulimit -Hn`). `--backends`
 * ends earlier.
 *
 *     node tools/benchmarks/scale.mjs [--backends 10000] [--seconds 3] [--json]
 */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as common from "./common.mjs"
import * as Growth from "./gateways/growth.mjs"
import * as Processes from "./gateways/processes.mjs"

const { backends, json, seconds } = common.options({ backends: 10_000, seconds: 3 })

/** So many servers of a process, by their ports. @param {import("node:child_process").ChildProcess} servers @param {number} count @returns {Promise<ReadonlyArray<number>>} */
const listening = (servers, count) =>
  new Promise((resolve) => {
    servers.once("message", (said) => resolve(/** @type {any} */ (said)))
    servers.send({ ports: Array.from({ length: count }, () => 0), delay: 0, keepAlive: 5000 })
  })

/** @type {Array<common.Row>} */
const rows = []
/** @type {Array<string>} */
const notes = []
for (const count of [1, 10, 100, 1000, 10_000].filter((one) => one <= backends)) {
  const servers = Array.from(
    { length: Math.ceil(count / 1000) },
    () => fork(fileURLToPath(new URL("fixtures/servers.mjs", import.meta.url)))
  )
  const ports = await Promise.all(servers.map((one) => listening(one, Math.min(count, 1000))))
  const urls = ports.flat().map((port) => `http://127.0.0.1:${port}/mcp`)
  try {
    const startedAt = performance.now()
    const gateway = await Processes.started(Processes.lifeline, { program: "", args: [], count, urls })
    const connected = common.round((performance.now() - startedAt) / 1000)
    for (const clients of [1, 10, 100]) {
      const figures = await Growth.measured(gateway, clients, seconds)
      rows.push({
        name: `${count} ${count === 1 ? "server" : "servers"}, ${clients} ${clients === 1 ? "client" : "clients"}`,
        figures: { ...(clients === 1 ? { "connected s": connected } : {}), ...figures }
      })
    }
    gateway.stop()
  } catch (error) {
    notes.push(Processes.leftOut(`${count} servers`, error))
  }
  for (const one of servers) one.kill()
}
common.report({ title: "serve in front of servers over HTTP", rows, notes, json })
process.exit()
