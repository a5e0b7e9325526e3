import { Effect, Exit, Redacted, Scope } from "effect"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import { bind } from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const gateway = Effect.fnUntraced(function*(phase: "starting" | "stopping", token?: string) {
  const { listener } = yield* bind(token === undefined ? undefined : Redacted.make(token))
  if (phase === "stopping") {
    const served = yield* Scope.make()
    yield* Scope.extend(listener.serve((_, response) => void response.end()), served)
    yield* Scope.close(served, Exit.void)
  }
  return (path: string, method = "GET", headers: Record<string, string> = {}, body?: string | object) =>
    Effect.promise(async () => {
      const answered = await Raw.send(`${listener.url}${path}`, method, headers, body)
      return { status: answered.status, headers: answered.headers, text: await answered.body }
    })
})

const phases = [
  ["starting", "The gateway is starting", 200],
  ["stopping", "The gateway is shutting down", 503]
] as const

describe.each(phases)("a gateway that is %s", (phase, message, health) => {
  test.scopedLive("[G18] answers each request at /mcp with an error of JSON-RPC under its id, and says when to come back", function*() {
    const ask = yield* gateway(phase)
    const call = { id: "a", method: "tools/call", params: { name: "x" } }
    const large = { ...call, params: { name: "x".repeat(100_000) } }
    const posts: ReadonlyArray<readonly [id: unknown, body: string | object]> = [
      [0, Raw.initialize()],
      ["a", call],
      ["a", large],
      [null, { method: "notifications/initialized" }],
      // It is the server's id, and perhaps one of the client's own, too.
      [null, { id: 7, result: {} }],
      [null, "no JSON"]
    ]
    for (const [id, body] of posts) {
      const { headers, status, text } = yield* ask("/mcp?x=1", "POST", {}, body)
      const refused = { status: 503, jsonrpc: "2.0", error: { code: -32_000, message }, id }
      expect({ status, ...JSON.parse(text) }).toEqual(refused)
      expect(headers).toMatchObject({ "content-type": "application/json", "retry-after": "1" })
    }
    for (const method of ["GET", "DELETE"]) {
      const { status, text } = yield* ask("/mcp", method)
      expect({ status, ...JSON.parse(text) }).toMatchObject({ status: 503, error: { message }, id: null })
    }
  })

  test.scopedLive("[G1] answers probes in the form that they have afterwards, and everything else with 503", function*() {
    const ask = yield* gateway(phase)
    const [alive, ready, page] = yield* Effect.all([ask("/health"), ask("/ready?x"), ask("/")])
    expect([alive.status, JSON.parse(alive.text)]).toEqual([health, { status: phase, backends: {} }])
    expect([ready.status, JSON.parse(ready.text)]).toEqual([503, { ready: false, servers: {}, reason: phase }])
    expect(ready.headers).toMatchObject({ "content-type": "application/json", "retry-after": "1" })
    expect(page).toMatchObject({ status: 503, text: `${message}\n`, headers: { "retry-after": "1" } })
    for (const path of ["/api/status", "/metrics", "/__proto__"]) {
      expect(yield* ask(path)).toMatchObject({ status: 503, text: `${message}\n` })
    }
    expect(yield* ask("/health", "POST")).toMatchObject({ status: 503, text: `${message}\n` })
  })

  test.scopedLive("[G6 G26] tells nobody anything whom it would refuse afterwards, except for probes whether it is up", function*() {
    const ask = yield* gateway(phase, "letmein")
    const token = { Authorization: "Bearer letmein" }
    const probes = [["/health", health, { status: phase }], ["/ready", 503, { ready: false }]] as const
    for (const [path, status, body] of probes) {
      for (const headers of [{}, { Authorization: "Bearer other" }, { Host: "10.1.2.3:7332" }]) {
        const answer = yield* ask(path, "GET", headers)
        expect([answer.status, JSON.parse(answer.text)]).toEqual([status, body])
      }
      expect(yield* ask(path, "POST")).toMatchObject({ status: 401 })
    }
    for (const path of ["/mcp", "/metrics", "/api/status"]) {
      const without = yield* ask(path)
      expect(without).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } })
      expect(yield* ask(path, "POST", { Authorization: "Bearer other" })).toMatchObject({ status: 401 })
      expect(yield* ask(path, "GET", { ...token, Host: "evil.example" })).toMatchObject({ status: 403 })
      expect(yield* ask(path, "GET", { ...token, Origin: "https://evil.example" })).toMatchObject({ status: 403 })
    }
    expect(JSON.parse((yield* ask("/health", "GET", token)).text)).toEqual({ status: phase, backends: {} })
    expect((yield* ask("/mcp", "POST", token, Raw.initialize())).status).toBe(503)
    // The page needs no token, but a name of this machine.
    expect((yield* ask("/")).status).toBe(503)
    expect((yield* ask("/", "GET", { Host: "evil.example" })).status).toBe(403)
  })
})
