import { Effect, Logger, Redacted } from "effect"
import type { BlockList } from "node:net"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Arrival from "../src/Arrival.js"
import * as Authentication from "../src/Authentication.js"
import * as Caller from "../src/Caller.js"
import * as Listener from "../src/Listener.js"
import * as PublicUrl from "../src/PublicUrl.js"
import * as TrustedProxies from "../src/TrustedProxies.js"
import { raw, statusOf } from "./support/raw.js"

const authentication = Authentication.byToken(() => [{ caller: Caller.anyone, tokens: [Redacted.make("t")] }])

describe("a listener behind a proxy", () => {
  const publicUrl = PublicUrl.parse("https://mcp.example.com/base") as PublicUrl.PublicUrl
  const trustedProxies = TrustedProxies.parse("127.0.0.1") as BlockList

  const echoing = (options: Partial<Listener.Options>) =>
    Effect.gen(function*() {
      const listener = yield* Listener.listen({ host: "127.0.0.1", port: 0, ...options })
      yield* listener.serve((request, response, path) =>
        void response.end(
          `\n${path} ${request.url} ${Arrival.of(request).address} ${Caller.of(request) === Caller.stranger}`
        )
      )
      const ask = (path: string, ...headers: ReadonlyArray<string>) =>
        raw(listener.port, [`GET ${path} HTTP/1.1`, ...headers].join("\r\n"))
      return { ask, listener }
    })

  test.scopedLive("[G26] answers to the path with which the proxy asks, and to none", function*() {
    const { ask, listener } = yield* echoing({ publicUrl })
    const host = "Host: mcp.example.com"
    expect(listener.publicUrl).toBe("https://mcp.example.com/base")
    expect(yield* ask("/base/mcp?x", host)).toMatch(/\n\/mcp \/mcp\?x /)
    expect(yield* ask("/mcp?x", host)).toMatch(/\n\/mcp \/mcp\?x /)
    expect(yield* ask("/base/", host)).toMatch(/\n\/ \/ /)
    const moved = yield* ask("/base?x", host)
    expect(moved).toMatch(/ 308 [^]*Location: \/base\/\r\n/)
    expect(statusOf(yield* ask("/base/mcp", "Host: evil.example"))).toBe(403)
  })

  test.scopedLive("[G26] knows clients by what a trusted proxy says, and only by that", function*() {
    const said = ["Host: localhost", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Host: mcp.example.com"]
    const page = "Origin: https://mcp.example.com"
    const [trusting, other] = [yield* echoing({ trustedProxies }), yield* echoing({})]
    expect(yield* trusting.ask("/mcp", ...said)).toContain(" 203.0.113.7 ")
    expect(yield* other.ask("/mcp", ...said)).toContain(" 127.0.0.1 ")
    expect(statusOf(yield* trusting.ask("/mcp", ...said, page))).toBe(200)
    expect(statusOf(yield* other.ask("/mcp", ...said, page))).toBe(403)
  })

  test.scopedLive("[G26] says once that a proxy passes on what its clients write", function*() {
    const warnings: Array<string> = []
    const logger = Logger.make(({ message }) => void warnings.push([message].flat().join(" ")))
    yield* Effect.gen(function*() {
      const { ask } = yield* echoing({ trustedProxies })
      for (let n = 0; n < 2; n++) {
        const answer = yield* ask("/", "Host: localhost", "X-Forwarded-For: 203.0.113.7", "Forwarded: for=1.1.1.1")
        expect(answer).toContain(" 127.0.0.1 ")
      }
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^the proxy 127\.0\.0\.1 sends Forwarded and X-Forwarded-For that do not agree/)
  })

  test.scopedLive("[G26] answers probes by whatever name they ask and without a token, as to a stranger", function*() {
    const probes = () => ({ "/ready": { status: 503, body: {}, details: {} } })
    const { ask } = yield* echoing({ authentication, probes })
    const token = "Authorization: Bearer t"
    for (const headers of [["Host: 10.1.2.3:7332"], ["Host: localhost"], ["Host: 10.1.2.3", token]]) {
      expect(yield* ask("/ready?x", ...headers)).toMatch(/ 200 [^]* true/)
    }
    expect(yield* ask("/ready", "Host: localhost", token)).toMatch(/ 200 [^]* false/)
    expect(statusOf(yield* ask("/other", "Host: localhost"))).toBe(401)
    expect(statusOf(yield* ask("/other", "Host: 10.1.2.3", token))).toBe(403)
    expect(statusOf(yield* ask("/ready", "Host: a", "Host: b"))).toBe(400)
  })

  test.scopedLive("[G26] lets strangers look at a probe, and not send it anything", function*() {
    const probes = () => ({ "/ready": { status: 503, body: {}, details: {} } })
    const listener = yield* Listener.listen({ host: "127.0.0.1", port: 0, authentication, probes })
    yield* listener.serve((_, response) => void response.end())
    const ask = (method: string) =>
      Effect.map(raw(listener.port, `${method} /ready HTTP/1.1\r\nHost: 10.1.2.3`), statusOf)
    expect(yield* Effect.forEach(["GET", "HEAD", "POST", "DELETE", "OPTIONS"], ask)).toEqual([
      200,
      200,
      403,
      403,
      403
    ])
  })
})
