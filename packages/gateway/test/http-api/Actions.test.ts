import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Redacted } from "effect"
import { ask } from "../support/Gateway.js"
import * as Served from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const paths = ["call", ...["reconnect", "enable", "disable", "login"].map((what) => `servers/o/${what}`)]

const served = Effect.fnUntraced(function*(token?: string, connector = ScriptedConnector.make()) {
  const options = token === undefined ? {} : { token: Redacted.make(token) }
  const { base, fleet } = yield* Served.pool([{ id: "o", connector }], options)
  const status = (method: string, path: string, headers: Record<string, string> = {}) =>
    Effect.map(
      Served.bare(
        `${base}/api/${path}`,
        method,
        { "Content-Type": "application/json", ...headers },
        "{}"
      ),
      ({ status }) => status
    )
  const isConnected = Effect.flatMap(fleet.backend("o"), (backend) => backend.isConnected)
  return { base, isConnected, status }
})

describe("what changes something over the API", () => {
  test.scopedLive("[G6] [X2:unit] is refused without the header that nobody sends unawares, whatever it is", function*() {
    const { isConnected, status } = yield* served()
    const others = ["PUT", "DELETE", "PATCH", "OPTIONS"].map((method) => [method, "servers/o/disable"] as const)
    for (const [method, path] of [...paths.map((path) => ["POST", path] as const), ...others]) {
      expect([method, path, yield* status(method, path)]).toEqual([method, path, 403])
    }
    expect(yield* isConnected).toBe(true)
    expect(yield* status("GET", "status")).toBe(200)
    expect(yield* status("POST", "servers/o/disable", { "X-Lifeline": "1" })).toBe(200)
    expect(yield* isConnected).toBe(false)
  })

  test.scopedLive("[G6] [X2:unit] needs no such header with the token, and not less than the token", function*() {
    const { isConnected, status } = yield* served("ours")
    for (const path of paths) expect([path, yield* status("POST", path, { "X-Lifeline": "1" })]).toEqual([path, 401])
    expect(yield* isConnected).toBe(true)
    expect(yield* status("POST", "servers/o/disable", { Authorization: "Bearer ours" })).toBe(200)
    expect(yield* isConnected).toBe(false)
  })
})

describe("a call over the API", () => {
  test.scopedLive("[G18] is refused where it is nested too deeply, and where its result is, that is said: it was carried out", function*() {
    const connector = ScriptedConnector.make()
    const nested = (levels: number): object =>
      JSON.parse(`${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`) as object
    let levels = 1
    let carriedOut = 0
    connector.respond = (method) => {
      if (method !== "tools/call") return undefined
      carriedOut++
      return { answer: "result", result: { content: [], structuredContent: nested(levels) } }
    }
    const { base } = yield* served(undefined, connector)
    const call = (args: object) => ask(`${base}/api/call`, "POST", { name: "o__echo", arguments: args })
    // They are the second level of the body.
    expect((yield* call(nested(499))).status).toBe(200)
    const deep = "nested more than 500 levels deep, which is not passed on"
    expect(yield* call(nested(500))).toMatchObject({
      status: 400,
      body: { error: { code: "bad_request", message: expect.stringContaining("nested more than 500 levels deep") } }
    })
    expect(carriedOut).toBe(1)
    levels = 499
    expect((yield* call({})).status).toBe(200)
    levels = 500
    expect(yield* call({})).toEqual({
      status: 502,
      body: { error: { code: "server_error", message: `the call was carried out, and its result is ${deep}` } }
    })
  })
})
