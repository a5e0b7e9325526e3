import { assert, describe, it } from "@effect/vitest"
import { LostSession } from "@mcp-lifeline/protocol"

const clientErrors = [400, 401, 403, 405, 406, 409, 413, 415, 421, 422, 423, 440, 451, 499]
const codes = [-32000, -32001, -32002, -32600, -32602, -32603, -31000, -32769, 0, 1, 404]

const rows: ReadonlyArray<readonly [LostSession.Verdict, Partial<LostSession.Refusal>]> = [
  ...[404, 410].flatMap((status) => [
    // As the specification has it, with the error of a server that has not read the request.
    ["lost", { status }] as const,
    ...codes.map((code) => ["lost", { status, code }] as const),
    ["rejected", { status, isResponse: true }] as const,
    ...codes.map((code) => ["rejected", { status, code, isResponse: true }] as const)
  ]),
  ...clientErrors.flatMap((status) => [undefined, ...codes].map((code) => ["rejected", { status, code }] as const)),
  ...codes.flatMap((code) =>
    [undefined, 500, 503].map((status) => ["answered", { status, code, isResponse: true }] as const)
  ),
  ...[408, 429, 500, 502, 503, 504].map((status) => ["alive", { status }] as const),
  ...[undefined, 400, 404, 500].flatMap((status) => [
    ["alive", { status, code: -32601, isResponse: true }] as const,
    ["alive", { status, code: -32042, isResponse: true }] as const,
    ["alive", { status, code: -32002, isResponse: true, method: "resources/read" }] as const
  ])
]

describe("what a refusal says of the session", () => {
  it("[R7 R12:unit] a bare 404 or 410 that it is lost; a status of 4xx or an error that it may be; no text anything", () => {
    for (const [verdict, refusal] of rows) {
      const whole = { status: undefined, code: undefined, isResponse: false, ...refusal }
      assert.strictEqual(LostSession.verdict(whole), verdict, JSON.stringify(refusal))
    }
  })
})
