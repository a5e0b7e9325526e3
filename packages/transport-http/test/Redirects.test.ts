import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"

const redirected = (from: string, status: number, ...locations: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const visited: Array<string> = []
    const fetch = (url: string | URL, init?: RequestInit): Promise<Response> => {
      const { authorization } = (init?.headers ?? {}) as Record<string, string>
      visited.push(`${authorization === undefined ? "without" : "with"} ${String(url)}`)
      const location = locations[visited.length - 1]
      return Promise.resolve(
        location === undefined
          ? new Response("here", { status: 418 })
          : new Response(null, { status, headers: { location } })
      )
    }
    const connector = HttpConnector.make({
      url: from,
      fetch,
      protocol: "2025",
      transport: "streamable",
      headers: { authorization: "Bearer the-token" }
    })
    const error = yield* Effect.flip(Effect.scoped(connector.connect({ report: () => {} })))
    return { visited: visited.slice(1), error }
  })

describe("redirects, of requests that carry credentials", () => {
  const followed: ReadonlyArray<readonly [from: string, to: string, there: string]> = [
    ["http://mcp.test/a", "/b?c=1", "http://mcp.test/b?c=1"],
    ["http://mcp.test/a", "https://mcp.test/a", "https://mcp.test/a"],
    ["https://mcp.test:8443/a", "https://mcp.test:8443/b", "https://mcp.test:8443/b"]
  ]
  for (const [from, to, there] of followed) {
    test.effect(`[T7] from ${from} to ${to}: followed, with the credentials`, function*() {
      const { error, visited } = yield* redirected(from, 307, to)
      assert.deepStrictEqual(visited, [`with ${there}`])
      assert.strictEqual(error.reason, "protocol")
    })
  }

  for (const status of [301, 302, 307, 308]) {
    for (
      const [from, to] of [["/mcp", "/mcp/"], ["/mcp/", "/mcp"], ["/mcp?x=1", "https://mcp.test/mcp/?x=1"]] as const
    ) {
      test.effect(`[T7] ${status} from ${from} to ${to}: followed by the same POST, with its body`, function*() {
        const sent: Array<unknown> = []
        const fetch = (url: string | URL, init?: RequestInit): Promise<Response> => {
          const { authorization } = (init?.headers ?? {}) as Record<string, string>
          sent.push([init?.method, String(url), authorization, String(init?.body)])
          return Promise.resolve(
            sent.length === 1
              ? new Response(null, { status, headers: { location: to } })
              : new Response("here", { status: 418 })
          )
        }
        const headers = { authorization: "Bearer the-token" }
        const options = { fetch, protocol: "2025", transport: "streamable", headers } as const
        const connector = HttpConnector.make({ ...options, url: `https://mcp.test${from}` })
        yield* Effect.flip(Effect.scoped(connector.connect({ report: () => {} })))
        const [first, second] = sent as ReadonlyArray<ReadonlyArray<string>>
        assert.strictEqual(first![0], "POST")
        assert.deepStrictEqual(second, [
          "POST",
          new URL(to, "https://mcp.test").href,
          "Bearer the-token",
          first![3]!
        ])
      })
    }
  }

  const refused: ReadonlyArray<readonly [from: string, to: string, status: number, says: string]> = [
    ["http://mcp.test/a", "http://other.test/a", 307, "another origin"],
    ["http://mcp.test/a", "http://sub.mcp.test/a", 308, "another origin"],
    ["http://mcp.test/a", "https://mcp.test:8443/a", 307, "another origin of the same host"],
    ["http://mcp.test:8080/a", "https://mcp.test/a", 307, "another origin of the same host"],
    ["https://mcp.test/a", "http://mcp.test/a", 307, "X-Forwarded-Proto and X-Forwarded-Host"],
    ["https://mcp.test/a", "http://mcp.test/a/", 307, "Configure https://mcp.test/a/, with the slash"],
    ["https://mcp.test/a/", "http://mcp.test:8080/a", 301, "Configure https://mcp.test/a, with the slash"],
    ["https://mcp.test/a", "http://other.test/a", 307, "its https address"],
    ["http://mcp.test/a", "/a/", 303, "turns POST into GET"],
    ["http://mcp.test/a", "/a/?x=1", 301, "turns POST into GET"],
    ["http://mcp.test/a", "http://user:password@mcp.test/b", 307, "credentials in the address"],
    ["http://mcp.test/a", "http://user@mcp.test/b", 307, "credentials in the address"],
    ["http://mcp.test/a", "http://:password@mcp.test/b", 307, "credentials in the address"],
    ["http://mcp.test/a", "/b", 301, "turns POST into GET"],
    ["http://mcp.test/a", "/b", 302, "turns POST into GET"],
    ["http://mcp.test/a", "/b", 303, "turns POST into GET"],
    ["http://mcp.test/a", "http://", 307, "not valid"]
  ]
  for (const [from, to, status, says] of refused) {
    test.effect(`[T7] ${status} from ${from} to ${to}: not followed`, function*() {
      const { error, visited } = yield* redirected(from, status, to)
      assert.deepStrictEqual(visited, [])
      assert.strictEqual(error.reason, "redirect")
      assert.include(error.message, says)
      assert.notInclude(error.message, "password@")
      if (from.startsWith("https:")) assert.notMatch(error.message, /[Cc]onfigure (that address|http:)/)
    })
  }

  test.effect("[T7] five are followed, and no sixth", function*() {
    const { error, visited } = yield* redirected("http://mcp.test/0", 307, "/1", "/2", "/3", "/4", "/5", "/6")
    assert.strictEqual(visited.at(-1), "with http://mcp.test/5")
    assert.strictEqual(error.reason, "redirect")
    assert.include(error.message, "again and again")
  })
})
