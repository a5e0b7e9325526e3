/**
 * What idle backends cost: heap each, CPU over a minute with keepalive against the same without, how late heartbeats are,
 * and how long the fleet takes to close. Each variant runs in a process of its own, one after the other.
 *
 * The connector is scripted, offers nothing and answers at once; what it keeps for a connection counts as ours. A heartbeat
 * is late by the time from the moment that its timer was set for.
 *
 *     node tools/benchmarks/idle.mjs [--backends 10000] [--seconds 60] [--interval 300] [--json]
 */
import { Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Clock, Duration, Effect, Exit, Logger, LogLevel, Scope } from "effect"
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { writeHeapSnapshot } from "node:v8"
import * as common from "./common.mjs"

/** @typedef {{ heapKB: number, connectSeconds: number, cpuMillis: number, beats: number, drift: ReadonlyArray<number>, closeMillis: number, left: number }} Measured */

/**
 * How late rounds of keepalive were, in milliseconds, while it is measured: taken once everything has run that a timer has
 * woken, so never too little. A round that is skipped counts too.
 *
 * @type {Array<number> | undefined}
 */
let late

/** What timers that have fired were planned for, until everything has run that they have woken. @type {Array<number>} */
let fired = []
const note = () => {
  const now = performance.now()
  for (const planned of fired) late?.push(now - planned)
  fired = []
}

/** The real clock, but that it notes when a timer was to fire. */
const real = Clock.make()
/** @type {Clock.Clock} */
const clock = {
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: () => real.unsafeCurrentTimeMillis(),
  unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
  currentTimeMillis: real.currentTimeMillis,
  currentTimeNanos: real.currentTimeNanos,
  sleep: (duration) =>
    Effect.async((resume) => {
      const millis = Duration.toMillis(duration)
      const planned = performance.now() + millis
      const timer = setTimeout(() => {
        if (fired.push(planned) === 1) setImmediate(note)
        resume(Effect.void)
      }, millis)
      return Effect.sync(() => clearTimeout(timer))
    })
}

/** @template A, E @param {Effect.Effect<A, E>} effect */
const run = (effect) =>
  Effect.runPromise(effect.pipe(Effect.withClock(clock), Logger.withMinimumLogLevel(LogLevel.None)))

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
  if (process.env["HEAP_SNAPSHOT"] !== undefined) writeHeapSnapshot(process.env["HEAP_SNAPSHOT"])
  // The timers that were due meanwhile.
  await common.sleep(2000)
  connector.ledger.entries.length = 0
  /** @type {Array<number>} */
  const drift = []
  late = drift
  const cpu = process.cpuUsage()
  await common.sleep(seconds * 1000)
  const { system, user } = process.cpuUsage(cpu)
  const beats = connector.ledger.sent("ping").length
  late = undefined
  const closingAt = performance.now()
  await close()
  const closeMillis = performance.now() - closingAt
  void fleet
  return {
    heapKB: (after - before) / 1024 / count,
    connectSeconds,
    cpuMillis: (system + user) / 1000,
    beats,
    drift,
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
const latest = ping.drift.length === 0 ? Number.NaN : common.quantile(ping.drift, 1)
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
    row("heap each", without.heapKB, ping.heapKB, "KB", 36),
    row("all connected after", without.connectSeconds, ping.connectSeconds, "s"),
    row("CPU", without.cpuMillis, ping.cpuMillis, "ms"),
    // A hundredth of a core.
    row("CPU more than none", 0, more, "ms", seconds * 10),
    row("heartbeats", without.beats, ping.beats, "count"),
    row("heartbeat late, median", Number.NaN, common.median(ping.drift), "ms"),
    row("heartbeat late, 99%", Number.NaN, common.quantile(ping.drift, 0.99), "ms"),
    row("heartbeat late, most", Number.NaN, latest, "ms", 100),
    row("closing the fleet", without.closeMillis, ping.closeMillis, "ms", 3000),
    row("connections left open", without.left, ping.left, "count", 0)
  ],
  json
})
