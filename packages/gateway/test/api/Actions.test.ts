import { describe, expect, it } from "@effect/vitest"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Redacted } from "effect"
import { Endpoint, Servers } from "mcp-lifeline"
import * as Gateway from "../../src/api/Gateway.js"
import * as Served from "../support/Served.js"

const paths = ["call", ...["reconnect", "enable", "disable", "login"].map((what) => `servers/o/${what}`)]

/** A gateway in this process; asked with a method for a path, it gives the status. */
const served = (token?: string) =>
  Effect.gen(function*() {
    const connector = ScriptedConnector.make()
    const servers = yield* Servers.make([{ id: "o", connector, keepalive: { method: "none" } }])
    const about = yield* Gateway.about(servers.fleet)
    const { url } = yield* Endpoint.serve({
      ...yield* Served.bind(token === undefined ? undefined : Redacted.make(token)),
      servers,
      about,
      patience: 0,
      drain: 0
    })
    yield* servers.fleet.ready
    const status = (method: string, path: string, headers: Record<string, string> = {}) =>
      Effect.map(
        Served.bare(
          `${new URL(url).origin}/api/${path}`,
          method,
          { "Content-Type": "application/json", ...headers },
          "{}"
        ),
        ({ status }) => status
      )
    const isConnected = Effect.flatMap(servers.fleet.backend("o"), (backend) => backend.isConnected)
    return { isConnected, status }
  })

describe("what changes something over the API", () => {
  it.scopedLive("[G6] [X2:unit] is refused without the header that nobody sends unawares, whatever it is", () =>
    Effect.gen(function*() {
      const { isConnected, status } = yield* served()
      const others = ["PUT", "DELETE", "PATCH", "OPTIONS"].map((method) => [method, "servers/o/disable"] as const)
      for (const [method, path] of [...paths.map((path) => ["POST", path] as const), ...others]) {
        expect([method, path, yield* status(method, path)]).toEqual([method, path, 403])
      }
      expect(yield* isConnected).toBe(true)
      expect(yield* status("GET", "status")).toBe(200)
      expect(yield* status("POST", "servers/o/disable", { "X-Lifeline": "1" })).toBe(200)
      expect(yield* isConnected).toBe(false)
    }))

  it.scopedLive("[G6] [X2:unit] needs no such header with the token, and not less than the token", () =>
    Effect.gen(function*() {
      const { isConnected, status } = yield* served("ours")
      for (const path of paths) expect([path, yield* status("POST", path, { "X-Lifeline": "1" })]).toEqual([path, 401])
      expect(yield* isConnected).toBe(true)
      expect(yield* status("POST", "servers/o/disable", { Authorization: "Bearer ours" })).toBe(200)
      expect(yield* isConnected).toBe(false)
    }))
})
