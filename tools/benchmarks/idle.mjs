/**
 * What idle backends cost: heap each, CPU over a minute with keepalive against the same without, and how long
 * the fleet takes to close. Each variant runs in a process of its own, one after the other.
 *
 * The connector is scripted, offers nothing and answers at once; what it keeps for a connection counts as ours.
 *
 *     node tools/benchmarks/idle.mjs [--backends 10000] [--seconds 60] [--interval 300] [--json]
 */
import { Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Logger, LogLevel, Scope } from "effect"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as common from "./common.mjs"

/** @typedef {{ heapKB: number, connectSeconds: number, cpuMillis: number, beats: number, closeMillis: number, left: number }} Measured */

/** @template A, E @param {Effect.Effect<A, E>} effect */
const run = (effect) => Effect.runPromise(effect.pipe(Logger.withMinimumLogLevel(LogLevel.None)))

const heap = async () => {
  for (let i = 0; i < 5; i++) {
    await common.sleep(20)
    globalThis.gc?.()
  }
  return process.memoryUsage().heapUsed
}

/**
 * A fleet that is connected and idle.
 *
 * @param {number} count
 * @param {{ method: "ping" | "none", interval: number }} keepalive
 * @param {ScriptedConnector.ScriptedConnector} connector
 */
const open = async (count, keepalive, connector) => {
  const scope = Effect.runSync(Scope.make())
  const backends = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`backend-${i}`, { connector, keepalive }])
  )
  const fleet = await run(Scope.extend(Fleet.make({ backends, waitTimeout: "5 minutes" }), scope))
  await run(fleet.ready)
  return { fleet, close: () => run(Effect.uninterruptible(Scope.close(scope, Exit.void))) }
}

const empty = () => {
  const connector = ScriptedConnector.make()
  connector.offer = { tools: [], prompts: [], resources: [], resourceTemplates: [] }
  return connector
}

/** @param {number} count @param {number} seconds @param {{ method: "ping" | "none", interval: number }} keepalive @returns {Promise<Measured>} */
const measure = async (count, seconds, keepalive) => {
  // Warms the code up, so that what the heap then grows by is the fleet's, and what the CPU does is not compiling.
  const warm = await open(200, { ...keepalive, interval: 1000 }, empty())
  await common.sleep(10_000)
  await warm.close()
  const connector = empty()
  const before = await heap()
  const startedAt = performance.now()
  const { close, fleet } = await open(count, keepalive, connector)
  const connectSeconds = (performance.now() - startedAt) / 1000
  // Permits are watched for two seconds.
  await common.sleep(3000)
  const after = await heap()
  // The timers that were due meanwhile.
  await common.sleep(2000)
  connector.ledger.entries.length = 0
  const cpu = process.cpuUsage()
  await common.sleep(seconds * 1000)
  const { system, user } = process.cpuUsage(cpu)
  const beats = connector.ledger.sent("ping").length
  const closingAt = performance.now()
  await close()
  const closeMillis = performance.now() - closingAt
  void fleet
  return {
    heapKB: (after - before) / 1024 / count,
    connectSeconds,
    cpuMillis: (system + user) / 1000,
    beats,
    closeMillis,
    left: connector.ledger.closing.length === count
      ? connector.connections.filter((one) => one.state !== "closed").length
      : -1
  }
}

const child = process.env["LIFELINE_IDLE"]
if (child !== undefined) {
  const { backends, keepalive, seconds } = JSON.parse(child)
  console.log(JSON.stringify(await measure(backends, seconds, keepalive)))
  process.exit()
}

const { backends, interval, json, seconds } = common.options({ backends: 10_000, seconds: 60, interval: 300 })
const script = fileURLToPath(import.meta.url)
/**
 * The garbage of all is collected on purpose before the heap is read, and V8's memory reducer would go on with that for the
 * minute after: a cost of the measuring, and of one variant more than of the other.
 */
const flags = ["--expose-gc", "--no-memory-reducer", "--max-old-space-size=4096"]
/** @param {"ping" | "none"} method @returns {Measured} */
const variant = (method) =>
  JSON.parse(execFileSync(process.execPath, [...flags, script], {
    env: {
      ...process.env,
      LIFELINE_IDLE: JSON.stringify({ backends, seconds, keepalive: { method, interval: interval * 1000 } })
    },
    encoding: "utf8",
    maxBuffer: 2 ** 26
  }))

const without = variant("none")
const ping = variant("ping")
const more = ping.cpuMillis - without.cpuMillis
/** @param {string} name @param {number} unkept @param {number} kept @param {string} unit @param {number} [bound] */
const row = (name, unkept, kept, unit, bound) => ({
  name: `${name}, ${unit}`,
  figures: { none: common.round(unkept), ping: common.round(kept) },
  bound: bound === undefined ? undefined : `<= ${bound}`,
  within: bound === undefined ? undefined : kept <= bound
})
common.report({
  title: `${backends} idle backends, ${seconds} s, keepalive none against ping each ${interval} s`,
  rows: [
    row("heap each", without.heapKB, ping.heapKB, "KB", 43),
    row("all connected after", without.connectSeconds, ping.connectSeconds, "s"),
    row("CPU", without.cpuMillis, ping.cpuMillis, "ms"),
    // A hundredth of a core.
    row("CPU more than none", 0, more, "ms", seconds * 10),
    row("heartbeats", without.beats, ping.beats, "count"),
    row("closing the fleet", without.closeMillis, ping.closeMillis, "ms", 3000),
    row("connections left open", without.left, ping.left, "count", 0)
  ],
  json
})
