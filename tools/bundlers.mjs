/**
 * The facade in programs that bundlers make of one file and its packages: each bundler writes one for ES modules and one for CommonJS, and
 * these run where nothing is installed.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parse } from "./packed.mjs"
import { capture } from "./run.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))

/** What is installed beside the facade. @type {Readonly<Record<string, string>>} */
export const packages = {
  esbuild: String(parse(readFileSync(`${root}node_modules/esbuild/package.json`, "utf8")).version),
  rollup: "4",
  "@rollup/plugin-commonjs": "29",
  "@rollup/plugin-json": "6",
  "@rollup/plugin-node-resolve": "16",
  webpack: "5"
}

/** Calls a tool over stdio with telemetry, and one over HTTP. */
const program = `
import { connect } from "@mcp-lifeline/client"
const [url, server] = process.argv.slice(2)
const names = []
const span = {
  spanContext: () => ({ traceId: "1".repeat(32), spanId: "1".repeat(16), traceFlags: 1 }),
  setAttribute: () => span, addEvent: () => span, addLinks: () => span, setStatus: () => span, end: () => {}
}
const tracerProvider = { getTracer: () => ({ startSpan: (name) => (names.push(name), span) }) }
const echo = async (client, name) => {
  const { content } = await client.callTool({ name, arguments: { message: "hi" } })
  if (!JSON.stringify(content).includes("hi")) throw new Error(JSON.stringify(content))
  await client.close()
}
const run = async () => {
  await echo(await connect({ command: process.execPath, args: [server, "stdio"] }, { telemetry: { tracerProvider } }), "echo")
  if (names.length === 0) throw new Error("no spans")
  await echo(await connect({ url }), "every-stdio__echo")
}
run().catch((error) => { console.error(error); process.exitCode = 1 })
`

const build = `
import commonjs from "@rollup/plugin-commonjs"
import json from "@rollup/plugin-json"
import { nodeResolve } from "@rollup/plugin-node-resolve"
import * as esbuild from "esbuild"
import { rollup } from "rollup"
import webpack from "webpack"
const [to] = process.argv.slice(2)
const given = { entryPoints: ["app.js"], bundle: true, platform: "node", logLevel: "error" }
for (const [format, end] of [["esm", "mjs"], ["cjs", "cjs"]]) {
  await esbuild.build({ ...given, format, outfile: to + "/esbuild." + end })
  const rolled = await rollup({
    input: "app.js", plugins: [nodeResolve({ exportConditions: ["node"], preferBuiltins: true }), commonjs(), json()], onLog: () => {}
  })
  await rolled.write({ dir: to, format, entryFileNames: "rollup." + end, chunkFileNames: "rollup-[name]-[hash]." + end })
  const isModule = end === "mjs"
  const output = isModule
    ? { module: true, chunkFormat: "module", library: { type: "module" } }
    : { chunkFormat: "commonjs", library: { type: "commonjs2" } }
  await new Promise((resolve, reject) =>
    webpack({
      entry: "./app.js", target: "node20", mode: "production", devtool: false, experiments: { outputModule: isModule },
      output: { ...output, path: to, filename: "webpack." + end, chunkFilename: "webpack-[id]." + end }
    }, (error, stats) => error || stats.hasErrors() ? reject(error ?? new Error(stats.toString())) : resolve())
  )
}
`

/** Bundles in one folder, and runs in another. @param {string} directory @param {string} to @param {string} node @param {string} url @param {string} server */
export const use = async (directory, to, node, url, server) => {
  mkdirSync(to, { recursive: true })
  writeFileSync(join(directory, "app.js"), program)
  writeFileSync(join(directory, "build.js"), build)
  await capture(node, ["build.js", to], { cwd: directory })
  for (const bundler of ["esbuild", "rollup", "webpack"]) {
    for (const end of ["mjs", "cjs"]) {
      await capture(node, [join(to, `${bundler}.${end}`), url, server], { cwd: to }).catch(
        (/** @type {Error} */ error) => {
          throw new Error(`bundled by ${bundler} to ${end}: ${error.message}`)
        }
      )
    }
  }
}
