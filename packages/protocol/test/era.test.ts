import { assert, describe, it } from "@effect/vitest"
import { ConnectReason } from "@mcp-lifeline/core"
import { Era } from "@mcp-lifeline/protocol"

type Row = readonly [source: string, outcome: Era.Outcome, http: Era.Verdict["_tag"], stdio: Era.Verdict["_tag"]]

const discovered = { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: {} }
const result = (fields: Record<string, unknown>): Era.Outcome => ({ _tag: "Result", result: fields })
const error = (code: number, data?: unknown): Era.Outcome => ({ _tag: "Error", code, data })
const failed = (reason: Extract<Era.Outcome, { readonly _tag: "Failed" }>["reason"]): Era.Outcome => ({
  _tag: "Failed",
  reason
})

/** Where a row names a package, its servers were asked, or its client's own table says the same. */
const rows: ReadonlyArray<Row> = [
  // Those that answer.
  ["@modelcontextprotocol/server 2.4.0", result(discovered), "Stateless", "Stateless"],
  [
    "a server of several revisions",
    result({ ...discovered, supportedVersions: ["2027-01-01", "2026-07-28", "2025-11-25"] }),
    "Stateless",
    "Stateless"
  ],
  ["client 2.4.0: a result of another shape", result({}), "Sessions", "Sessions"],
  [
    "supportedVersions is no list",
    result({ supportedVersions: "2026-07-28", capabilities: {} }),
    "Sessions",
    "Sessions"
  ],
  ["no capabilities", result({ supportedVersions: ["2026-07-28"] }), "Sessions", "Sessions"],
  [
    "client 2.4.0: no common version, but older ones",
    result({ ...discovered, supportedVersions: ["2027-01-01", "2025-11-25"] }),
    "Sessions",
    "Sessions"
  ],
  ["only later ones", result({ ...discovered, supportedVersions: ["2027-01-01"] }), "Unsupported", "Unsupported"],

  // Those that refuse in JSON-RPC.
  ["server-everything 2026.8.31, HTTP: 400 Server not initialized", error(-32000), "Sessions", "Sessions"],
  ["server-everything 2026.8.31, stdio", error(-32601), "Sessions", "Sessions"],
  ["client 2.4.0: the code of a lost session", error(-32001), "Sessions", "Sessions"],
  ["client 2.4.0: HeaderMismatch", error(-32020), "Sessions", "Sessions"],
  ["client 2.4.0: MissingRequiredClientCapability", error(-32021), "Sessions", "Sessions"],
  ["Python SDK: Invalid request parameters", error(-32602), "Sessions", "Sessions"],
  ["client 2.4.0: -32022 without a list", error(-32022), "Sessions", "Sessions"],
  ["client 2.4.0: only older revisions", error(-32022, { supported: ["2025-11-25"] }), "Sessions", "Sessions"],
  ["a later revision", error(-32022, { supported: ["2027-01-01"] }), "Unsupported", "Unsupported"],
  // The SDK's client fails here; an older revision is one that can be spoken.
  ["later and older", error(-32022, { supported: ["2027-01-01", "2025-11-25"] }), "Sessions", "Sessions"],
  ["it refuses what it supports", error(-32022, { supported: ["2026-07-28"] }), "None", "None"],
  ["a revision that is no date", error(-32022, { supported: ["next"] }), "Unsupported", "Unsupported"],

  // Those that do not answer in JSON-RPC.
  ["client 2.4.0: 404, 410", failed("notFound"), "Sessions", "Sessions"],
  ["client 2.4.0: any other 4xx; a success that is not JSON-RPC", failed("protocol"), "Sessions", "Sessions"],
  ["client 2.4.0: 401", failed("unauthorized"), "None", "None"],
  ["client 2.4.0: 403", failed("forbidden"), "None", "None"],
  ["429, where the SDK's client has a verdict", failed("rateLimited"), "None", "None"],
  ["client 2.4.0: 5xx", failed("server"), "None", "None"],
  ["client 2.4.0: no answer in time", failed("timeout"), "None", "Sessions"],
  ["client 2.4.0: closed during the question", failed("closed"), "None", "Sessions"],
  ["client 2.4.0: the network fails", failed("refused"), "None", "None"],
  ["no route", failed("unreachable"), "None", "None"],
  ["TLS", failed("tls"), "None", "None"],
  ["a redirect that is not followed", failed("redirect"), "None", "None"],
  ["no such command", failed("spawn"), "None", "None"]
]

describe("Era", () => {
  it("[E1:virtual] reads the era off what comes of server/discover", () => {
    for (const [source, outcome, http, stdio] of rows) {
      assert.strictEqual(Era.verdict(outcome, "http")._tag, http, `${source}, over HTTP`)
      assert.strictEqual(Era.verdict(outcome, "stdio")._tag, stdio, `${source}, over stdio`)
    }
  })

  it("[E1:virtual] hands on what the server says of itself, and which revisions it speaks", () => {
    assert.deepStrictEqual(Era.verdict(result(discovered), "http"), { _tag: "Stateless", discovered })
    assert.deepStrictEqual(Era.verdict(error(-32022, { supported: ["2027-01-01", 7] }), "http"), {
      _tag: "Unsupported",
      versions: ["2027-01-01"]
    })
  })

  it("[E1:virtual] only an HTTP status that refuses, or an answer that is no JSON-RPC, is a verdict without an answer", () => {
    const verdicts = ConnectReason.literals.filter((reason) => Era.verdict(failed(reason), "http")._tag !== "None")
    assert.deepStrictEqual([...verdicts], ["notFound", "protocol"])
  })
})
