/**
 * Tables of pages. `<!-- table:NAME -->` has all rows of a benchmark's first part, and `<!-- table:NAME/2 -->` those of its second;
 * `<!-- tables:NAME -->` has all parts. `tables` says where one differs from that.
 */
import { moreIsBetter } from "../rounds.mjs"
import { suite } from "../suite.mjs"
import { whence } from "./caption.mjs"

/** @typedef {import("./records.mjs").Records} Records */
/** @typedef {import("../common.mjs").Row} Row */

/**
 * How a table differs from that: which rows and columns it has, and which rows are rivals. The best figure of a column among rivals is bold.
 *
 * @typedef {object} Table
 * @property {string} of
 * @property {(row: Row) => boolean} [rows]
 * @property {ReadonlyArray<string>} [columns]
 * @property {(row: Row) => string | undefined} [rivals] rows that have the same answer are; undefined is nobody's rival
 * @property {ReadonlyArray<string>} [judged] the only columns of which less or more is better
 * @property {ReadonlyArray<string>} [unjudged] columns of which neither less nor more is better
 */

/** @param {string} name */
const beforeColon = (name) => name.split(":")[0]

/** A client that has given up is quick, and fails few calls: what counts is how many were good, and when. */
const outage = ["good", "first good call ms", "effects twice"]

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
    of: "gateways",
    rivals: ({ name }) => /^(the server itself|a bare relay)/.test(name) ? undefined : "gateways"
  },
  growth: {
    of: "gateways/2",
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
  hop: { of: "cluster/1", rivals: () => undefined },
  "hop-cpu": { of: "cluster/2", rivals: () => undefined },
  crash: { of: "timeline/1", judged: outage },
  wedged: { of: "timeline/2", judged: outage },
  network: { of: "timeline/3", judged: outage },
  storms: { of: "lost/1", rivals: () => undefined },
  "storms-http": { of: "lost/2", rivals: ({ name }) => name.split(": ")[1] }
}
/** Columns that count what was there, not how well it went. */
const counts = new Set(["calls", "servers", "clients", "runs"])

/** In this column, the recovery benchmark says which figures of a row are the best, since it knows how far its runs differ. */
export const best = "best in"

/** Columns that pictures show. */
const onlyDrawn = /^p(?:10|90) /

/** @param {string} text */
const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ")

/** A figure in a page. @param {number | string} value */
const written = (value) =>
  cell(typeof value === "number" && Math.abs(value) >= 1000 ? value.toLocaleString("en-US") : String(value))

/** The table alone, and what it is of; undefined if there are no figures. @param {string} name @param {Records} records */
const bare = (name, records) => {
  const { columns, judged, of, rivals = () => "all", rows: keep = () => true, unjudged = [] } = tables[name] ??
    /** @type {Table} */ ({ of: name })
  const [record = "", part = "1"] = of.split("/")
  if (!suite.some(({ name }) => name === record)) {
    throw new Error(`There is no benchmark ${record} for the table ${name}`)
  }
  const measured = records[record]
  const result = measured?.parts[Number(part) - 1]
  if (measured === undefined || result === undefined) return undefined
  const rows = result.rows.filter(keep)
  const shown = columns ??
    [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))].filter((one) =>
      one !== best && !onlyDrawn.test(one)
    )
  /** @param {Row} row @param {string} column */
  const isBest = (row, column) => {
    const { [best]: said } = row.figures
    if (typeof said === "string") return said.split(", ").includes(column === shown[0] ? "time" : column)
    const group = rivals(row)
    if (group === undefined || unjudged.includes(column) || counts.has(column)) return false
    if (judged?.includes(column) === false) return false
    const values = rows.filter((one) => rivals(one) === group).map(({ figures }) => figures[column])
    const numbers = values.filter((value) => typeof value === "number")
    const isMore = moreIsBetter.test(column) || column === "good"
    const top = isMore ? Math.max(...numbers) : Math.min(...numbers)
    // Where all are equal, none is best.
    return values.length > 1 && row.figures[column] === top && values.some((value) => value !== top)
  }
  const lines = [
    `| | ${shown.map(cell).join(" | ")} |`,
    `|---|${shown.map(() => "---|").join("")}`,
    ...rows.map((row) =>
      `| ${cell(row.name)} | ${
        shown.map((column) => {
          const value = row.figures[column]
          return value === undefined ? "" : isBest(row, column) ? `**${written(value)}**` : written(value)
        }).join(" | ")
      } |`
    )
  ]
  return { lines: rows.length === 0 ? "" : lines.join("\n"), measured, result }
}

const missing = "*Not measured yet.*"

/** @param {ReadonlyArray<string>} notes */
const below = (notes) => `<sub>${notes.map((note) => note.replace(/\.$/, "")).join(". ")}.</sub>`

/** @param {string} name @param {Records} records @returns {string} */
export const table = (name, records) => {
  const found = bare(name, records)
  if (found === undefined) return missing
  const { lines, measured, result } = found
  return `${lines}\n\n${below([result.title, ...(result.notes ?? []), whence(measured)])}`
}

/** All tables of a benchmark, one below the other. @param {string} name @param {Records} records @returns {string} */
export const allTables = (name, records) => {
  const all = (records[name]?.parts ?? []).flatMap((_, i) => bare(`${name}/${i + 1}`, records) ?? [])
  const [first] = all
  if (first === undefined) return missing
  return [
    ...all.flatMap(({ lines, result }) => lines === "" ? [`**${result.title}.**`] : [`**${result.title}**`, lines]),
    below([...all.flatMap(({ result }) => result.notes ?? []), whence(first.measured)])
  ].join("\n\n")
}
