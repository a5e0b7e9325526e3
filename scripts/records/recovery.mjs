/** Clients and what happens to them, from the recovery benchmark's figures that are kept in docs/benchmarks. */
import { table } from "./page.mjs"
import { textOf } from "./proof.mjs"

/** @typedef {{ readonly name: string, readonly figures: Readonly<Record<string, number | string>> }} Row */
/** @typedef {{ readonly commit: string, readonly date: string, readonly quick: boolean, readonly parts: ReadonlyArray<{ readonly title: string, readonly rows: ReadonlyArray<Row> }> }} Measured */

const time = "ms to a good call"
/** What a cell says beside the time, where it is not 0. */
const losses = { failed: "failed", hung: "hung", twice: "effects twice" }

/** @param {Row | undefined} row */
const cell = (row) => {
  if (row === undefined) return ""
  const back = row.figures[time] ?? ""
  const lost = Object.entries(losses).flatMap(([column, name]) => {
    const count = row.figures[column]
    return typeof count === "number" && count > 0 ? [`${count} ${name}`] : []
  })
  return [typeof back === "number" ? `${(back / 1000).toFixed(1)} s` : back, ...lost].join(", ")
}

/** A table of each transport: clients by faults. @param {Measured} measured */
export const matrices = ({ parts }) => {
  const faults = parts.flatMap(({ rows, title }) => {
    const [, fault = "", transport = ""] = /^([\w-]+), (stdio|http)\b/.exec(title) ?? []
    return rows.some(({ figures }) => time in figures) ? [{ fault, transport, rows }] : []
  })
  return [...new Set(faults.map(({ transport }) => transport))].map((transport) => {
    const own = faults.filter((one) => one.transport === transport)
    const clients = [...new Set(own.flatMap(({ rows }) => rows.map(({ name }) => name)))]
    return [
      `### ${transport === "http" ? "Servers over HTTP" : "Servers over stdio"}`,
      table(
        ["Client", ...own.map(({ fault }) => fault)],
        clients.map((client) => [client, ...own.map(({ rows }) => cell(rows.find(({ name }) => name === client)))])
      )
    ].join("\n\n")
  })
}

/** @returns {string} */
export const part = () => {
  const text = textOf("docs/benchmarks/recovery.json")
  if (text === undefined) return "No run is kept yet."
  /** @type {Measured} */
  const measured = JSON.parse(text)
  return [
    `${measured.date}, commit \`${measured.commit}\`${
      measured.quick ? "; a quick run, which shows that it works and no more" : ""
    }.`,
    ...matrices(measured)
  ].join("\n\n")
}
