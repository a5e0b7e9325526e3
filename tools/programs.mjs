/**
 * The programs of the pages, in projects with our packed packages installed: those in TypeScript are compiled strictly, and each is
 * run as the JavaScript that this makes of it; those of the READMEs a second time as CommonJS.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as frameworks from "./frameworks.mjs"
import { capture, each } from "./run.mjs"
import { importsOf, installsOf, pages, programs } from "./snippets.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))

/** @typedef {import("./snippets.mjs").Program} Program */

const needsOnlyFacade = (/** @type {Program} */ { text }) =>
  importsOf(text).every((name) => /^(node:.+|@mcp-lifeline\/client|@modelcontextprotocol\/sdk)$/.test(name))

// The tests of the facade have the frameworks.
const folders = ["packages/promise/", "examples/", "packages/gateway/"]

/** Packages in the versions of the workspace; ours, and those that it does not have, are left out. @param {ReadonlyArray<string>} names */
const versions = (names) =>
  Object.fromEntries(
    names.filter((name) => !/^(@mcp-lifeline\/|mcp-lifeline$)/.test(name)).flatMap((name) => {
      const path = folders.map((folder) => `${root}${folder}node_modules/${name}/package.json`).find(existsSync)
      return path === undefined ? [] : [[name, JSON.parse(readFileSync(path, "utf8")).version]]
    })
  )

/** The servers that programs start with npx, and that no package of ours brings. */
export const servers = versions([
  "@modelcontextprotocol/server-everything",
  "@modelcontextprotocol/server-filesystem"
])

const tools = new Set(["@effect/vitest", "@types/node", "tsx", "typescript", "vitest"])

/** What pages say to install for their programs. */
export const installs = versions(
  pages.filter((page) => programs(page).length > 0).flatMap(installsOf).filter((name) => !tools.has(name))
)

/**
 * A program in TypeScript as CommonJS: the compiler makes `require` of its imports, and all else is in a function, where it may await.
 *
 * @param {Program} program
 * @returns {Program}
 */
const asCommonJs = (program) => {
  const { name, text } = program
  const head = /^(?:import [^;]+? from ".+"\n|\/\/.*\n|\n)*/.exec(text)?.[0] ?? ""
  return {
    ...program,
    name: name.replace(/\.ts$/, ".cts"),
    text: `${head}const main = async () => {\n${text.slice(head.length)}}\nvoid main()\n`
  }
}

const found = pages.flatMap(programs)
const all = [
  ...found,
  ...found.filter(({ name, path }) => path.endsWith("README.md") && name.endsWith(".ts")).map(asCommonJs)
]

/** The programs that need nothing but the facade, those that need a framework which the workspace does not have, and all others. */
export const plain = all.filter(needsOnlyFacade)
export const framed = all.filter(frameworks.needed)
export const full = all.filter((program) => !needsOnlyFacade(program) && !frameworks.needed(program))

/** Whether it stands on the page of a package, and runs as it stands there. @param {Program} program */
export const isOfPackage = ({ name, path }) => /^packages\/[^/]+\/README\.md$/.test(path) && !name.endsWith(".cts")

/** Whether it stands on a page that users follow first. @param {Program} program */
export const isFirst = ({ path }) => /^(README|docs\/(install|quick-start|tasks\/.*))\.md$/.test(path)

const folderOf = (/** @type {Program} */ { path }) => path.replaceAll(/\W/g, "-")

/** `mcp-lifeline`, as when it is installed globally. @param {string} installed */
const command = (installed) =>
  `#!/bin/sh
exec node "${installed}/node_modules/mcp-lifeline/esm/bin.js" "$@"
`

/**
 * `npx -y <package>` from what a project has installed: npx itself takes a second of work for each start.
 *
 * @param {string} installed
 */
const npx = (installed) =>
  `#!/bin/sh
shift
package=$1
shift
case $package in
  mcp-lifeline) node "${installed}/node_modules/mcp-lifeline/esm/bin.js" "$@" ;;
  *) node "${installed}/node_modules/$package/dist/index.js" "$@" ;;
esac
exit $?
`

/** A browser whose user agrees to everything. */
const browser = `#!/bin/sh
exec node --eval 'fetch(process.argv[1])' "$1"
`

/**
 * Puts `npx`, `mcp-lifeline` and a browser into a project's folder `bin`.
 *
 * @param {string} project
 * @param {string} [installed] the project that has the packages
 */
export const addCommands = (project, installed = project) => {
  const folder = join(project, "bin")
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "npx"), npx(installed), { mode: 0o755 })
  writeFileSync(join(folder, "mcp-lifeline"), command(installed), { mode: 0o755 })
  writeFileSync(join(folder, "xdg-open"), browser, { mode: 0o755 })
  return folder
}

/**
 * Writes programs into a project, as `fill` completes them, and compiles them. Resolves with what the compiler says against them.
 *
 * @param {string} project
 * @param {ReadonlyArray<Program>} some
 * @param {(text: string) => string} fill
 */
export const prepare = async (project, some, fill) => {
  for (const program of some) {
    mkdirSync(join(project, folderOf(program)), { recursive: true })
    writeFileSync(join(project, folderOf(program), program.name), fill(program.text))
  }
  const typed = some.filter(({ name }) => /\.c?ts$/.test(name))
  if (typed.length === 0) return []
  const config = join(project, "tsconfig.programs.json")
  const lib = ["ES2022", "ESNext.Disposable"]
  const options = { strict: true, module: "NodeNext", target: "ES2022", lib, types: ["node"], skipLibCheck: true }
  writeFileSync(
    config,
    JSON.stringify({
      compilerOptions: { ...options, rootDir: ".", outDir: "compiled" },
      files: typed.map((program) => `${folderOf(program)}/${program.name}`)
    })
  )
  return capture("tsc", ["-p", config, "--pretty", "false"], { cwd: project }).then(
    () => [],
    (/** @type {Error} */ error) => [error.message]
  )
}

/** What others write beside the program: Effect's log, and a server whose standard error is the program's. */
const isOther = /^timestamp=|^Starting default \(STDIO\) server/

/**
 * Runs prepared programs with a Node.js, a few at a time. Resolves with what is wrong with them.
 *
 * @param {string} project
 * @param {ReadonlyArray<Program>} some
 * @param {string} node
 * @param {Readonly<Record<string, string>>} variables of the environment
 */
export const runAll = async (project, some, node, variables) => {
  /** @type {Array<string>} */
  const problems = []
  const PATH = [join(project, "bin"), dirname(node), process.env["PATH"]].join(delimiter)
  const env = { ...process.env, ...variables, PATH }
  await each(some, 3, async (program) => {
    const { line, name, path, prints } = program
    const folder = folderOf(program)
    const [, common] = /\.(c?)ts$/.exec(name) ?? []
    const file = common === undefined
      ? join(folder, name)
      : join("compiled", folder, name.replace(/ts$/, "js"))
    // Node.js 20 warns when CommonJS requires an ES module.
    const options = common === "c" ? ["--disable-warning=ExperimentalWarning"] : []
    const output = await capture(node, [...options, file], { cwd: project, env }).catch((
      /** @type {Error} */ error
    ) => error.message)
    const printed = output.trimEnd().split("\n").filter((one) => !isOther.test(one))
    if (printed.join("\n") !== prints.join("\n")) {
      problems.push(`${path}:${line} (${name}): should print\n${prints.join("\n")}\nbut printed\n${output}`)
    }
  })
  return problems
}
