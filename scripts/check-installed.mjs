// The packages as a user has them: packs each, installs them in empty projects, of users without Effect, with Effect 3, and with Effect 4,
// type-checks these, and runs programs in them on each Node.js that is supported (scripts/installed.mjs), and the programs of the pages on
// the oldest, those of the pages that users read first on the newest, too (scripts/programs.mjs), and what bundlers make of one of them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as bundlers from "./bundlers.mjs"
import * as frameworks from "./frameworks.mjs"
import * as installed from "./installed.mjs"
import { entriesOf, pack, parse, publishable } from "./packed.mjs"
import * as programs from "./programs.mjs"
import * as shellLines from "./shell-lines.mjs"
import * as surroundings from "./surroundings.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))

/** @type {Array<string>} */
const problems = []

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

const work = mkdtempSync(join(tmpdir(), "lifeline-installed-"))
const plain = join(work, "plain")
const effect = join(work, "effect")
const effect4 = join(work, "effect4")
const framed = join(work, "framed")
const bundled = join(work, "bundled")
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
  const tarballs = packed.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`])
  const for4 = installed.effect4.packages
  const { dependencies, overrides } = frameworks.manifest(framed)
  await Promise.all([
    installed.install(framed, dependencies, overrides),
    installed.install(plain, {
      ...Object.fromEntries(tarballs.filter(([name = ""]) => bundles.includes(name))),
      "@types/node": version,
      ...programs.servers
    }),
    installed.install(effect, {
      ...programs.installs,
      ...Object.fromEntries(tarballs.filter(([name]) => name !== "@mcp-lifeline/effect4")),
      "@types/node": version,
      ...optionalPeers(),
      ...programs.servers
    }),
    installed.install(effect4, {
      ...Object.fromEntries(tarballs.filter(([name = ""]) => for4.includes(name))),
      "@types/node": version,
      effect: "4",
      ...programs.servers
    }),
    installed.install(bundled, {
      ...Object.fromEntries(tarballs.filter(([name]) => name === "@mcp-lifeline/client")),
      ...bundlers.packages
    })
  ])

  for (const inlined of ["effect", "@mcp-lifeline/core", "@opentelemetry/api"]) {
    if (installed.has(plain, inlined)) {
      problems.push(`${bundles.join(" and ")} install ${inlined}, which they have inlined`)
    }
  }
  if (process.platform !== "win32" && installed.has(plain, "@koromix")) {
    problems.push(`${bundles.join(" and ")} install what only Windows needs`)
  }
  const entries = packed.flatMap(({ manifest }) => manifest.name === "@mcp-lifeline/effect4" ? [] : entriesOf(manifest))
    .filter((entry) => entry !== "@mcp-lifeline/client/within")
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
    installed.typeCheck(effect4, "NodeNext", { "effect4.ts": installed.effect4.consumer }),
    installed.typeCheck(effect4, "Bundler", { "effect4.ts": installed.effect4.consumer }),
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
  if (newest !== undefined) {
    const modules = join(plain, "node_modules")
    const server = join(modules, "@modelcontextprotocol/server-everything/dist/index.js")
    await installed.withGateway(
      newest.node,
      join(modules, "mcp-lifeline/esm/bin.js"),
      (url) => bundlers.use(bundled, join(work, "out"), newest.node, url, server)
    ).catch(report("Bundlers"))
  }
  // Effect 4 needs Node.js 22.
  if (newest !== undefined) await installed.useEffect4(effect4, newest.node).catch(report(`Effect 4`))
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
    `${packed.length} packages packed, installed and used, ${count} programs and `
      + `${shellLines.all.length} lines for a shell of pages run; ${problems.length} problems`
  )
} finally {
  await around?.close()
  rmSync(work, { recursive: true, force: true })
}
