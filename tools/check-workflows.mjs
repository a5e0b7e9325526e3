// Checks the workflows of GitHub: with GitHub's own language service, which knows keys, contexts and expressions; and that no action can be
// exchanged by others, each job has the rights that it names and a time limit, and no token stays in a checkout.
import { build } from "esbuild"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parse } from "yaml"

const root = fileURLToPath(new URL("../", import.meta.url))
const folder = ".github/workflows"

/** Its modules import JSON as only bundlers can. */
const languageService = async () => {
  const outfile = `${root}build/workflows.cjs`
  const contents = `export { validate } from "@actions/languageservice"
    export { TextDocument } from "vscode-languageserver-textdocument"`
  await build({ stdin: { contents, resolveDir: root }, outfile, bundle: true, platform: "node", logLevel: "warning" })
  return import(pathToFileURL(outfile).href)
}

/**
 * @typedef {object} Step
 * @property {string} [uses]
 * @property {Readonly<Record<string, unknown>>} [with]
 *
 * @typedef {object} Job
 * @property {unknown} [permissions]
 * @property {number} [timeout-minutes]
 * @property {ReadonlyArray<Step>} [steps]
 *
 * @typedef {object} Workflow
 * @property {unknown} [permissions]
 * @property {Readonly<Record<string, Job>>} jobs
 */

/** What the language service allows and we do not. @param {string} text */
const rules = (text) => {
  /** @type {Workflow} */
  const { jobs, permissions } = parse(text)
  const problems = permissions === undefined
    ? ["has no permissions: without them, a job has those of the repository"]
    : []
  for (const [name, job] of Object.entries(jobs)) {
    if (job["timeout-minutes"] === undefined) problems.push(`the job ${name} has no timeout-minutes`)
    for (const { uses, with: inputs } of job.steps ?? []) {
      if (uses === undefined || uses.startsWith("./")) continue
      if (!/@[0-9a-f]{40}$/.test(uses)) {
        problems.push(`the job ${name} uses ${uses}: name a commit, with its version as a comment`)
      } else if (!new RegExp(`${uses} # v\\d+\\.\\d+\\.\\d+$`, "m").test(text)) {
        problems.push(`the job ${name} uses ${uses} without its version as a comment`)
      }
      if (uses.startsWith("actions/checkout@") && inputs?.["persist-credentials"] !== false) {
        problems.push(`the job ${name} checks out without persist-credentials: false`)
      }
    }
  }
  return problems
}

const { TextDocument, validate } = await languageService()
let count = 0
for (const name of readdirSync(`${root}${folder}`)) {
  const file = `${folder}/${name}`
  const text = readFileSync(`${root}${file}`, "utf8")
  /** @type {ReadonlyArray<{ readonly message: string, readonly range: { readonly start: { readonly line: number } } }>} */
  const found = await validate(TextDocument.create(pathToFileURL(`${root}${file}`).href, "yaml", 0, text))
  const problems = [
    ...found.map(({ message, range }) => `${file}:${range.start.line + 1}: ${message}`),
    ...rules(text).map((message) => `${file}: ${message}`)
  ]
  count += problems.length
  for (const problem of problems) console.error(problem)
}
if (count > 0) process.exitCode = 1
else console.log("The workflows are valid")
