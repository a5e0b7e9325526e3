// The packages as a user gets them: packs each, checks what is in the tarball and how it resolves (publint and "are the
// types wrong"), installs them in two empty projects, of a user without Effect and of one with it, type-checks these, and runs
// programs in them on each Node.js that is supported (scripts/installed.mjs), and the programs of the pages on the oldest, those of
// the pages that users read first on the newest, too (scripts/programs.mjs).
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as frameworks from "./frameworks.mjs"
import * as installed from "./installed.mjs"
import * as programs from "./programs.mjs"
import { capture } from "./run.mjs"
import * as shellLines from "./shell-lines.mjs"
import * as surroundings from "./surroundings.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {boolean} [private]
 * @property {Readonly<Record<string, string>>} [bin]
 * @property {Readonly<Record<string, string>>} [peerDependencies]
 * @property {Readonly<Record<string, object>>} [peerDependenciesMeta]
 * @property {Readonly<Record<string, string | object>>} exports
 */

/** @returns {Manifest} */
const parse = (/** @type {string} */ text) => JSON.parse(text)

/** @type {Array<string>} */
const problems = []

const publishable = readdirSync(`${root}packages`)
  .map((directory) => ({ directory, ...parse(readFileSync(`${root}packages/${directory}/package.json`, "utf8")) }))
  .filter((one) => one.private !== true)

/** @param {string} work */
const pack = async (work) => {
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, "utf8"))
  // pnpm tells its scripts how to run it again; without it (a plain `node scripts/..`), npx gets the pinned version.
  const pnpm = process.env["npm_execpath"]
  const [command, ...prefix] = pnpm !== undefined && /pnpm[^/]*$/.test(pnpm)
    ? [process.execPath, pnpm]
    : ["npx", "--yes", packageManager]
  const filters = publishable.map(({ name }) => `--filter=${name}`)
  await capture(command, [...prefix, "--recursive", ...filters, "pack", "--pack-destination", work], { cwd: root })
  return publishable.map((one) => ({
    ...one,
    tarball: join(work, `${one.name.replace("@", "").replace("/", "-")}-${one.version}.tgz`)
  }))
}

const published =
  /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|third-party\.txt|schema\.json|cjs\/package\.json|src\/.+\.[jt]s|src\/page\/browser\/\w+\.(html|css|mjs|svg)|(dist|esm|cjs)\/.+(\.js|\.d\.ts)(\.map)?)$/

/** @param {{ readonly name: string, readonly tarball: string }} one */
const inspect = async ({ name, tarball }) => {
  const files = (await capture("tar", ["-tzf", tarball])).trim().split("\n").map((file) => file.replace("package/", ""))
  const manifest = parse(await capture("tar", ["-xzOf", tarball, "package/package.json"]))
  const strange = files.filter((file) => !published.test(file) || /\.test\./.test(file))
  if (strange.length > 0) problems.push(`${name}: should not be in the tarball: ${strange.join(", ")}`)
  const stale = files.filter((file) =>
    /^dist\/.+\.js$/.test(file) && !files.includes(file.replace(/^dist(.+)\.js$/, "src$1.ts")) &&
    !files.includes(file.replace("dist/", "src/"))
  )
  if (stale.length > 0) {
    problems.push(`${name}: left over from an earlier build, run \`pnpm clean\`: ${stale.join(", ")}`)
  }
  const named = [...JSON.stringify([manifest.exports, manifest.bin ?? {}]).matchAll(/"\.\/([^"]+\.\w+)"/g)]
  for (const needed of ["LICENSE", "README.md", "src/index.ts", ...named.map(([, file = ""]) => file)]) {
    if (!files.includes(needed)) problems.push(`${name}: the tarball has no ${needed}`)
  }
  for (const field of ["description", "keywords", "homepage", "bugs", "repository", "license"]) {
    if (!(field in manifest)) problems.push(`${name}: package.json has no ${field}`)
  }
  if (/"(catalog|workspace):/.test(JSON.stringify(manifest))) {
    problems.push(`${name}: catalog: or workspace: in the packed package.json`)
  }
  const { effect } = manifest.peerDependencies ?? {}
  if (effect !== undefined && !/^\^3\.\d+\.\d+$/.test(effect)) {
    problems.push(`${name}: peer effect@${effect} is not Effect 3`)
  }
  const profile = JSON.stringify(manifest.exports).includes('"require"') ? "node16" : "esm-only"
  const tools = [
    { tool: "publint", args: ["run", tarball, "--strict"] },
    { tool: "attw", args: [tarball, "--profile", profile, "--no-emoji", "--no-color"] }
  ]
  for (const { args, tool } of tools) {
    // A program has no types to resolve.
    if (tool === "attw" && entriesOf(manifest).length === 0) continue
    await capture(tool, args).catch((/** @type {Error} */ error) => problems.push(`${name}: ${error.message}`))
  }
  return manifest
}

/** What programs import of a package. @param {Manifest} manifest */
const entriesOf = ({ exports, name }) =>
  Object.entries(exports).filter(([, target]) => typeof target !== "string").map(([entry]) =>
    `${name}${entry.slice(1)}`
  )

/** Peers that only some entry points need, which who imports those installs; in the versions that the tests have. */
const optionalPeers = () =>
  Object.fromEntries(
    publishable.flatMap(({ directory, peerDependenciesMeta = {} }) =>
      Object.keys(peerDependenciesMeta).map((peer) => [
        peer,
        parse(readFileSync(`${root}packages/${directory}/node_modules/${peer}/package.json`, "utf8")).version
      ])
    )
  )

const bundles = ["@mcp-lifeline/client", "mcp-lifeline"]

const work = mkdtempSync(join(tmpdir(), "lifeline-packages-"))
const plain = join(work, "plain")
const effect = join(work, "effect")
const framed = join(work, "framed")
const report = (/** @type {string} */ what) => (/** @type {Error} */ error) => {
  problems.push(`${what}: ${error.message}`)
}
/** @type {Awaited<ReturnType<typeof surroundings.open>> | undefined} */
let around
try {
  const found = installed.nodes()
  found.catch(() => undefined) // reported below, when it is awaited
  const packed = await pack(work)
  const { version } = parse(readFileSync(`${root}node_modules/@types/node/package.json`, "utf8"))
  const tarballs = packed.map(({ name, tarball }) => [name, `file:${tarball}`])
  const { dependencies, overrides } = frameworks.manifest(framed)
  const installing = Promise.all([
    installed.install(framed, dependencies, overrides),
    installed.install(plain, {
      ...Object.fromEntries(tarballs.filter(([name = ""]) => bundles.includes(name))),
      "@types/node": version,
      ...programs.servers
    }),
    installed.install(effect, {
      ...programs.installs,
      ...Object.fromEntries(tarballs),
      "@types/node": version,
      ...optionalPeers(),
      ...programs.servers
    })
  ])
  installing.catch(() => undefined) // reported below, when it is awaited
  // Two at a time: each takes seconds of one core.
  const half = Math.ceil(packed.length / 2)
  const inspectAll = async (/** @type {typeof packed} */ some) => {
    const manifests = []
    for (const one of some) manifests.push(await inspect(one))
    return manifests
  }
  const manifests = (await Promise.all([packed.slice(0, half), packed.slice(half)].map(inspectAll))).flat()
  await installing

  for (const inlined of ["effect", "@mcp-lifeline/core", "@opentelemetry/api"]) {
    if (installed.has(plain, inlined)) {
      problems.push(`${bundles.join(" and ")} install ${inlined}, which they have inlined`)
    }
  }
  const entries = manifests.flatMap(entriesOf)
  const exported = entries.map((entry, index) => `export * as p${index} from "${entry}"\n`).join("")
  const required = entries.map((entry, index) => `export import p${index} = require("${entry}")\n`).join("")
  programs.addCommands(plain)
  programs.addCommands(framed, effect)
  const bin = programs.addCommands(effect)
  const { fill, home, missing, variables } = around = await surroundings.open(effect, bin)
  const checks = await Promise.all([
    installed.typeCheck(plain, "NodeNext", { "consumer.ts": installed.consumer, "consumer.cts": installed.consumer }),
    installed.typeCheck(plain, "Bundler", { "consumer.ts": installed.consumer }),
    installed.typeCheck(effect, "NodeNext", { "types.ts": exported, "types.cts": required }),
    installed.typeCheck(effect, "Bundler", { "types.ts": exported }),
    programs.prepare(plain, programs.plain, fill),
    programs.prepare(effect, programs.full, fill),
    programs.prepare(framed, programs.framed, fill)
  ])
  problems.push(...checks.flat())
  const nodes = await found
  for (const { major, node } of nodes) {
    await installed.useBundles(plain, node).catch(report(`Node.js ${major}, facade and gateway`))
    await installed.useAll(effect, node, entries).catch(report(`Node.js ${major}, all packages`))
  }
  const [oldest, newest] = [nodes[0], nodes.at(-1)]
  for (const { major, node } of [oldest, newest].flatMap((one) => one ?? [])) {
    const isRun = node === oldest?.node ? () => true : programs.isFirst
    // Of the frameworks, one needs Node.js 22.
    const withFrameworks = node === newest?.node ? programs.framed : []
    const wrong = [
      ...await programs.runAll(plain, programs.plain.filter(isRun), node, variables),
      ...await programs.runAll(effect, programs.full.filter(isRun), node, variables),
      ...await programs.runAll(framed, withFrameworks, node, { ...variables, ...frameworks.variables })
    ]
    problems.push(...wrong.map((problem) => `Node.js ${major}: ${problem}`))
  }
  problems.push(...await shellLines.runAll(bin, home, fill), ...missing())
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
  const count = programs.plain.length + programs.full.length + programs.framed.length
  console.log(
    `${packed.length} packages packed, checked, installed and used, ${count} programs and `
      + `${shellLines.all.length} lines for a shell of pages run; ${problems.length} problems`
  )
} finally {
  await around?.close()
  rmSync(work, { recursive: true, force: true })
}
