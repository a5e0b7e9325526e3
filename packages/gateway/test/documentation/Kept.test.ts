import { subscriptionLimits } from "@mcp-lifeline/http-server"
import type { Limits } from "@mcp-lifeline/protocol"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { largestList, longestKey } from "../../../core/src/catalog/Kind.js"
import * as parked from "../../../http-server/src/eras/parkedLimits.js"
import { pageRoom } from "../../../http-server/src/SubscriptionPages.js"
import * as Unread from "../../../http-server/src/Unread.js"
import { maxArriving } from "../../../protocol/src/Arrivals.js"
import * as relay from "../../../protocol/src/relay/relayLimits.js"
import { defaults as http } from "../../../transport-http/src/HttpOptions.js"
import { unreadLimits } from "../../../transport-stdio/src/StdinQueue.js"

const root = new URL("../../../../", import.meta.url)
const page = readFileSync(new URL("SECURITY.md", root), "utf8").replace(/.*^## What is kept for others$/ms, "")

const rows = new Map(
  [...page.matchAll(/^\| ([^|\n]+) \|(.*)\|$/gm)].map(([, what = "", cells = ""]) => [what, cells.split("|")])
)

const figuresIn = (cell: string): ReadonlyArray<number> =>
  [...cell.matchAll(/(\d[\d,]*)(?: (KiB|MiB))?/g)].map(([, number = "", unit]) =>
    Number(number.replaceAll(",", "")) * (unit === "MiB" ? 1024 * 1024 : unit === "KiB" ? 1024 : 1)
  )

const factors: Readonly<Record<string, number>> = { kibibytes: 1024, mebibytes: 1024 * 1024 }

/** The value of a constant that is not exported: `name = 1000`, `name: 24 * 3600`, or `name = mebibytes(16)`. */
const constant = (file: string, name: string): number => {
  const text = readFileSync(new URL(`packages/${file}.ts`, root), "utf8")
  const [, unit = "", expression = ""] = new RegExp(`\\b${name}(?: =|:) (\\w+(?=\\())?\\(?([\\d_* ]+)`).exec(text) ?? []
  return expression.split("*").reduce((product, one) => product * Number(one.replaceAll("_", "")), factors[unit] ?? 1)
}

const constants = (file: string, ...names: ReadonlyArray<string>) => names.map((name) => constant(file, name))

/** Of each item, of one holder, and of all together. */
const limits = ({ all, holder }: Limits) => [holder.item, holder.count, holder.bytes, all.count, all.bytes]

const endpoint = (name: string) => constant("http-server/src/McpEndpoint", name)
const sessions = (name: string) => constant("http-server/src/ClientSessions", name)
const own = endpoint("maxOwnServers")
const records = (name: string) => constant("http-server/src/SessionRecords", name)

const expected: Readonly<Record<string, ReadonlyArray<number>>> = {
  "bodies on their way": [endpoint("maxBodyBytes"), endpoint("maxBodiesBytes"), 413, 503],
  "requests without an answer": [...["maxBodyBytes", "maxCalls", "maxOpenCalls", "maxOpenBytes"].map(endpoint), 429],
  "answers that are not read": [http.maxMessageBytes, Unread.defaults.bytes],
  "events for clients that come back": [
    constant("http-server/src/SseWriter", "maxBytes"),
    constant("http-server/src/ClientSession", "maxStreams"),
    endpoint("maxKeptBytes")
  ],
  "sessions in memory, with `initialize`": [sessions("maxInitializeBytes"), endpoint("maxSessions")],
  "conversations of clients without a session that have servers of their own": [
    sessions("maxInitializeBytes"),
    sessions("idleWithServers") / 60_000,
    endpoint("maxSessions")
  ],
  "records of sessions": [pageRoom.chars, records("maxSessions"), records("maxChars")],
  subscriptions: limits(subscriptionLimits),
  "streams of changes": [constant("http-server/src/eras/ChangeStreams", "maxStreams"), 2 * endpoint("maxCalls"), 429],
  "calls whose clients are asked for input": [
    endpoint("maxBodyBytes"),
    constant("http-server/src/eras/ParkedCalls", "parkedTime") / 60_000,
    parked.parkedLimits.count,
    parked.parkedLimits.bytes
  ],
  "questions for these, until the client comes back": limits(parked.questionLimits),
  "answers that come before these clients": [
    parked.earlyLimits.holder.item,
    parked.earlyLimits.holder.bytes,
    parked.earlyLimits.all.bytes
  ],
  "requests of servers to clients": [relay.questionLimits.holder.count, relay.questionLimits.all.count],
  "messages before `initialized`": limits(relay.heldLimits),
  "ids of tasks": [32, constant("gateway/src/clients/TaskIds", "maxKnown"), endpoint("maxSessions")],
  "names in metrics": constants("opentelemetry/src/BoundedNames", "longest", "atMost"),
  "rates of calls": [],
  "logins that are passed on in a cluster": [constant("gateway/src/sign-in/LoginPages", "maxPassed"), 503],
  "connections of a browser that logs in": [constant("sign-in/src/RedirectListener", "maxConnections")],
  "messages that arrive": [http.maxMessageBytes, http.maxSockets, maxArriving],
  lists: [longestKey.tools, largestList, own],
  "what `wrap` remembers of lists": [constant("protocol/src/relay/ListWatch", "maxPages"), largestList],
  "what is known of servers, on disk": constants("gateway/src/cache/ServerCache", "maxLength", "maxFiles"),
  pins: [largestList, constant("state/src/ToolPins", "maxFiles")],
  "what does not leave, besides requests": [unreadLimits.count, unreadLimits.bytes, own],
  "introductions of servers for single clients": constants("gateway/src/pool/OwnIntroductions", "longest", "maxOwners"),
  "changes of state": [constant("gateway/src/http-api/History", "maxChanges")],
  "log lines": [constant("gateway/src/log/EventLog", "maxLines")],
  "processes to be ended after a crash": constants("state/src/ProcessRecords", "maxSize", "maxRecords")
}

describe("what is kept for others", () => {
  it.each(Object.entries(expected))("[X5 DX] %s has the limits that the page says", (what, figures) => {
    expect((rows.get(what) ?? []).flatMap(figuresIn)).toEqual(figures)
  })

  it("[X5 DX] is on the page as far as this knows it, and nothing else", () => {
    const kept = [...rows.keys()].filter((one) => !one.startsWith("kept of ") && !one.startsWith("-"))
    expect(kept).toEqual(Object.keys(expected))
  })
})
