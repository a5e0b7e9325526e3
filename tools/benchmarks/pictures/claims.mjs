/**
 * What pages say about figures in words of their own: sentences that the next measurement could make wrong. A page has each of them word for word.
 */
import { partOf } from "./records.mjs"

/** @typedef {import("./records.mjs").Part} Part */
/** @typedef {import("./timeline.mjs").Series} Series */

/**
 * @typedef {object} Claim
 * @property {string} page
 * @property {string} says in one line
 * @property {ReadonlyArray<string>} of the parts of benchmarks that show it
 * @property {(...parts: ReadonlyArray<Part>) => boolean} holds
 */

const clients = { alone: "official Client", renewed: "official, new Client on error", lifeline: "Lifeline" }

/** A figure of a client in a timeline; of a text, such as "never", not a number. @param {Part | undefined} part @param {keyof typeof clients} client @param {string} column */
const figure = (part, client, column) =>
  Number(part?.rows.find(({ name }) => name === clients[client])?.figures[column] ?? Number.NaN)

/** @param {Part | undefined} part @param {keyof typeof clients} client */
const back = (part, client) => figure(part, client, "first good call ms")

/** A time in words, as `8.1 s, 3 lost`. @param {unknown} words */
const seconds = (words) => Number(/^([\d.]+) s/.exec(String(words))?.[1] ?? Number.NaN)

/** Calls that were not answered. @param {Part | undefined} part @param {keyof typeof clients} client */
const lost = (part, client) => figure(part, client, "calls") - figure(part, client, "good")

/** A figure that a benchmark states by itself, in a row of its own. @param {Part | undefined} part @param {string} row */
const measured = (part, row) => Number(part?.rows.find(({ name }) => name === row)?.figures["measured"] ?? Number.NaN)

/** @param {Part | undefined} part */
const seriesOf = (part) => /** @type {Series} */ (part?.series)

/** The memory of serve. @param {Part | undefined} growth @param {(servers: number, clients: number) => boolean} is */
const memories = (growth, is) =>
  (growth?.rows ?? []).filter(({ figures, name }) =>
    name.startsWith("Lifeline:") && is(Number(figures["servers"]), Number(figures["clients"]))
  ).map(({ figures }) => Number(figures["RSS MB"]))

/** @param {ReadonlyArray<number>} values */
const grows = (values) => values.length > 1 && (values.at(-1) ?? 0) > (values[0] ?? 0)

const benchmarks = "docs/benchmarks.md"
const comparison = "docs/comparison.md"
const readme = "README.md"
const sizing = "docs/operations/sizing.md"

/** @type {ReadonlyArray<Claim>} */
export const claims = [
  {
    page: comparison,
    says: "[In our recording](benchmarks.md#the-server-crashes), calls succeed again within two seconds",
    of: ["timeline/crash"],
    holds: (crash) => back(crash, "lifeline") < 2000
  },
  {
    page: comparison,
    says:
      "[In our recording](benchmarks.md#the-server-is-wedged), Lifeline is back sooner than a client that is replaced after an error",
    of: ["timeline/wedged"],
    holds: (wedged) => back(wedged, "lifeline") < back(wedged, "renewed")
  },
  {
    page: readme,
    says: "adds less than a millisecond to a call over stdio.",
    of: ["wrap"],
    holds: (wrap) => measured(wrap, "a call, longer than direct by (ms)") < 1
  },
  {
    page: readme,
    says: "A call through the library takes about as long as one through the official Client, or less.",
    of: ["call"],
    holds: (call) => (call?.rows ?? []).every(({ figures }) => Number(figures["ratio"]) < 1.15)
  },
  {
    page: benchmarks,
    says: "After three seconds the server is killed, or stopped so that it no longer answers, or its network is gone.",
    of: ["timeline/crash", "timeline/wedged", "timeline/network"],
    holds: (...parts) => parts.every((part) => Math.floor(seriesOf(part).faultAt / 1000) === 3)
  },
  {
    page: benchmarks,
    says: "All calls that fail with Lifeline in the first and the third fault have an effect.",
    of: ["timeline/crash", "timeline/network"],
    holds: (...parts) =>
      parts.every((part) =>
        (seriesOf(part).calls[clients.lifeline] ?? []).every(([, , outcome, tool]) =>
          outcome === "good" || tool === "write"
        )
      )
  },
  {
    page: benchmarks,
    says: "The official Client does not come back. The other two do; with Lifeline, fewer calls are lost.",
    of: ["timeline/crash"],
    holds: (crash) =>
      Number.isNaN(back(crash, "alone")) && back(crash, "renewed") > 0 && back(crash, "lifeline") > 0 &&
      lost(crash, "lifeline") < lost(crash, "renewed")
  },
  {
    page: benchmarks,
    says: "Here Lifeline is back first, and loses the fewest calls.",
    of: ["timeline/wedged"],
    holds: (wedged) =>
      back(wedged, "lifeline") < back(wedged, "renewed") && lost(wedged, "lifeline") < lost(wedged, "renewed")
  },
  {
    page: benchmarks,
    says:
      "The official Client recovers from this without help: its session is still there. But calls made meanwhile fail. With Lifeline they wait, and its first good call comes later.",
    of: ["timeline/network"],
    holds: (network) =>
      back(network, "alone") > 0 && figure(network, "alone", "failed") > 0 &&
      lost(network, "lifeline") < lost(network, "alone") && back(network, "lifeline") > back(network, "alone")
  },
  {
    page: comparison,
    says:
      "[over half a minute, where a new Client after each error takes about 20 s](benchmarks.md#is-a-silent-server-dead)",
    of: ["liveness/replaced"],
    holds: (replaced) => {
      const figures = replaced?.rows.find(({ name }) => name.includes("in its first call"))?.figures ?? {}
      return seconds(figures["connect"]) > 30 && seconds(figures["official, new Client on error"]) < 25
    }
  },
  {
    page: comparison,
    says:
      "A call through the library takes [about as long as one through the official Client, or less](benchmarks.md#in-a-program).",
    of: ["call"],
    holds: (call) => (call?.rows ?? []).every(({ figures }) => Number(figures["ratio"]) < 1.15)
  },
  {
    page: comparison,
    says:
      "[Measured](benchmarks.md#what-happens-when-something-fails), it loses more calls than Lifeline when a server crashes or hangs,",
    of: ["timeline/crash", "timeline/wedged"],
    holds: (...parts) => parts.every((part) => lost(part, "lifeline") < lost(part, "renewed"))
  },
  {
    page: benchmarks,
    says: "Lifeline ended none of the servers of the first table.",
    of: ["liveness/kept"],
    holds: (kept) =>
      (kept?.rows ?? []).every(({ figures }) =>
        ["connect", "supervisedTransport", "wrap", "serve"].every((door) => figures[door] === "kept")
      )
  },
  {
    page: comparison,
    says:
      "When the server was killed, none of the other gateways that we [measured](benchmarks.md#with-serve-beside-other-gateways) had a good call again before the test ended.",
    of: ["gateways/calls"],
    holds: (calls) =>
      (calls?.rows ?? []).flatMap(({ figures, name }) => {
        const killed = figures["killed"]
        return killed === undefined || name === "Lifeline" || name === "a bare relay" ? [] : [String(killed)]
      }).every((killed) => killed.startsWith("no good call"))
  },
  {
    page: comparison,
    says:
      "[`wrap` is one more Node.js process, with less than twice the memory of a bare one](benchmarks.md#with-wrap).",
    of: ["wrap"],
    holds: (wrap) => measured(wrap, "memory once connected, against a bare Node.js (ratio)") < 2
  },
  {
    page: comparison,
    says: "[Over stdio, `wrap` adds less than a millisecond to a call](benchmarks.md#with-wrap).",
    of: ["wrap"],
    holds: (wrap) => measured(wrap, "a call, longer than direct by (ms)") < 1
  },
  {
    page: sizing,
    says: "With up to 50 servers and 100 clients, the gateway itself needs less than 150 MB.",
    of: ["gateways/growth"],
    holds: (growth) => memories(growth, (servers, clients) => servers <= 50 && clients <= 100).every((mb) => mb < 150)
  },
  {
    page: sizing,
    says: "For a call of one of 100 clients, the gateway needs less than 1 ms of processor time.",
    of: ["gateways/growth"],
    holds: (growth) =>
      (growth?.rows ?? []).filter(({ figures, name }) =>
        name.startsWith("Lifeline:") && Number(figures["clients"]) === 100
      )
        .every(({ figures }) => Number(figures["CPU ms a call"]) < 1)
  },
  {
    page: sizing,
    says: "A gateway needs some memory for itself, and more for each server and each session.",
    of: ["gateways/growth"],
    holds: (growth) =>
      grows(memories(growth, (_, clients) => clients === 1)) && grows(memories(growth, (servers) => servers === 1))
  }
]

/**
 * The claims that the figures do not show, or that no page makes any more; one text each.
 *
 * @param {import("./records.mjs").Records} records
 * @param {(page: string) => string} textOf
 */
export const broken = (records, textOf) =>
  claims.flatMap(({ holds, of, page, says }) => {
    if (!textOf(page).replaceAll(/\s+/g, " ").includes(says)) {
      return [`${page} does not say "${says}": correct tools/benchmarks/pictures/claims.mjs, too`]
    }
    const parts = of.map((name) => partOf(records, name))
    return parts.every((part) => part !== undefined) && !holds(...parts)
      ? [`${page} says "${says}", which the figures do not show`]
      : []
  })
