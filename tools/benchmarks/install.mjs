/**
 * [F7] What a user pays before the first call: what the facade adds to the installed tree of the official SDK, how long its
 * import takes against that of the official Client, how many files it reads, and that nothing is among them which is not used;
 * what `mcp-lifeline --version` takes against a Node.js that does nothing; and [W8] what `npx -y mcp-lifeline` installs, and how long
 * a host waits for the first answer of `wrap` that is started so, against the published bridge, with an empty cache of npm and with
 * the same again.
 *
 * Packs the packages, installs the facade and the SDK in one empty project, the SDK alone in another and the gateway in a third,
 * and starts processes in turns. The packages have to be built.
 *
 *     node tools/benchmarks/install.mjs [--runs 15] [--json]
 */
import { spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { capture } from "../run.mjs"
import * as common from "./common.mjs"
import * as Registry from "./registry.mjs"

const { json, runs } = common.options({ runs: 15 })
const root = fileURLToPath(new URL("../..", import.meta.url))

const { resolve } = createRequire(`${root}packages/gateway/package.json`)
const everything = join(dirname(resolve("@modelcontextprotocol/server-everything/package.json")), "dist/index.js")

/** How much longer the facade's import may take than the official Client's. */
const longest = 1.6
/** What the facade may add to the tree of the SDK. */
const largest = 8
/** How many times as long as a bare Node.js the gateway's version may take: 0.4 s where that takes 0.08 s. */
const slowest = 5

/** What a program may install that is started with npx, and how much of the published bridge's time it may take then. */
const most = { packages: 3, MB: 9, "cold start": 0.5, "warm start": 1 }
const bridge = "mcp-remote@0.15.1"

/** @typedef {{ name: string, version: string, dependencies?: Record<string, string>, peerDependencies?: Record<string, string> }} Manifest */

/** @param {string} file @returns {Manifest} */
const manifest = (file) => JSON.parse(readFileSync(file, "utf8"))

/** The bytes of the files of a tree. @param {string} directory */
const bytes = (directory) =>
  readdirSync(directory, { recursive: true, encoding: "utf8" }).reduce((sum, file) => {
    const stats = statSync(join(directory, file))
    return stats.isFile() ? sum + stats.size : sum
  }, 0)

/** The packages of an installed tree. @param {string} directory */
const packagesIn = (directory) =>
  readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((file) =>
    /(^|node_modules\/)(@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(file)
  ).length

/** Resolves with the megabytes and packages that were installed. @param {string} directory @param {Record<string, string>} dependencies */
const install = async (directory, dependencies) => {
  writeFileSync(join(directory, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }))
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--omit=dev", "--loglevel=error"]
  await capture("npm", ["install", ...options], { cwd: directory })
  const modules = join(directory, "node_modules")
  return { MB: common.round(bytes(modules) / 1e6), packages: packagesIn(modules) }
}

/** Runs a module, whose text is given, in a project. @param {string} directory @param {string} program */
const evaluate = (directory, program) =>
  capture(process.execPath, ["--input-type=module", "--eval", program], { cwd: directory })

const importing = (/** @type {ReadonlyArray<string>} */ specifiers) =>
  specifiers.map((specifier) => `await import(${JSON.stringify(specifier)})`).join(";")

/** How long a process takes from the first import to the last, in milliseconds. @param {string} directory @param {ReadonlyArray<string>} specifiers */
const importTime = async (directory, specifiers) => {
  const program = `const start = performance.now();${importing(specifiers)};console.log(performance.now() - start)`
  return Number(await evaluate(directory, program))
}

/** The files of code that an import reads. @param {string} directory @param {ReadonlyArray<string>} specifiers @returns {Promise<ReadonlyArray<string>>} */
const filesRead = async (directory, specifiers) => {
  const program = `import { Session } from "node:inspector"
    const session = new Session(), urls = new Set()
    session.connect()
    session.on("Debugger.scriptParsed", ({ params: { url } }) => urls.add(url))
    session.post("Debugger.enable")
    urls.clear()
    ${importing(specifiers)}
    console.log(JSON.stringify([...urls].filter((url) => /^(file:|[/])/.test(url))))`
  return JSON.parse(await evaluate(directory, program))
}

/** Runs the gateway, or nothing, and resolves with how long that took, in seconds, and the memory it had at most, in MB. @param {ReadonlyArray<string>} args */
const start = async (args) => {
  const peak = `process.on("exit",()=>console.log("peak",process.resourceUsage().maxRSS))`
  const since = performance.now()
  const output = await capture(process.execPath, [`--import=data:text/javascript,${peak}`, ...args])
  const s = (performance.now() - since) / 1000
  return { s, MB: Number(/peak (\d+)/.exec(output)?.[1]) / 1024 }
}

const hello = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "bench", version: "1" } }
})

/** Starts a program with npx as a host does, and resolves with how long its answer to `initialize` took, in seconds. @param {ReadonlyArray<string>} args @param {string} cache @param {string} registry */
const answered = async (args, cache, registry) => {
  const cwd = mkdtempSync(join(work, "host-"))
  const since = performance.now()
  const child = spawn("npx", ["-y", ...args], {
    cwd,
    env: {
      ...process.env,
      npm_config_cache: cache,
      npm_config_registry: registry,
      npm_config_update_notifier: "false",
      MCP_LIFELINE_STATE: cwd,
      MCP_REMOTE_CONFIG_DIR: cwd
    },
    stdio: ["pipe", "pipe", "ignore"]
  })
  child.stdin.write(`${hello}\n`)
  await new Promise((resolve, reject) => {
    child.stdout.on("data", resolve)
    child.once("exit", (code) => reject(new Error(`npx -y ${args.join(" ")} ended with ${code}`)))
  })
  const s = (performance.now() - since) / 1000
  child.stdin.end()
  child.removeAllListeners("exit")
  await new Promise((resolve) => {
    child.once("exit", resolve)
    setTimeout(() => child.kill("SIGTERM"), 3000).unref()
  })
  return s
}

const facade = "@mcp-lifeline/client"
const gateway = "mcp-lifeline"
const sdk = "@modelcontextprotocol/sdk"
const official = ["client/index.js", "client/stdio.js", "client/streamableHttp.js"].map((path) => `${sdk}/${path}`)

/** What only programs load that use it. */
const unused = {
  OpenTelemetry: /opentelemetry|Providers-/i,
  "the older transport": /sse/i,
  OAuth: /client\/auth\.js/,
  "the era of 2026-07-28": /Stateless|AutoConnection/,
  undici: /node_modules\/undici\//
}

const work = mkdtempSync(join(tmpdir(), "lifeline-install-"))
try {
  const { version } = manifest(`${root}packages/promise/node_modules/${sdk}/package.json`)
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, "utf8"))
  const filters = [facade, gateway].map((name) => `--filter=${name}`)
  await capture("npx", ["--yes", packageManager, "--recursive", ...filters, "pack", "--pack-destination", work], {
    cwd: root
  })
  const tarballs = readdirSync(work).filter((file) => file.endsWith(".tgz")).map((file) => `file:${join(work, file)}`)
  const [client = "", program = ""] = [/lifeline-client-/, /\/mcp-lifeline-\d/].map((name) =>
    tarballs.find((file) => name.test(file))
  )
  const [alone, both, served] = ["alone-", "both-", "gateway-"].map((name) => mkdtempSync(join(work, name)))
  if (alone === undefined || both === undefined || served === undefined) throw new Error("no folders to install in")
  const sizes = {
    alone: await install(alone, { [sdk]: version }),
    both: await install(both, { [facade]: client, [sdk]: version }),
    gateway: await install(served, { [gateway]: program })
  }
  const files = { alone: await filesRead(alone, official), facade: await filesRead(both, [facade]) }

  const packed = [{ manifest: manifest(`${served}/node_modules/${gateway}/package.json`), tarball: program.slice(5) }]
  const registry = await Registry.serve(packed)
  const server = await common.atUrl(everything)
  /** @type {Record<"lifeline" | "bridge", Record<"cold" | "warm", Array<number>>>} */
  const npx = { lifeline: { cold: [], warm: [] }, bridge: { cold: [], warm: [] } }
  try {
    const programs = /** @type {const} */ ([
      ["lifeline", [gateway, "wrap", server.url]],
      ["bridge", [bridge, server.url, "--allow-http"]]
    ])
    // The first fills the registry.
    for (const [, args] of programs) await answered(args, mkdtempSync(join(work, "cache-")), registry.url)
    for (let run = 0; run < Math.min(runs, 5); run++) {
      for (const [name, args] of programs) {
        const cache = mkdtempSync(join(work, "cache-"))
        npx[name].cold.push(await answered(args, cache, registry.url))
        npx[name].warm.push(await answered(args, cache, registry.url))
        rmSync(cache, { recursive: true, force: true })
      }
    }
  } finally {
    registry.end()
    server.end()
  }
  /** @param {"cold" | "warm"} temperature */
  const besideBridge = (temperature) =>
    common.median(npx.lifeline[temperature].map((s, run) => s / (npx.bridge[temperature][run] ?? Number.NaN)))

  const bin = join(served, "node_modules", gateway, "esm/bin.js")
  /** @type {Record<"alone" | "facade" | "bare" | "version" | "help", Array<number>>} */
  const times = { alone: [], facade: [], bare: [], version: [], help: [] }
  /** @type {Record<"bare" | "version" | "help", Array<number>>} */
  const memory = { bare: [], version: [], help: [] }
  const programs = /** @type {const} */ ([["bare", ["--eval", "0"]], ["version", [bin, "--version"]], ["help", [
    bin,
    "--help"
  ]]])
  for (let run = 0; run < runs; run++) {
    times.alone.push(await importTime(alone, official))
    times.facade.push(await importTime(both, [facade]))
    for (const [name, args] of programs) {
      const { MB, s } = await start(args)
      times[name].push(s)
      memory[name].push(MB)
    }
  }

  // Of neighbours: what else the machine does changes in the course of a run.
  const ratio = common.median(times.facade.map((time, run) => time / (times.alone[run] ?? Number.NaN)))
  const added = sizes.both.MB - sizes.alone.MB
  const loaded = Object.entries(unused).filter(([, pattern]) => files.facade.some((file) => pattern.test(file)))
  const started = common.median(times.version.map((time, run) => time / (times.bare[run] ?? Number.NaN)))
  const imported = (/** @type {ReadonlyArray<number>} */ times) => ({
    "import, median ms": common.round(common.median(times)),
    "lowest ms": common.round(Math.min(...times))
  })
  const startOf = (/** @type {"bare" | "version" | "help"} */ name) => ({
    "start, median s": common.round(common.median(times[name]), 2),
    "peak MB": common.round(common.median(memory[name]))
  })
  common.report({
    title: "Installing, importing and starting",
    json,
    rows: [
      {
        name: `${sdk} ${version} alone`,
        figures: { ...sizes.alone, files: files.alone.length, ...imported(times.alone) }
      },
      {
        name: `${facade} and the SDK`,
        figures: { ...sizes.both, files: files.facade.length, ...imported(times.facade) }
      },
      {
        name: "the facade's import / the official Client's",
        figures: { ratio: common.round(ratio, 2) },
        bound: `${longest}`,
        within: ratio <= longest
      },
      {
        name: "what the facade adds to the SDK",
        figures: { MB: common.round(added) },
        bound: `${largest} MB`,
        within: added <= largest
      },
      {
        name: "loaded, but not used",
        figures: { what: loaded.map(([name]) => name).join(", ") || "nothing" },
        bound: "nothing",
        within: loaded.length === 0
      },
      { name: "Node.js alone", figures: startOf("bare") },
      {
        name: `${gateway} --version`,
        figures: { ...sizes.gateway, ...startOf("version") },
        bound: `${slowest} times Node.js alone`,
        within: started <= slowest
      },
      { name: `${gateway} --help`, figures: startOf("help") },
      {
        name: `npx -y ${gateway} installs`,
        figures: sizes.gateway,
        bound: `${most.packages} packages, ${most.MB} MB`,
        within: sizes.gateway.packages <= most.packages && sizes.gateway.MB <= most.MB
      },
      .../** @type {const} */ (["cold", "warm"]).map((temperature) => ({
        name: `npx -y ${gateway} wrap URL, ${temperature}, against ${bridge}`,
        figures: {
          "s": common.round(common.median(npx.lifeline[temperature]), 2),
          "bridge s": common.round(common.median(npx.bridge[temperature]), 2),
          ratio: common.round(besideBridge(temperature), 2)
        },
        bound: `${most[`${temperature} start`]}`,
        within: besideBridge(temperature) <= most[`${temperature} start`]
      }))
    ],
    notes: [
      "MB: the sizes of all files under node_modules, sources and source maps included.",
      "cold: from npx with an empty cache to the answer to initialize, from a registry on this machine; warm: the same once more.",
      `The SDK's import: ${official.join(", ")}. ${runs} processes each, in turns; the first fill the disk cache.`
    ]
  })
} finally {
  rmSync(work, { recursive: true, force: true })
}
