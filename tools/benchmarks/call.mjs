/**
 * What supervision costs a call: the same tool called through the official Client, given an AbortSignal; through a Backend, in
 * a fiber; and through the Promise facade. Telemetry is off. All have a connection and a server of their own, and take turns
 * in blocks, so that what else the machine does hits them alike.
 *
 * Our servers lead a process group, and with it a session, of their own. On Linux with autogroups (`kernel.sched_autogroup_enabled`)
 * each session has its own share of the processors: on a busy machine that costs a call over stdio 3 us or 4, whoever makes it.
 *
 * A server of 2026-07-28 over HTTP is called by the Client of the SDK's v2 packages in place of the v1's.
 *
 * The ratio is the median over the rounds of (median of the block) / (median of the official Client's block of the same round).
 *
 *     node tools/benchmarks/call.mjs [--rounds 41] [--calls 500] [--json]
 */
import { connect } from "@mcp-lifeline/client"
import { Backend } from "@mcp-lifeline/core"
import { MemoryConnector } from "@mcp-lifeline/protocol"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { Effect, Exit, Logger, LogLevel, Scope } from "effect"
import { spawn } from "node:child_process"
import { once, setMaxListeners } from "node:events"
import { fileURLToPath } from "node:url"
import * as common from "./common.mjs"
import * as Echo from "./fixtures/echo.mjs"

/** @typedef {import("@modelcontextprotocol/sdk/shared/transport.js").Transport} Transport */
/** @typedef {import("@mcp-lifeline/core").Connector} Connector */
/** @typedef {import("@mcp-lifeline/client").Client} FacadeClient */
/** @typedef {(calls: number) => Promise<Array<number>>} Block */
/** @typedef {{ block: Block, close: () => Promise<unknown> }} Contestant */

const { calls, json, rounds } = common.options({ rounds: 41, calls: 500 })
const script = fileURLToPath(new URL("./fixtures/echo.mjs", import.meta.url))
const everything = fileURLToPath(import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"))
/** Both servers have a tool of this name; one of them wants a message. */
const params = { name: "echo", arguments: { message: "hello" } }

/** Times promises one after the other. @param {() => Promise<unknown>} call @returns {Block} */
const inTurn = (call) => async (calls) => {
  const times = []
  for (let i = 0; i < calls; i++) {
    const startedAt = performance.now()
    await call()
    times.push(performance.now() - startedAt)
  }
  return times
}

/** The official Client of the v2 packages. @param {URL} url @returns {Promise<Contestant>} */
const rawModern = async (url) => {
  const client = new ModernClient({ name: "bench", version: "1.0.0" }, {
    versionNegotiation: { mode: { pin: "2026-07-28" } }
  })
  await client.connect(new ModernTransport(url))
  return {
    block: inTurn(() => client.callTool(params, { signal: new AbortController().signal })),
    close: () => client.close()
  }
}

/** @param {() => Promise<Transport>} transport @returns {Promise<Contestant>} */
const raw = async (transport) => {
  const client = new Client({ name: "bench", version: "1.0.0" })
  await client.connect(await transport())
  return {
    block: inTurn(() => client.callTool(params, undefined, { signal: new AbortController().signal })),
    close: () => client.close()
  }
}

/** @param {Connector} connector */
const supervise = async (connector) => {
  const scope = Effect.runSync(Scope.make())
  const backend = await Effect.runPromise(
    Backend.make("bench", { connector }).pipe(
      Effect.tap((backend) => backend.firstOutcome),
      Scope.extend(scope),
      Logger.withMinimumLogLevel(LogLevel.None)
    )
  )
  return { backend, close: () => Effect.runPromise(Effect.uninterruptible(Scope.close(scope, Exit.void))) }
}

/** @param {Connector} connector @returns {Promise<Contestant>} */
const inFiber = async (connector) => {
  const { backend, close } = await supervise(connector)
  /** @type {Block} */
  const block = (calls) =>
    Effect.runPromise(Effect.gen(function*() {
      const times = []
      for (let i = 0; i < calls; i++) {
        const startedAt = performance.now()
        yield* backend.callTool(params)
        times.push(performance.now() - startedAt)
      }
      return times
    }))
  return { block, close }
}

/** @param {FacadeClient} client @param {boolean} withSignal @returns {Contestant} */
const facade = (client, withSignal) => ({
  block: withSignal
    ? inTurn(() => client.callTool(params, undefined, { signal: new AbortController().signal }))
    : inTurn(() => client.callTool(params)),
  close: () => client.close()
})

/**
 * @param {string} over
 * @param {() => Promise<Contestant>} official
 * @param {() => Connector} connector
 * @param {() => Promise<FacadeClient>} facadeClient
 * @param {{ fiber: number, facade: number }} bounds
 * @param {number} calls
 * @returns {Promise<Array<common.Row>>}
 */
const race = async (over, official, connector, facadeClient, bounds, calls) => {
  const entrants = {
    "official Client, with a signal": { ...await official(), bound: undefined },
    "core, in a fiber": { ...await inFiber(connector()), bound: bounds.fiber },
    "connect": { ...facade(await facadeClient(), false), bound: bounds.facade },
    "connect, with a signal": { ...facade(await facadeClient(), true), bound: bounds.facade }
  }
  const all = Object.entries(entrants).map(([name, entrant]) => ({
    name,
    ...entrant,
    took: /** @type {Array<number>} */ ([]),
    medians: /** @type {Array<number>} */ ([]),
    means: /** @type {Array<number>} */ ([])
  }))
  for (const { block } of all) await block(calls * 5)
  for (let round = 0; round < rounds; round++) {
    // Whoever begins changes, so that nobody always runs after the same other.
    for (let i = 0; i < all.length; i++) {
      const entrant = all[(round + i) % all.length]
      if (entrant === undefined) continue
      const startedAt = performance.now()
      const block = await entrant.block(calls)
      entrant.means.push((performance.now() - startedAt) / calls)
      entrant.medians.push(common.median(block))
      entrant.took.push(...block)
    }
  }
  for (const { close } of all) await close()
  const base = all[0]
  /** @param {"medians" | "means"} which @param {ReadonlyArray<number>} values */
  const ratio = (which, values) => common.median(values.map((value, i) => value / (base?.[which][i] ?? Number.NaN)))
  return all.map(({ bound, means, medians, name, took }) => ({
    name: `${over}: ${name}`,
    figures: {
      "median us": common.round(common.median(medians) * 1000),
      "mean us": common.round(common.median(means) * 1000),
      "ratio": common.round(ratio("medians", medians), 2),
      "ratio of means": common.round(ratio("means", means), 2),
      "p99 us": common.round(common.quantile(took, 0.99) * 1000)
    },
    bound: bound === undefined ? undefined : `<= ${bound}`,
    within: bound === undefined ? undefined : ratio("medians", medians) <= bound
  }))
}

/** The official HTTP transport gives each fetch the same signal, of which Node warns. @type {typeof fetch} */
const quietFetch = (input, init) => {
  if (init?.signal) setMaxListeners(0, init.signal)
  return fetch(input, init)
}

/** A race over stdio. @param {string} name @param {Array<string>} args */
const overStdio = (name, args) => {
  const command = process.execPath
  return race(
    name,
    () => raw(async () => new StdioClientTransport({ command, args, stderr: "ignore" })),
    () => StdioConnector.make({ command, args }),
    () => connect({ command, args }),
    { fiber: 1.15, facade: 1.1 },
    Math.ceil(calls / 2)
  )
}

const server = spawn(process.execPath, [script, "http"], { stdio: ["pipe", "pipe", "inherit"] })
const [port] = await once(server.stdout.setEncoding("utf8"), "data")
const url = `http://127.0.0.1:${Number(port)}/mcp`
const modernUrl = `http://127.0.0.1:${Number(port)}/modern`

const rows = [
  ...await race(
    "memory",
    () =>
      raw(async () => {
        const [ours, theirs] = InMemoryTransport.createLinkedPair()
        await Echo.make().connect(theirs)
        return ours
      }),
    () => MemoryConnector.make({ server: Echo.make }),
    () => connect({ connector: MemoryConnector.make({ server: Echo.make }) }),
    { fiber: 1.5, facade: 1.6 },
    calls
  ),
  ...await overStdio("stdio", [script, "stdio"]),
  ...await overStdio("server-everything", [everything, "stdio"]),
  ...await race(
    "http",
    () =>
      raw(
        async () => /** @type {Transport} */ (new StreamableHTTPClientTransport(new URL(url), { fetch: quietFetch }))
      ),
    () => HttpConnector.make({ url }),
    () => connect({ url }),
    { fiber: 0.75, facade: 0.75 },
    Math.ceil(calls / 5)
  ),
  ...await race(
    "2026-07-28 over http",
    () => rawModern(new URL(modernUrl)),
    () => HttpConnector.make({ url: modernUrl, protocol: "2026" }),
    () => connect({ url: modernUrl, protocol: "2026" }),
    { fiber: 1.05, facade: 1.05 },
    Math.ceil(calls / 5)
  )
]
server.stdin.end()
common.report({ title: `A call, ${rounds} rounds of ${calls} (stdio a half, HTTP a fifth)`, rows, json })
