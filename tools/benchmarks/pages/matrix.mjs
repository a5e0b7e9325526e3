/**
 * One table of many: a row for each client, a column for each fault, and in it when the client was back. `<!-- matrix:NAME/stdio -->` has the
 * parts of that transport, as `crash-idle/stdio`; `NAME/http/2026-07-28` those of another protocol, as `crash-idle/http/2026-07-28`.
 */
import { below, best, missing, sources } from "./tables.mjs"

/** @typedef {import("./records.mjs").Records} Records */
/** @typedef {import("../common.mjs").Row} Row */

/** When it was back, and what must not be overlooked beside that. @param {Row | undefined} row */
const cell = (row) => {
  if (row === undefined) return ""
  const { failed = 0, hung = 0, [best]: said, "ms to a good call": back, twice } = row.figures
  const time = typeof back === "number" ? `${(back / 1000).toFixed(1)} s` : "no"
  const lost = Number(failed) + Number(hung)
  return [
    String(said ?? "").split(", ").includes("time") ? `**${time}**` : time,
    ...(lost > 0 ? [`${lost} lost`] : []),
    ...(Number(twice) > 0 ? [`${twice} twice`] : [])
  ].join(", ")
}

/** @param {string} name as in `recovery/stdio` @param {Records} records */
export const matrix = (name, records) => {
  const [record = "", ...where] = name.split("/")
  const parts = (records[record]?.parts ?? []).flatMap((part) => {
    const [fault = "", ...at] = part.id?.split("/") ?? []
    return at.join("/") === where.join("/") ? [{ ...part, fault }] : []
  })
  if (parts.length === 0) return missing
  const clients = [...new Set(parts.flatMap(({ rows }) => rows.map(({ name }) => name)))]
  const lines = [
    `| | ${parts.map(({ fault }) => fault).join(" | ")} |`,
    `|---|${parts.map(() => "---|").join("")}`,
    ...clients.map((client) =>
      `| ${client} | ${parts.map(({ rows }) => cell(rows.find(({ name }) => name === client))).join(" | ")} |`
    )
  ]
  return `${lines.join("\n")}\n\n${below(sources(parts, ({ id = "" }) => id.split("/")[0] ?? ""))}`
}
