/**
 * [W6] [W11] What `mcp-lifeline wrap` costs: how long a host waits for the answer to `initialize`, and how much CPU time of its own that takes
 * (the first time after an installation, the first time of a server, and when the server is known), a call (median), calls a second at 50 in flight, and resident memory; against the same server alone, against a process
 * that only copies bytes, and, at a URL, against the published bridge (mcp-remote).
 *
 * Everything is asked in turns in one run, by a host that speaks raw JSON-RPC. What a call costs more is the median of the differences
 * between calls that are made in turns, through and directly, once each process has answered `--warm` of them: Node.js compiles what
 * runs often. The gateway has to be bundled (`pnpm build`, then
 * `node ../../tools/bundle.mjs` in packages/gateway); the published bridge is installed in a temporary folder.
 *
 *     node tools/benchmarks/wrap.mjs [--runs 7] [--calls 300] [--warm 1500] [--json]
 */
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { capture } from "../run.mjs"
import * as common from "./common.mjs"

const { calls, json, runs, warm } = common.options({ runs: 7, calls: 300, warm: 1500 })

/** How much later than by the server alone `initialize` may be answered the first time, in milliseconds. */
const latestFirst = 250
/** How much CPU time `wrap` may take until it has answered, in milliseconds. */
const mostCpu = 200
/** How much longer than direct a call may take, in milliseconds. */
const slowestCall = 0.15
/** How many times the memory of a bare Node.js it may have. */
const largest = 1.7

const bridge = "mcp-remote@0.15.1"

const root = fileURLToPath(new URL("../..", import.meta.url))
const bin = join(root, "packages/gateway/esm/bin.js")
const everything = join(
  dirname(createRequire(realpathSync(bin)).resolve("@modelcontextprotocol/server-everything/package.json")),
  "dist/index.js"
)
const work = mkdtempSync(join(tmpdir(), "lifeline-bench-"))
const node = process.execPath
/** A folder for state in which the server is known. */
const known = join(work, "known")
let turn = 0
/** A folder for state that nothing is in. */
const fresh = () => join(work, `state-${turn++}`)

/** A folder for state in which nothing is but the compiled code of the program. */
const onlyCode = () => {
  const state = fresh()
  mkdirSync(state, { mode: 0o700 })
  cpSync(join(known, "code"), join(state, "code"), { recursive: true })
  return state
}

/** Copies bytes between its own pipes and those of a server, as little as a wrapper can do. */
const pipe = `const { spawn } = require("node:child_process")
const child = spawn(process.execPath, process.argv.slice(1), { stdio: ["pipe", "pipe", "ignore"] })
process.stdin.pipe(child.stdin); child.stdout.pipe(process.stdout); child.on("exit", (code) => process.exit(code ?? 0))`

/** The CPU time that a process has taken so far, in milliseconds: the kernel counts hundredths of a second. @param {import("node:child_process").ChildProcess} child */
const cpuOf = ({ pid }) => {
  const [user, system] = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ").slice(11, 13)
  return (Number(user) + Number(system)) * 10
}

/** Its resident memory, in megabytes. @param {import("node:child_process").ChildProcess} child */
const memoryOf = ({ pid }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** A process that speaks JSON-RPC by lines. @param {ReadonlyArray<string>} args @param {string} state */
const start = (args, state) => {
  const child = spawn(node, args, {
    env: { ...process.env, MCP_LIFELINE_STATE: state, MCP_REMOTE_CONFIG_DIR: state },
    stdio: ["pipe", "pipe", "ignore"]
  })
  child.setMaxListeners(0)
  /** @type {Map<number, (message: any) => void>} */
  const waiting = new Map()
  let rest = ""
  let last = 0
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      const message = JSON.parse(line)
      if (message.method === undefined) waiting.get(message.id)?.(message)
      else if (message.id !== undefined) send({ id: message.id, error: { code: -32_601, message: "no" } })
    }
  })
  const send = (/** @type {object} */ message) =>
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
  /** @param {string} method @param {object} params @returns {Promise<any>} */
  const request = (method, params) => {
    const id = ++last
    send({ id, method, params })
    return new Promise((resolve, reject) => {
      waiting.set(id, (message) => {
        waiting.delete(id)
        if (message.error === undefined) resolve(message.result)
        else reject(new Error(message.error.message))
      })
      child.once("exit", () => reject(new Error(`${args.join(" ")} has ended`)))
    })
  }
  return {
    request,
    initialize: async () => {
      const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } }
      await request("initialize", params)
      send({ method: "notifications/initialized" })
    },
    echo: () => request("tools/call", { name: "echo", arguments: { message: "hi" } }),
    cpu: () => cpuOf(child),
    memory: () => memoryOf(child),
    end: () => {
      child.stdin.end()
      const timer = setTimeout(() => child.kill("SIGKILL"), 4000)
      return new Promise((resolve) => child.once("exit", () => resolve(clearTimeout(timer))))
    }
  }
}

/**
 * How much longer a call takes than by the server itself, in milliseconds: both run at once, and are called in turns, so that what else
 * the machine does is the same for both.
 *
 * @param {ReadonlyArray<string>} direct
 * @param {ReadonlyArray<ReadonlyArray<string>>} others
 */
const paired = async (direct, others) => {
  const hosts = [direct, ...others].map((args) => start(args, fresh()))
  for (const host of hosts) await host.initialize()
  /** @type {Array<Array<number>>} */
  const times = hosts.map(() => [])
  for (let i = 0; i < calls + warm; i++) {
    for (const [index, host] of hosts.entries()) {
      const at = performance.now()
      await host.echo()
      if (i >= warm) times[index]?.push(performance.now() - at)
    }
  }
  await Promise.all(hosts.map((host) => host.end()))
  const [first = [], ...rest] = times
  return rest.map((all) => common.median(all.map((time, i) => time - (first[i] ?? 0))))
}

/** One start, its calls and its end. @param {ReadonlyArray<string>} args @param {string} state */
const measure = async (args, state) => {
  const began = performance.now()
  const host = start(args, state)
  await host.initialize()
  const [initialize, cpu] = [performance.now() - began, host.cpu()]
  await host.request("tools/list", {})
  const idle = host.memory()
  for (let i = 0; i < 50; i++) await host.echo()
  const times = []
  for (let i = 0; i < calls; i++) {
    const at = performance.now()
    await host.echo()
    times.push(performance.now() - at)
  }
  const at = performance.now()
  let left = calls * 2
  await Promise.all(Array.from({ length: 50 }, async () => {
    while (left-- > 0) await host.echo()
  }))
  const throughput = (calls * 2) / ((performance.now() - at) / 1000)
  const memory = host.memory()
  await host.end()
  return { initialize, cpu, call: common.median(times), times, throughput, idle, memory }
}

/** Lets `wrap` run until it has kept what it keeps. @param {ReadonlyArray<string>} args */
const learn = async (args) => {
  const host = start(args, known)
  await host.initialize()
  await host.request("tools/list", {})
  while (!existsSync(join(known, "code"))) await common.sleep(100)
  await host.end()
}

/** What a Node.js that does nothing takes: memory in megabytes, and CPU time in milliseconds, by which the speed of the machine can be told. */
const bare = async () => {
  const child = spawn(node, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] })
  await common.sleep(500)
  const figures = { memory: memoryOf(child), cpu: cpuOf(child) }
  child.stdin.end()
  await new Promise((resolve) => child.once("exit", resolve))
  return figures
}

const installed = async () => {
  writeFileSync(join(work, "package.json"), JSON.stringify({ private: true }))
  await capture("npm", ["install", bridge, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: work
  })
  const manifest = JSON.parse(readFileSync(join(work, "node_modules/mcp-remote/package.json"), "utf8"))
  return join(work, "node_modules/mcp-remote", manifest.bin["mcp-remote"])
}

const server = await common.atUrl(everything)
try {
  const remote = await installed()
  const direct = [everything, "stdio"]
  /** @type {Record<string, () => Promise<Awaited<ReturnType<typeof measure>>>>} */
  const ways = {
    "the server alone": () => measure(direct, fresh()),
    "a bare pipe": () => measure(["-e", pipe, "--", ...direct], fresh()),
    "wrap, first time after an installation": () => measure([bin, "wrap", "--", node, ...direct], fresh()),
    "wrap, first time": () => measure([bin, "wrap", "--", node, ...direct], onlyCode()),
    "wrap, known server": () => measure([bin, "wrap", "--", node, ...direct], known),
    "wrap URL, first time": () => measure([bin, "wrap", server.url], fresh()),
    [`${bridge} URL`]: () => measure([remote, server.url, "--allow-http"], fresh())
  }
  await learn([bin, "wrap", "--", node, ...direct])
  /** @type {Record<string, Array<Awaited<ReturnType<typeof measure>>>>} */
  const all = Object.fromEntries(Object.keys(ways).map((way) => [way, []]))
  const bares = []
  /** @type {Record<"pipe" | "wrap", Array<number>>} */
  const longer = { pipe: [], wrap: [] }
  for (let run = 0; run < runs; run++) {
    bares.push(await bare())
    for (const [way, run] of Object.entries(ways)) all[way]?.push(await run())
    const [pipes = 0, wraps = 0] = await paired(direct, [["-e", pipe, "--", ...direct], [
      bin,
      "wrap",
      "--",
      node,
      ...direct
    ]])
    longer.pipe.push(pipes)
    longer.wrap.push(wraps)
  }
  const median = (
    /** @type {string} */ way,
    /** @type {Exclude<keyof Awaited<ReturnType<typeof measure>>, "times">} */ key
  ) => common.median((all[way] ?? []).map((one) => one[key]))
  const bareMB = common.median(bares.map(({ memory }) => memory))
  const rows = Object.keys(ways).map((way) => ({
    name: way,
    figures: {
      "initialize ms": common.round(median(way, "initialize")),
      "CPU ms until then": median(way, "cpu"),
      "call ms": common.round(median(way, "call"), 3),
      "p99 ms": common.round(common.quantile((all[way] ?? []).flatMap(({ times }) => times), 0.99), 3),
      "calls a second": Math.round(median(way, "throughput")),
      "MB idle": common.round(median(way, "idle")),
      "MB after": common.round(median(way, "memory"))
    }
  }))
  /** @param {string} name @param {number} value @param {string} bound @param {number} most @returns {common.Row} */
  const check = (name, value, bound, most) => ({
    name,
    figures: { measured: common.round(value, 3) },
    bound,
    within: value <= most
  })
  const alone = "the server alone"
  const first = median("wrap, first time", "initialize") - median(alone, "initialize")
  const again = median("wrap, known server", "initialize") / median(alone, "initialize")
  const memory = median("wrap, first time", "idle") / bareMB
  const besideBridge = median("wrap URL, first time", "idle") / median(`${bridge} URL`, "idle")
  const checks = [
    check("initialize, first time, later than the server alone by (ms)", first, `at most ${latestFirst}`, latestFirst),
    check("initialize of a known server, against the server alone (ratio)", again, "at most 1", 1),
    ...["wrap, first time", "wrap, known server"].map((way) =>
      check(`${way}: CPU time until initialize is answered (ms)`, median(way, "cpu"), `at most ${mostCpu}`, mostCpu)
    ),
    check("a call, longer than direct by (ms)", common.median(longer.wrap), `at most ${slowestCall}`, slowestCall),
    {
      name: "a call through a bare pipe, longer than direct by (ms)",
      figures: { measured: common.round(common.median(longer.pipe), 3) }
    },
    check("memory once connected, against a bare Node.js (ratio)", memory, `at most ${largest}`, largest),
    check("memory once connected at a URL, against the published bridge (ratio)", besideBridge, "at most 1", 1)
  ]
  common.report({
    title: "What wrap costs",
    rows: [...rows, ...checks],
    notes: [
      `A bare Node.js takes ${common.round(bareMB)} MB, and ${
        common.median(bares.map(({ cpu }) => cpu))
      } ms of CPU time to start.`
    ],
    json
  })
  if (checks.some(({ bound, within }) => bound !== undefined && within !== true)) process.exitCode = 1
} finally {
  server.end()
  rmSync(work, { recursive: true, force: true })
}
