/**
 * How the gateway grows: `serve` in front of 1 to 1,000 servers over real HTTP, each at a port of its own, used by 1, 10 and 100 clients that call
 * without a pause for `--seconds`. All servers are one process (`fixtures/servers.mjs`).
 *
 * `connected s` is from the start of the program until every server has answered a call; the calls are made one after the other, and are in it.
 * `RSS` is of the gateway alone, after the calls.
 *
 * `--backends 10000` goes on to 10,000, which is more than one gateway can do: docs/benchmarks.md says what stands in the way.
 *
 *     node benchmarks/scale.mjs [--backends 1000] [--seconds 3] [--json]
 */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as common from "./common.mjs"
import * as Growth from "./gateways/growth.mjs"
import * as Processes from "./gateways/processes.mjs"

const { backends, json, seconds } = common.options({ backends: 1000, seconds: 3 })

/** @type {Array<common.Row>} */
const rows = []
/** @type {Array<string>} */
const notes = []
for (const count of [1, 10, 100, 1000, 10_000].filter((one) => one <= backends)) {
  const servers = fork(fileURLToPath(new URL("fixtures/servers.mjs", import.meta.url)))
  /** @type {ReadonlyArray<number>} */
  const ports = await new Promise((resolve) => {
    servers.once("message", (said) => resolve(/** @type {any} */ (said)))
    servers.send({ ports: Array.from({ length: count }, () => 0), delay: 0 })
  })
  const urls = ports.map((port) => `http://127.0.0.1:${port}/mcp`)
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
  servers.kill()
}
common.report({ title: "serve in front of servers over HTTP", rows, notes, json })
process.exit()
