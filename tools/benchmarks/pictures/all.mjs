/**
 * The pictures, by name, and the figures that each shows.
 */
import { whence } from "./caption.mjs"
import { lines } from "./lines.mjs"
import { inWords, ranges } from "./ranges.mjs"
import { partOf } from "./records.mjs"
import { timeline } from "./timeline.mjs"

/** @typedef {import("./records.mjs").Part} Part */
/** @typedef {import("./records.mjs").Records} Records */
/** @typedef {import("../common.mjs").Row} Row */

/** @param {Row} row @param {string} column */
const number = ({ figures }, column) => Number(figures[column] ?? Number.NaN)

/** @param {Row} row */
const isOurs = ({ name }) => /^(Lifeline|wrap)\b|: (connect|core)\b/.test(name)

/** @param {Row} row @param {string} name @param {string} middle @param {string} unit @param {number} each so many of the unit are a millisecond */
const range = (row, name, middle, unit, each) => ({
  name,
  isOurs: isOurs(row),
  p10: number(row, `p10 ${unit}`) / each,
  p50: number(row, middle) / each,
  p90: number(row, `p90 ${unit}`) / each,
  p99: number(row, `p99 ${unit}`) / each
})

/** @param {Part} call */
const library = ({ rows, run }) => {
  const servers = {
    memory: "A server in the same process",
    stdio: "A small server over stdio",
    http: "A small server over HTTP"
  }
  return ranges({
    title: "How long a call through the library takes",
    panels: Object.entries(servers).map(([over, title]) => {
      const mine = rows.filter(({ name }) => name.startsWith(`${over}: `)).map((row) =>
        range(row, row.name.slice(over.length + 2), "median us", "us", 1000)
      )
      const ratio = rows.find(({ name }) => name === `${over}: connect`)?.figures["ratio"]
      return { title, finding: `connect takes ${ratio} times as long as the official Client`, rows: mine }
    }),
    caption: ["One call after the other, in turns, block by block.", whence(run)]
  })
}

/** @param {Part} wrap @param {Part} gateways */
const programs = (wrap, gateways) => {
  const [program, gateway] = [wrap, gateways].map(({ rows }) => rows.filter(({ figures }) => "p99 ms" in figures))
  const longer = wrap.rows.find(({ name }) => name.startsWith("a call, longer than direct"))
    ?.figures["measured"]
  const relayed = (gateway ?? []).map((row) => range(row, row.name, "p50 ms", "ms", 1))
  const [first, second] = relayed.filter(({ name }) => !/^(the server|a bare)/.test(name)).toSorted((a, b) =>
    a.p50 - b.p50
  )
  return ranges({
    title: "How long a call takes with a program in between",
    panels: [
      {
        title: "wrap, and mcp-remote: the first four at a server over stdio, the others at a URL",
        finding: `wrap makes a call over stdio ${Number(longer) < 0 ? "no" : `${longer} ms`} longer`,
        rows: (program ?? []).map((row) => range(row, row.name, "call ms", "ms", 1))
      },
      {
        title: "Gateways in front of a server over stdio",
        finding: `The fastest: ${first?.name} with ${inWords(first?.p50 ?? 0)}, then ${second?.name} with ${
          inWords(second?.p50 ?? 0)
        }`,
        rows: relayed
      }
    ],
    caption: [
      "One call after the other, by a client that costs little.",
      `wrap: ${whence(wrap.run)}`,
      `gateways: ${whence(gateways.run)}`
    ]
  })
}

/**
 * A line for each gateway, from rows such as "Lifeline: servers 10, clients 1".
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
      name,
      isOurs: name === "Lifeline",
      points: mine.map((row) => /** @type {const} */ ([number(row, x), number(row, y)]))
    }
  })
}

/**
 * The first two at the highest x: who they are, and what they have.
 *
 * @param {ReadonlyArray<import("./lines.mjs").Line>} lines
 * @param {"most" | "least"} which
 * @param {string} unit
 */
const winners = (lines, which, unit) => {
  const at = Math.max(...lines.flatMap(({ points }) => points.map(([x]) => x)))
  const ends = lines.flatMap(({ name, points }) => points.filter(([x]) => x === at).map(([, y]) => ({ name, y })))
  const said = ends.toSorted((a, b) => which === "most" ? b.y - a.y : a.y - b.y).slice(0, 2).map(({ name, y }) =>
    `${name.split(" ")[0]} ${y.toLocaleString("en-US")}${unit}`
  )
  return { at, said: said.join(", then ") }
}

/** @param {Part} growth */
const throughput = ({ rows, run }) => {
  const most = Math.max(...rows.map((row) => number(row, "servers")))
  return lines({
    title: "Calls a second through gateways, by number of clients",
    panels: [1, most].map((servers) => {
      const lines = byGateway(rows.filter((row) => number(row, "servers") === servers), "clients", "calls/s")
      const { at, said } = winners(lines, "most", "")
      return {
        title: `In front of ${servers === 1 ? "one server" : `${servers} servers`}`,
        finding: `With ${at} clients: ${said}`,
        x: "clients",
        y: "calls a second",
        scale: /** @type {const} */ ("value"),
        lines
      }
    }),
    caption: [
      "Each client calls without a pause. Clients, gateway and servers share the machine, so this is less than a gateway alone could do.",
      whence(run)
    ]
  })
}

/** @param {Part} growth @param {Part} scale */
const memory = (growth, scale) => {
  const beside = byGateway(growth.rows.filter((row) => number(row, "clients") === 1), "servers", "RSS MB")
  const least = winners(beside, "least", " MB")
  const many = [1, 100].map((clients) => ({
    name: clients === 1 ? "1 client" : `${clients} clients`,
    isOurs: true,
    points: scale.rows.flatMap((row) => {
      const [, servers, of] = /^(\d+) servers?, (\d+) clients?$/.exec(row.name) ?? []
      return Number(of) === clients ? [/** @type {const} */ ([Number(servers), number(row, "RSS MB")])] : []
    })
  }))
  const [most, MB] = many[0]?.points.at(-1) ?? [0, 0]
  return lines({
    title: "Memory of a gateway, by number of servers",
    panels: [
      {
        title: "Beside others, with one client",
        finding: `With ${least.at} servers: ${least.said}`,
        x: "servers over stdio",
        y: "MB, without the servers' own",
        scale: "value",
        lines: beside
      },
      {
        title: "serve, with many servers",
        finding: `${most.toLocaleString("en-US")} servers, one client: ${MB.toLocaleString("en-US")} MB`,
        x: "servers over HTTP",
        y: "MB, logarithmic",
        scale: "log",
        lines: many
      }
    ],
    caption: [`Left: ${whence(growth.run)}`, `Right: ${whence(scale.run)}`]
  })
}

/**
 * Each picture, with the parts of benchmarks that have to be there.
 *
 * @type {Readonly<Record<string, { readonly of: ReadonlyArray<string>, readonly drawing: (...of: ReadonlyArray<any>) => import("./chart.mjs").Drawing }>>}
 */
export const pictures = {
  timeline: {
    of: ["timeline/crash", "timeline/wedged", "timeline/network"],
    drawing: (...parts) => timeline(parts)
  },
  library: { of: ["call"], drawing: library },
  programs: { of: ["wrap", "gateways/calls"], drawing: programs },
  throughput: { of: ["gateways/growth"], drawing: throughput },
  memory: { of: ["gateways/growth", "scale"], drawing: memory }
}

/** The drawings for which there are figures. @param {Records} records @returns {Readonly<Record<string, import("./chart.mjs").Drawing>>} */
export const drawings = (records) =>
  Object.fromEntries(
    Object.entries(pictures).flatMap(([name, { drawing, of }]) => {
      const parts = of.map((one) => partOf(records, one))
      return parts.every((part) => part !== undefined) ? [[name, drawing(...parts)]] : []
    })
  )
