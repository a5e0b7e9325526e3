import { anyone } from "@mcp-lifeline/http-server/Caller"
import { ClientRequest } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import * as fc from "fast-check"
import { audited } from "../../src/audit/audited.js"
import type { AuditLine } from "../../src/audit/AuditLine.js"
import { digest } from "../../src/audit/canonical.js"
import { recorder } from "../support/AuditLines.js"
import * as RawServer from "../support/RawServer.js"
import { talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const eras = [["with sessions", false], ["without", true]] as const

/** Whether a line can only be of this name. */
const expectNames = (line: AuditLine, name: unknown): void => {
  if (line.toolHash === undefined) expect(line.tool).toBe(name ?? "")
  else expect(line.toolHash).toBe(digest(name))
}

const uris = [
  "docs://payroll",
  "docs://x?token=payroll/2026",
  "docs://x?api_key=a&n=1",
  "docs://user:payroll@host/x",
  "docs://Bearer payroll-of-2026",
  "docs://x/password=payroll",
  `docs://public/${"./".repeat(400)}../payroll`,
  `docs://${"a".repeat(492)}/payroll`,
  "docs://x?token=[masked]",
  "docs://\u202Epayroll"
]

const odd = [
  {},
  { name: "docs://readme" },
  { name: "" },
  { name: null },
  { name: { uri: "docs://readme" } },
  { uriTemplate: "docs://readme" },
  { arguments: { uri: "docs://readme" } }
]

describe.each(eras)("a client in the era %s", (_, isStateless) => {
  test.scopedLive("[G23] a line names the resource that the server was asked for, beside any other parameter", function*() {
    const { audit, lines } = yield* recorder(true)
    const read: Array<string> = []
    const server = RawServer.make("s", ({ method, params }) => {
      const resourceTemplates = [{ uriTemplate: "docs://{+path}", name: "any" }]
      if (method === "initialize") return { ...RawServer.usual[method]!(params), capabilities: { resources: {} } }
      if (method === "resources/list") return { resources: [{ uri: "docs://readme", name: "readme" }] }
      if (method === "resources/templates/list") return { resourceTemplates }
      if (method !== "resources/read") return undefined
      read.push(params.uri)
      return { contents: [{ uri: params.uri, text: "x" }] }
    })
    const { url } = yield* team([server], { ci: { servers: ["s"] } }, { audit })
    const ci = yield* talking(url, "ci-token", { isStateless })
    for (const uri of uris) {
      for (const extra of odd) yield* Effect.promise(() => ci.result("resources/read", { ...extra, uri }))
    }
    const found = lines()
    expect(read).toEqual(uris.flatMap((uri) => odd.map(() => uri)))
    expect(found).toHaveLength(read.length)
    for (const [i, line] of found.entries()) expectNames(line, read[i])
    const long = found.filter((_, i) => read[i]!.length > 500)
    for (const line of long) expect(line.tool).toMatch(/\[cut: \d+ characters]$/)
  })
})

describe("any door", () => {
  test.scopedLive("[G23] property: what was sent, of whatever type, is what the line says, and it is one that only it can have", function*() {
    const { audit, lines } = yield* recorder(true)
    const text = fc.oneof(fc.constantFrom(...uris), fc.string({ unit: "binary" }), fc.constant("x".repeat(501)))
    const json = fc.jsonValue({ maxDepth: 2 })
    const fields = { name: fc.oneof(text, json), uri: fc.oneof(text, json), arguments: json }
    const params = fc.record(fields, { requiredKeys: [] })
    const keys = { "tools/call": "name", "prompts/get": "name", "resources/read": "uri" } as const
    const sent: Array<unknown> = []
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(keys) as Array<keyof typeof keys>),
        params,
        fc.boolean(),
        (method, params, isSent) => {
          const call = audit.begin({ door: "mcp", caller: anyone, method, params })
          if (isSent) {
            call.sent(1)
            call.sentAs("s", params)
          } else call.found("s")
          sent.push(params[keys[method]])
          call.ended({ outcome: "ok", fate: "answered" }, () => undefined)
        }
      ),
      { numRuns: 500 }
    )
    yield* Effect.async<void>((resume) => {
      audit.begin({ door: "mcp", caller: anyone, method: "tools/call", params: { name: "last" } })
        .ended({ outcome: "ok", fate: "answered" }, () => resume(Effect.void))
    })
    const found = lines()
    expect(found).toHaveLength(sent.length + 1)
    for (const [i, name] of sent.entries()) expectNames(found[i]!, name)
  })

  test.scopedLive("[G23] a name that was not sent is the one that the request has", function*() {
    const { audit, lines } = yield* recorder(true)
    const step = audited(audit, {
      who: () => ({ caller: anyone, introduced: undefined }),
      named: () => ({ server: "s", isHidden: false })
    })
    const given = [{ uri: "docs://a", name: "b" }, { uri: ["docs://a"], name: "b" }, { uri: 5 }, { name: "b" }]
    for (const params of given) {
      yield* Effect.promise(() =>
        new Promise<void>((resolve) => {
          const request = new ClientRequest(
            { jsonrpc: "2.0", id: 1, method: "resources/read", params } as never,
            { say: () => undefined, answer: () => resolve() },
            () => undefined
          )
          step((request) => request.answer({ error: { code: -32602, message: "no" } }))(request)
        })
      )
    }
    expect(lines()).toMatchObject([
      { server: "s", tool: "docs://a" },
      { server: "s", tool: '["docs://a"]', toolHash: digest(["docs://a"]) },
      { server: "s", tool: "5", toolHash: digest(5) },
      { server: "s", tool: "" }
    ])
  })
})
