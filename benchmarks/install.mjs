/**
 * What a user pays before the first call: the size of the installed package tree, and the time to import it, of the facade
 * and of the official SDK alone.
 *
 * Packs the packages, installs the facade with its dependencies and the SDK in one empty project and the SDK alone in another,
 * and starts processes that import nothing, what a program with the official Client imports, and the facade, in turns. The
 * packages have to be built.
 *
 *     node benchmarks/install.mjs [--runs 15] [--json]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { capture } from "../scripts/run.mjs"
import * as common from "./common.mjs"

const { json, runs } = common.options({ runs: 15 })
const root = fileURLToPath(new URL("..", import.meta.url))

/** @typedef {{ name: string, version: string, dependencies?: Record<string, string>, peerDependencies?: Record<string, string> }} Manifest */

/** @param {string} file @returns {Manifest} */
const manifest = (file) => JSON.parse(readFileSync(file, "utf8"))

const ours = new Map(
  readdirSync(`${root}packages`).map((directory) => {
    const one = manifest(`${root}packages/${directory}/package.json`)
    return [one.name, one]
  })
)

/** A package and those of ours that it needs. @param {string} name @returns {Set<string>} */
const needed = (name, found = new Set([name])) => {
  for (const other of Object.keys(ours.get(name)?.dependencies ?? {})) {
    if (ours.has(other) && !found.has(other)) needed(other, found.add(other))
  }
  return found
}

/**
 * The bytes of the files of a tree, and how many packages are in it.
 *
 * @param {string} directory
 * @returns {{ bytes: number, packages: number }}
 */
const measure = (directory) => {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" })
  const bytes = files.reduce((sum, file) => {
    const stats = statSync(join(directory, file))
    return stats.isFile() ? sum + stats.size : sum
  }, 0)
  const packages = files.filter((file) => /(^|node_modules\/)(@[^/]+\/)?[^/@.][^/]*\/package\.json$/.test(file)).length
  return { bytes, packages }
}

/** @param {string} directory @param {Record<string, string>} dependencies */
const install = async (directory, dependencies) => {
  writeFileSync(join(directory, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }))
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--omit=dev", "--loglevel=error"]
  await capture("npm", ["install", ...options], { cwd: directory })
  return measure(join(directory, "node_modules"))
}

/** How long a process takes from the first import to the last, in milliseconds. @param {string} directory @param {ReadonlyArray<string>} specifiers */
const importTime = async (directory, specifiers) => {
  const imports = specifiers.map((specifier) => `await import(${JSON.stringify(specifier)})`).join(";")
  const program = `const start = performance.now();${imports};console.log(performance.now() - start)`
  return Number(await capture(process.execPath, ["--input-type=module", "--eval", program], { cwd: directory }))
}

const facade = "@mcp-lifeline/client"
const sdk = "@modelcontextprotocol/sdk"
const official = ["client/index.js", "client/stdio.js", "client/streamableHttp.js"].map((path) => `${sdk}/${path}`)

const work = mkdtempSync(join(tmpdir(), "lifeline-install-"))
try {
  const { version } = manifest(`${root}packages/promise/node_modules/${sdk}/package.json`)
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, "utf8"))
  const names = [...needed(facade)]
  const filters = names.map((name) => `--filter=${name}`)
  const pnpm = ["--yes", packageManager, "--recursive", ...filters, "pack", "--pack-destination", work]
  await capture("npx", pnpm, { cwd: root })
  const tarballs = Object.fromEntries(names.map((name) => {
    const file = `${name.replace("@", "").replace("/", "-")}-${ours.get(name)?.version}.tgz`
    return [name, `file:${join(work, file)}`]
  }))
  const alone = mkdtempSync(join(work, "alone-"))
  const both = mkdtempSync(join(work, "both-"))
  const sizes = {
    alone: await install(alone, { [sdk]: version }),
    both: await install(both, { ...tarballs, [sdk]: version })
  }

  /** @type {{ alone: Array<number>, facade: Array<number> }} */
  const times = { alone: [], facade: [] }
  for (let run = 0; run < runs; run++) {
    times.alone.push(await importTime(alone, official))
    times.facade.push(await importTime(both, [facade]))
  }
  const megabytes = (/** @type {number} */ bytes) => common.round(bytes / 1e6)
  common.report({
    title: "Installing and importing",
    json,
    rows: [
      {
        name: `${sdk} ${version} alone`,
        figures: {
          MB: megabytes(sizes.alone.bytes),
          packages: sizes.alone.packages,
          "import, median ms": common.round(common.median(times.alone)),
          "import, lowest ms": common.round(Math.min(...times.alone))
        }
      },
      {
        name: `${facade} and the SDK`,
        figures: {
          MB: megabytes(sizes.both.bytes),
          packages: sizes.both.packages,
          "import, median ms": common.round(common.median(times.facade)),
          "import, lowest ms": common.round(Math.min(...times.facade))
        }
      }
    ],
    notes: [
      "MB: the sizes of all files under node_modules, sources and source maps included.",
      `The SDK's import: ${official.join(", ")}. ${runs} processes each, in turns; the first fill the disk cache.`
    ]
  })
  const largest = readdirSync(join(both, "node_modules"), { encoding: "utf8" })
    .filter((name) => !name.startsWith("."))
    .map((name) => ({ name, MB: megabytes(measure(join(both, "node_modules", name)).bytes) }))
    .toSorted((a, b) => b.MB - a.MB).slice(0, 6)
  if (!json) console.log(`Largest: ${largest.map(({ MB, name }) => `${name} ${MB} MB`).join(", ")}`)
} finally {
  rmSync(work, { recursive: true, force: true })
}
