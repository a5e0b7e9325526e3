/**
 * The pictures, by name, and the figures that each shows.
 */
import { whence } from "./caption.mjs"
import { lines } from "./lines.mjs"
import { ranges } from "./ranges.mjs"
import { timeline } from "./timeline.mjs"

/** @typedef {import("./records.mjs").Measured} Measured */
/** @typedef {import("./records.mjs").Records} Records */
/** @typedef {import("../common.mjs").Row} Row */

/** @param {Row} row @param {string} column */
const number = ({ figures }, column) => Number(figures[column] ?? Number.NaN)

/** @param {Row} row */
const isOurs = ({ name }) => /^(lifeline|wrap)\b|facade|Backend/i.test(name)

/** @param {Row} row @param {string} name @param {string} middle @param {string} unit @param {number} each so many of the unit are a millisecond */
const range = (row, name, middle, unit, each) => ({
  name,
  isOurs: isOurs(row),
  p10: number(row, `p10 ${unit}`) / each,
  p50: number(row, middle) / each,
  p90: number(row, `p90 ${unit}`) / each,
  p99: number(row, `p99 ${unit}`) / each
})

/** @param {Measured} call */
const library = (call) => {
  const rows = call.parts[0]?.rows ?? []
  const servers = {
    memory: "A server in the same process",
    stdio: "A small server over stdio",
    http: "A small server over HTTP"
  }
  return ranges({
    title: "What a call through the library takes, beside the official Client",
    panels: Object.entries(servers).map(([over, title]) => ({
      title,
      rows: rows.filter(({ name }) => name.startsWith(`${over}: `)).map((row) =>
        range(
          row,
          row.name.slice(over.length + 2).replace("raw Client with a signal", "official Client"),
          "median us",
          "us",
          1000
        )
      )
    })),
    caption: ["One call after the other; `facade` is what `connect` gives. In turns, block by block.", whence(call)]
  })
}

/** @param {Measured} wrap @param {Measured} gateways */
const programs = (wrap, gateways) =>
  ranges({
    title: "What a call through a program in between takes",
    panels: [
      {
        title: "wrap, and a bridge to a URL (mcp-remote); the first three at a server over stdio",
        rows: (wrap.parts[0]?.rows ?? []).filter(({ figures }) => "p99 ms" in figures).map((row) =>
          range(row, row.name, "call ms", "ms", 1)
        )
      },
      {
        title: "Gateways in front of a server over stdio",
        rows: (gateways.parts[0]?.rows ?? []).filter(({ figures }) => "p99 ms" in figures).map((row) =>
          range(row, row.name, "p50 ms", "ms", 1)
        )
      }
    ],
    caption: [
      "One call after the other, by a client that costs little.",
      `wrap: ${whence(wrap)}`,
      `gateways: ${whence(gateways)}`
    ]
  })

/**
 * A line for each gateway, from rows such as "lifeline this: servers 10, clients 1".
 *
 * @param {ReadonlyArray<Row>} rows
 * @param {string} x
 * @param {string} y
 */
const byGateway = (rows, x, y) => {
  const names = [...new Set(rows.map(({ name }) => name.split(":")[0] ?? ""))]
  return names.map((name) => {
    const mine = rows.filter((row) => row.name.startsWith(`${name}:`))
    return {
      name: name.replace(/ this$/, ""),
      isOurs: name.startsWith("lifeline"),
      points: mine.map((row) => /** @type {const} */ ([number(row, x), number(row, y)]))
    }
  })
}

/** @param {Measured} gateways */
const growth = ({ parts }) => parts.find(({ rows }) => rows.some(({ figures }) => "servers" in figures))?.rows ?? []

/** @param {Measured} gateways */
const throughput = (gateways) => {
  const rows = growth(gateways)
  const most = Math.max(...rows.map((row) => number(row, "servers")))
  return lines({
    title: "Calls a second through gateways, by number of clients",
    panels: [1, most].map((servers) => ({
      title: `In front of ${servers === 1 ? "one server" : `${servers} servers`}`,
      x: "clients",
      y: "calls a second",
      scale: /** @type {const} */ ("value"),
      lines: byGateway(rows.filter((row) => number(row, "servers") === servers), "clients", "calls/s")
    })),
    caption: [
      "Each client calls without a pause. Clients, gateway and servers share the machine, so this is less than a gateway alone could do.",
      whence(gateways)
    ]
  })
}

/** @param {Measured} gateways @param {Measured} scale */
const memory = (gateways, scale) =>
  lines({
    title: "Memory of a gateway, by number of servers",
    panels: [
      {
        title: "Beside others, with one client",
        x: "servers over stdio",
        y: "MB, without the servers' own",
        scale: "value",
        lines: byGateway(growth(gateways).filter((row) => number(row, "clients") === 1), "servers", "RSS MB")
      },
      {
        title: "serve, with many servers",
        x: "servers over HTTP",
        y: "MB",
        scale: "log",
        lines: [1, 100].map((clients) => ({
          name: `${clients} ${clients === 1 ? "client" : "clients"}`,
          isOurs: true,
          points: (scale.parts[0]?.rows ?? []).flatMap((row) => {
            const [, servers, of] = /^(\d+) servers?, (\d+) clients?$/.exec(row.name) ?? []
            return Number(of) === clients ? [/** @type {const} */ ([Number(servers), number(row, "RSS MB")])] : []
          })
        }))
      }
    ],
    caption: [`Left: ${whence(gateways)}`, `Right (logarithmic): ${whence(scale)}`]
  })

/**
 * Each picture, with the benchmarks that have to be there.
 *
 * @type {Readonly<Record<string, { readonly of: ReadonlyArray<string>, readonly drawing: (...of: ReadonlyArray<any>) => import("./chart.mjs").Drawing }>>}
 */
const pictures = {
  timeline: { of: ["timeline"], drawing: timeline },
  library: { of: ["call"], drawing: library },
  programs: { of: ["wrap", "gateways"], drawing: programs },
  throughput: { of: ["gateways"], drawing: throughput },
  memory: { of: ["gateways", "scale"], drawing: memory }
}

/** The drawings for which there are figures. @param {Records} records @returns {Readonly<Record<string, import("./chart.mjs").Drawing>>} */
export const drawings = (records) =>
  Object.fromEntries(
    Object.entries(pictures).filter(([, { of }]) => of.every((name) => name in records)).map((
      [name, { drawing, of }]
    ) => [
      name,
      drawing(...of.map((one) => records[one]))
    ])
  )
