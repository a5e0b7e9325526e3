/**
 * The programs of the pages that users copy first, in projects with our packed packages installed: those in TypeScript are compiled
 * strictly, and each is run, with no more than its page says to install.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { basename, delimiter, dirname, join } from "node:path"
import { capture } from "./run.mjs"
import { files } from "./snippets.mjs"

const usesEffect = /["'](effect|@effect\/[^"']+|@mcp-lifeline\/(?!client["'])[^"']+)["']/

/** @typedef {import("./snippets.mjs").File & { readonly folder: string }} Program */

/**
 * The programs of some pages, by the project that they are for.
 *
 * @param {ReadonlyArray<string>} pages
 * @returns {{ readonly plain: ReadonlyArray<Program>, readonly effect: ReadonlyArray<Program> }}
 */
export const ofPages = (pages) => {
  const all = pages.flatMap((page) =>
    files(page).filter(({ prints }) => prints !== undefined).map((file) => ({ ...file, folder: basename(page, ".md") }))
  )
  return {
    plain: all.filter(({ text }) => !usesEffect.test(text)),
    effect: all.filter(({ text }) => usesEffect.test(text))
  }
}

/** `mcp-lifeline`, as when it is installed globally. @param {string} project */
const command = (project) =>
  `#!/bin/sh
exec node "${project}/node_modules/mcp-lifeline/esm/bin.js" "$@"
`

/**
 * `npx -y <package>` from what the project has installed: npx itself takes a second of work for each start.
 *
 * @param {string} project
 */
const npx = (project) =>
  `#!/bin/sh
shift
package=$1
shift
case $package in
  mcp-lifeline) node "${project}/node_modules/mcp-lifeline/esm/bin.js" "$@" ;;
  *) node "${project}/node_modules/$package/dist/index.js" "$@" ;;
esac
exit $?
`

/**
 * Writes programs into a project and compiles them. Resolves with what the compiler says against them.
 *
 * @param {string} project
 * @param {ReadonlyArray<Program>} programs
 */
export const prepare = async (project, programs) => {
  mkdirSync(join(project, "bin"), { recursive: true })
  for (const [name, text] of [["npx", npx(project)], ["mcp-lifeline", command(project)]]) {
    writeFileSync(join(project, `bin/${name}`), text ?? "", { mode: 0o755 })
  }
  for (const { folder, name, text } of programs) {
    mkdirSync(join(project, folder), { recursive: true })
    writeFileSync(join(project, folder, name), text)
  }
  const typed = programs.filter(({ name }) => name.endsWith(".ts"))
  if (typed.length === 0) return []
  const config = join(project, "tsconfig.programs.json")
  const lib = ["ES2022", "ESNext.Disposable"]
  const options = { strict: true, module: "NodeNext", target: "ES2022", lib, types: ["node"], skipLibCheck: true }
  writeFileSync(
    config,
    JSON.stringify({
      compilerOptions: { ...options, rootDir: ".", outDir: "compiled" },
      files: typed.map(({ folder, name }) => `${folder}/${name}`)
    })
  )
  return capture("tsc", ["-p", config, "--pretty", "false"], { cwd: project }).then(
    () => [],
    (/** @type {Error} */ error) => [error.message]
  )
}

/**
 * Runs prepared programs with a Node.js, a few at a time. Resolves with what is wrong with them.
 *
 * @param {string} project
 * @param {ReadonlyArray<Program>} programs
 * @param {string} node
 */
export const runAll = async (project, programs, node) => {
  /** @type {Array<string>} */
  const problems = []
  const path = [join(project, "bin"), dirname(node), process.env["PATH"]].join(delimiter)
  const rest = [...programs]
  const work = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      const { folder, name, place, prints = [] } = next
      const file = name.endsWith(".ts") ? join("compiled", folder, name.replace(/\.ts$/, ".js")) : join(folder, name)
      const output = await capture(node, [file], { cwd: project, env: { ...process.env, PATH: path } }).catch(
        (/** @type {Error} */ error) => error.message
      )
      if (output.trim() !== prints.join("\n")) {
        problems.push(`${place}: ${name} should print\n${prints.join("\n")}\nbut printed\n${output}`)
      }
    }
  }
  await Promise.all([work(), work(), work()])
  return problems
}
