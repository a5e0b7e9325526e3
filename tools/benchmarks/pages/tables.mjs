/**
 * Tables of pages. `<!-- table:NAME -->` has all rows of a benchmark with one part, and `<!-- table:NAME/ID -->` those of one of several;
 * `<!-- tables:NAME -->` has all parts. `tables` says where one differs from that.
 */
import { moreIsBetter } from "../rounds.mjs"
import { suite } from "../suite.mjs"
import { partOf } from "./records.mjs"

/** @typedef {import("./records.mjs").Part} Part */
/** @typedef {import("./records.mjs").Records} Records */
/** @typedef {import("../common.mjs").Row} Row */

/** Where, when and how often it was measured. @param {import("./records.mjs").Run} run */
export const whence = ({ commit, date, load, machine, rounds, versions }) => {
  const most = load === undefined || load.length === 0 ? undefined : Math.max(...load)
  return [
    `${date}, commit ${commit}`,
    `${machine.cores} cores (${machine.cpu})`,
    `Node.js ${versions["node"]?.replace(/^v/, "")}`,
    rounds === 1 ? "one round" : `median of ${rounds} rounds`,
    ...(most === undefined ? [] : [`load up to ${most} before it`])
  ].join("; ")
}

/**
 * The same of several parts: once if all are of one run, and otherwise each with the names of what is of it.
 *
 * @param {ReadonlyArray<Part>} parts
 * @param {(part: Part) => string} nameOf
 */
export const sources = (parts, nameOf) => {
  const texts = [...new Set(parts.map(({ run }) => whence(run)))]
  return texts.length === 1
    ? texts
    : texts.map((text) => `${parts.filter(({ run }) => whence(run) === text).map(nameOf).join(", ")}: ${text}`)
}

/**
 * How a table differs from that: which rows and columns it has, and which rows are rivals. The best figure of a column among rivals is bold.
 *
 * @typedef {object} Table
 * @property {string} of
 * @property {(row: Row) => boolean} [rows]
 * @property {ReadonlyArray<string>} [columns]
 * @property {(row: Row) => string | undefined} [rivals] rows that have the same answer are; undefined is nobody's rival
 * @property {ReadonlyArray<string>} [unjudged] columns of which neither less nor more is better
 */

/** @param {string} name */
const beforeColon = (name) => name.split(":")[0]

/** @type {Readonly<Record<string, Table>>} */
const tables = {
  call: {
    of: "call",
    columns: ["median us", "p99 us", "ratio"],
    rivals: ({ name }) => beforeColon(name),
    unjudged: ["ratio"]
  },
  fleet: { of: "fleet", rivals: () => undefined },
  wrap: {
    of: "wrap",
    rows: ({ figures }) => "call ms" in figures,
    rivals: ({ name }) => / URL\b/.test(name) ? "at a URL" : undefined
  },
  "wrap-short": {
    of: "wrap",
    rows: ({ figures }) => "call ms" in figures,
    columns: ["initialize ms", "call ms", "MB idle"],
    rivals: ({ name }) => / URL\b/.test(name) ? "at a URL" : undefined
  },
  "wrap-costs": {
    of: "wrap",
    rows: ({ figures }) => "measured" in figures,
    rivals: () => undefined
  },
  gateways: {
    of: "gateways/calls",
    rivals: ({ name }) => /^(the server itself|a bare relay)/.test(name) ? undefined : "gateways"
  },
  growth: {
    of: "gateways/growth",
    rivals: ({ figures }) => `${figures["servers"]} ${figures["clients"]}`,
    unjudged: ["servers", "clients"]
  },
  scale: { of: "scale", rivals: () => undefined },
  idle: { of: "idle", rivals: () => undefined },
  "install-library": {
    of: "install",
    rows: ({ figures }) => "files" in figures,
    columns: ["MB", "packages", "files", "import, median ms"],
    rivals: () => undefined
  },
  "install-program": {
    of: "install",
    rows: ({ figures }) => "start, median s" in figures,
    columns: ["start, median s", "peak MB"],
    rivals: () => undefined
  },
  "install-npx": {
    of: "install",
    rows: ({ figures }) => "bridge s" in figures,
    columns: ["s", "bridge s", "ratio"],
    rivals: () => undefined
  },
  hop: { of: "cluster/hop", rivals: () => undefined },
  "hop-cpu": { of: "cluster/cpu", rivals: () => undefined }
}
/** Columns that count what was there, not how well it went. */
const counts = new Set(["calls", "servers", "clients", "runs"])

/** In this column, the recovery benchmark says which figures of a row are the best, since it knows how far its runs differ. */
export const best = "best in"

/** Columns that tables leave out. */
const leftOut = /^p(?:10|90) /

/** @param {string} text */
const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ")

/** A figure in a page. @param {number | string} value */
const written = (value) =>
  cell(typeof value === "number" && Math.abs(value) >= 1000 ? value.toLocaleString("en-US") : String(value))

/** The rows of a table, in Markdown. @param {ReadonlyArray<Row>} rows @param {ReadonlyArray<string>} columns @param {(row: Row, column: string) => boolean} isBest */
const lines = (rows, columns, isBest) =>
  [
    `| | ${columns.map(cell).join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    ...rows.map((row) =>
      `| ${cell(row.name)} | ${
        columns.map((column) => {
          const value = row.figures[column]
          return value === undefined ? "" : isBest(row, column) ? `**${written(value)}**` : written(value)
        }).join(" | ")
      } |`
    )
  ].join("\n")

/** @param {ReadonlyArray<Row>} rows */
const columnsOf = (rows) => [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))]

/** The table alone. @param {Part} part @param {Omit<Table, "of">} how */
const bare = (part, { columns, rivals = () => "all", rows: keep = () => true, unjudged = [] }) => {
  const rows = part.rows.filter(keep)
  const shown = columns ?? columnsOf(rows).filter((one) => one !== best && !leftOut.test(one))
  return lines(rows, shown, (row, column) => {
    const { [best]: said } = row.figures
    if (typeof said === "string") return said.split(", ").includes(column === shown[0] ? "time" : column)
    const group = rivals(row)
    if (group === undefined || unjudged.includes(column) || counts.has(column)) return false
    const values = rows.filter((one) => rivals(one) === group).map(({ figures }) => figures[column])
    const numbers = values.filter((value) => typeof value === "number")
    const isMore = moreIsBetter.test(column) || column === "good"
    const top = isMore ? Math.max(...numbers) : Math.min(...numbers)
    // Where all are equal, none is best.
    return values.length > 1 && row.figures[column] === top && values.some((value) => value !== top)
  })
}

export const missing = "*Not measured yet.*"

/** @param {ReadonlyArray<string>} notes */
export const below = (notes) => `<sub>${notes.map((note) => note.replace(/\.$/, "")).join(". ")}.</sub>`

/** @param {string} name @param {Records} records @returns {string} */
export const table = (name, records) => {
  const how = tables[name] ?? /** @type {Table} */ ({ of: name })
  const [record] = how.of.split("/")
  if (!suite.some(({ name }) => name === record)) {
    throw new Error(`There is no benchmark ${record} for the table ${name}`)
  }
  const part = partOf(records, how.of)
  if (part === undefined) return missing
  const { notes = [], run, title } = part
  return `${bare(part, how)}\n\n${below([title, ...notes, ...run.notes ?? [], whence(run)])}`
}

/**
 * All tables of a benchmark, one below the other, and at last those figures in which others were better, where the benchmark says so.
 *
 * @param {string} name
 * @param {Records} records
 * @returns {string}
 */
export const allTables = (name, records) => {
  const parts = records[name]?.parts ?? []
  if (parts.length === 0) return missing
  const known = parts.flatMap(({ beaten }) => beaten === undefined ? [] : [beaten])
  const beaten = known.flat()
  const notes = parts.flatMap(({ notes = [], run }) => [...notes, ...run.notes ?? []])
  return [
    ...parts.flatMap((part) => [`**${part.title}**`, bare(part, {})]),
    ...(known.length === 0
      ? []
      : beaten.length === 0
      ? ["**Of the clients that were measured, none without Lifeline was better in any figure.**"]
      : ["**Where a client without Lifeline was better**", lines(beaten, columnsOf(beaten), () => false)]),
    below([...new Set(notes), ...sources(parts, ({ id = "", title }) => id === "" ? title : id)])
  ].join("\n\n")
}
