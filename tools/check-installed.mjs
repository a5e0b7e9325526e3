// The packages as a user has them: packs each, installs them in empty projects, of users without Effect and with Effect 3, and uses every entry
// point (tools/installed.mjs) on this Node.js. With --programs, does so with Effect 4, too, and compiles and runs the programs of the packages'
// READMEs (tools/programs.mjs). With --all, type-checks consumers, and does so on each Node.js that is supported, with the programs of all pages on the oldest, those of the
// pages that users read first on the newest, too, their lines for a shell, frameworks, and what bundlers make of a package.
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

const isAll = process.argv.includes("--all")
const hasPrograms = isAll || process.argv.includes("--programs")

/** The programs that are run. */
const chosen = (/** @type {ReadonlyArray<programs.Program>} */ all) =>
  isAll ? all : hasPrograms ? all.filter(programs.isOfPackage) : []
const some = { plain: chosen(programs.plain), full: chosen(programs.full), framed: isAll ? programs.framed : [] }

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
  // Effect 4 needs Node.js 22, so the newest is there in any case.
  const found = hasPrograms ? installed.nodes(isAll) : Promise.resolve([installed.ours])
  found.catch(() => undefined) // reported below, when it is awaited
  const packed = await pack(work)
  const { version } = parse(readFileSync(`${root}node_modules/@types/node/package.json`, "utf8"))
  const tarballs = packed.map(({ manifest, tarball }) => [manifest.name, `file:${tarball}`])
  const for4 = installed.effect4.packages
  const { dependencies, overrides } = frameworks.manifest(framed)
  await Promise.all([
    isAll && installed.install(framed, dependencies, overrides),
    installed.install(plain, {
      ...Object.fromEntries(tarballs.filter(([name = ""]) => bundles.includes(name))),
      "@types/node": version,
      ...programs.servers
    }),
    installed.install(effect, {
      ...hasPrograms ? programs.installs : {},
      ...Object.fromEntries(tarballs.filter(([name]) => name !== "@mcp-lifeline/effect4")),
      "@types/node": version,
      ...optionalPeers(),
      ...hasPrograms ? programs.servers : {}
    }),
    hasPrograms && installed.install(effect4, {
      ...Object.fromEntries(tarballs.filter(([name = ""]) => for4.includes(name))),
      "@types/node": version,
      effect: "4",
      ...programs.servers
    }),
    isAll && installed.install(bundled, {
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
  const { consumer } = installed
  const checks = isAll ?
    await Promise.all([
      installed.typeCheck(plain, "NodeNext", { "consumer.ts": consumer, "consumer.cts": consumer }),
      installed.typeCheck(plain, "Bundler", { "consumer.ts": consumer }),
      installed.typeCheck(effect, "NodeNext", { "types.ts": exported, "types.cts": required }),
      installed.typeCheck(effect, "Bundler", { "types.ts": exported }),
      installed.typeCheck(effect4, "NodeNext", { "effect4.ts": installed.effect4.consumer }),
      installed.typeCheck(effect4, "Bundler", { "effect4.ts": installed.effect4.consumer })
    ]) :
    []
  problems.push(...checks.flat())
  const nodes = await found
  for (const { major, node } of isAll ? nodes : nodes.slice(0, 1)) {
    await installed.useBundles(plain, node).catch(report(`Node.js ${major}, facade and gateway`))
    await installed.useAll(effect, node, entries).catch(report(`Node.js ${major}, all packages`))
  }
  if (hasPrograms) {
    const [oldest, newest] = [nodes[0], nodes.at(-1)]
    programs.addCommands(plain)
    if (isAll) programs.addCommands(framed, effect)
    const bin = programs.addCommands(effect)
    const { fill, home, missing, variables } = around = await surroundings.open(effect, bin)
    const prepared = await Promise.all([
      programs.prepare(plain, some.plain, fill),
      programs.prepare(effect, some.full, fill),
      programs.prepare(framed, some.framed, fill)
    ])
    problems.push(...prepared.flat())
    if (isAll && newest !== undefined) {
      const modules = join(plain, "node_modules")
      const server = join(modules, "@modelcontextprotocol/server-everything/dist/index.js")
      await installed.withGateway(
        newest.node,
        join(modules, "mcp-lifeline/esm/bin.js"),
        (url) => bundlers.use(bundled, join(work, "out"), newest.node, url, server)
      ).catch(report("Bundlers"))
    }
    if (newest !== undefined) await installed.useEffect4(effect4, newest.node).catch(report(`Effect 4`))
    for (const { major, node } of [oldest, isAll ? newest : undefined].flatMap((one) => one ?? [])) {
      const isRun = node === oldest?.node ? () => true : programs.isFirst
      // Of the frameworks, one needs Node.js 22.
      const withFrameworks = node === newest?.node ? some.framed : []
      const wrong = [
        ...await programs.runAll(plain, some.plain.filter(isRun), node, variables),
        ...await programs.runAll(effect, some.full.filter(isRun), node, variables),
        ...await programs.runAll(framed, withFrameworks, node, { ...variables, ...frameworks.variables })
      ]
      problems.push(...wrong.map((problem) => `Node.js ${major}: ${problem}`))
    }
    if (isAll) problems.push(...await shellLines.runAll(bin, home, fill), ...missing())
  }
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
  const count = hasPrograms ? `, ${Object.values(some).flat().length} programs of pages run` : ""
  const lines = isAll ? `, and ${shellLines.all.length} lines for a shell` : ""
  console.log(
    `${packed.length} packages packed, ${
      hasPrograms ? "" : "all but that for Effect 4 "
    }installed and used${count}${lines}; ${problems.length} problems`
  )
} finally {
  await around?.close()
  rmSync(work, { recursive: true, force: true })
}
