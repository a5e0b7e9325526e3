/** docs/compatibility.md: clients, hosts, servers and proxies from docs/compatibility/rows.json. */
import { table } from "./page.mjs"
import { problemOf, textOf } from "./proof.mjs"

/** What can be tried, and what the column says. */
export const columns = {
  use: "Lists, calls, reads",
  killed: "Server killed",
  hung: "Server hangs",
  gateway: "Gateway killed",
  signin: "Sign-in",
  adopt: "Configuration"
}

/**
 * What became of something that somebody tried: measured by a test, by a run, or reported by somebody.
 *
 * @typedef {object} Cell
 * @property {"works" | "does not" | "cannot be tried here"} outcome
 * @property {string} [why] of one that does not work or cannot be tried
 * @property {string} [note]
 * @property {import("./proof.mjs").Proof & { readonly contract: ReadonlyArray<string> }} [proof]
 * @property {{ readonly command: string, readonly date: string }} [run]
 * @property {{ readonly by: string, readonly date: string, readonly how: string }} [reported]
 */
/**
 * `package` is the name on npm of what has the version.
 *
 * @typedef {object} Row
 * @property {string} part
 * @property {string} name
 * @property {string} version
 * @property {string} [package]
 * @property {string} way
 * @property {Readonly<Partial<Record<keyof typeof columns, Cell>>>} cells
 */

const source = "docs/compatibility/rows.json"
/** Where versions stand of what is used: the packages that are installed, and those that only some tests and pages install. */
const versions = ["pnpm-lock.yaml", "docs/tasks/frameworks.md"]

/** @returns {ReadonlyArray<Row>} */
export const read = () => JSON.parse(textOf(source) ?? "").rows

/** @param {Cell} cell @returns {ReadonlyArray<string>} */
const problemsOf = ({ outcome, proof, reported, run, why }) => {
  const broken = proof === undefined ? undefined : problemOf(proof, proof.contract)
  const needsReason = outcome !== "works"
  return [
    ...["works", "does not", "cannot be tried here"].includes(outcome) ? [] : [`${outcome} is no outcome`],
    ...needsReason && why === undefined ? [`${outcome}: says not why`] : [],
    ...outcome !== "cannot be tried here" && proof === undefined && run === undefined && reported === undefined
      ? ["names neither a test (proof), nor a run, nor who has reported it"]
      : [],
    ...broken === undefined ? [] : [broken],
    ...[run?.date, reported?.date].every((date) => date === undefined || /^\d{4}-\d\d-\d\d$/.test(date))
      ? []
      : ["a date is YYYY-MM-DD"],
    ...run === undefined || isCommand(run.command) ? [] : [`package.json has no script for ${run.command}`]
  ]
}

/** @param {string} command */
const isCommand = (command) => {
  const [, script = ""] = /^pnpm ([\w:]+)/.exec(command) ?? []
  return (textOf("package.json") ?? "").includes(`"${script}":`)
}

/** Whether the version is the one that tests and pages use. @param {Row} row */
const isCurrent = ({ cells, name, package: from, version }) => {
  if (from === undefined) return true
  const files = [...versions, ...Object.values(cells).flatMap(({ proof }) => proof?.test ?? [])]
  return files.some((file) => {
    const text = textOf(file) ?? ""
    return text.includes(`${from}@${version}`) || text.includes(`\`${from}\` ${version}`) ||
      text.includes(`${name} ${version}`)
  })
}

/** What is wrong with rows, one text each. @param {ReadonlyArray<Row>} rows */
export const problems = (rows) =>
  rows.flatMap((row) => {
    const cells = Object.entries(row.cells)
    const isReported = cells.some(([, { reported }]) => reported !== undefined)
    return [
      ...cells.length === 0 ? ["has no cells"] : [],
      ...isReported || isCurrent(row) ? [] : [`${row.package}@${row.version} is not what is used: correct the version`],
      ...cells.flatMap(([column, cell]) => [
        ...column in columns ? [] : [`${column} is no column`],
        ...problemsOf(cell).map((problem) => `${column}: ${problem}`)
      ])
    ].map((problem) => `${row.name}, ${row.way}: ${problem}`)
  })

/** @param {Cell | undefined} cell @param {(note: string) => number} numbered */
const shown = (cell, numbered) => {
  if (cell === undefined) return ""
  const { note, outcome, proof, reported, run, why } = cell
  const notes = [
    why,
    note,
    run === undefined ? undefined : `\`${run.command}\`, ${run.date}`,
    reported === undefined ? undefined : `reported by ${reported.by}, ${reported.date}: ${reported.how}`
  ].filter((text) => text !== undefined)
  const text = proof === undefined ? outcome : `[${outcome}](../${proof.test})`
  return [text, ...notes.map((text) => `<sup>${numbered(text)}</sup>`)].join(" ")
}

/** @param {string} name @param {ReadonlyArray<Row>} rows */
const matrix = (name, rows) => {
  const own = rows.filter(({ part }) => part === name)
  const used = Object.entries(columns).filter(([column]) => own.some(({ cells }) => column in cells))
  /** @type {Array<string>} */
  const notes = []
  const numbered = (/** @type {string} */ note) => {
    if (!notes.includes(note)) notes.push(note)
    return notes.indexOf(note) + 1
  }
  const body = own.map((row) => [
    row.name,
    row.version,
    row.way,
    ...used.map(([column]) => shown(row.cells[/** @type {keyof typeof columns} */ (column)], numbered))
  ])
  return [
    `### ${name}`,
    table(["Who", "Version", "Through", ...used.map(([, title]) => title)], body),
    ...notes.length === 0 ? [] : [notes.map((note, i) => `${i + 1}. ${note}`).join("\n")]
  ].join("\n\n")
}

/** The generated parts of the page. @returns {Record<string, string>} */
export const parts = () => {
  const rows = read()
  const wrong = problems(rows)
  if (wrong.length > 0) throw new Error(`${source}:\n${wrong.join("\n")}`)
  return {
    rows: [...new Set(rows.map(({ part }) => part))].map((name) => matrix(name, rows)).join("\n\n")
  }
}
