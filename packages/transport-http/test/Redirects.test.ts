import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"

interface Sent {
  readonly url: string
  readonly method: string | undefined
  readonly authorization: string | undefined
  readonly body: unknown
}

const redirected = (from: string, status: number, ...locations: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const sent: Array<Sent> = []
    const fetch = (url: string | URL, { body, headers, method }: RequestInit = {}): Promise<Response> => {
      const { authorization } = headers as Record<string, string>
      const location = locations[sent.length]
      sent.push({ url: String(url), method, authorization, body })
      return Promise.resolve(
        location === undefined
          ? new Response("here", { status: 418 })
          : new Response(null, { status, headers: { location } })
      )
    }
    const headers = { authorization: "Bearer the-token" }
    const options = { fetch, protocol: "2025", transport: "streamable", headers } as const
    const connector = HttpConnector.make({ ...options, url: from })
    const error = yield* Effect.flip(Effect.scoped(connector.connect({ report: () => {} })))
    const [first, ...others] = sent
    return { first: first!, others, error }
  })

describe("redirects, of requests that carry credentials", () => {
  const followed: ReadonlyArray<readonly [from: string, to: string, there: string]> = [
    ["http://mcp.test/a", "/b?c=1", "http://mcp.test/b?c=1"],
    ["http://mcp.test/a", "https://mcp.test/a", "https://mcp.test/a"],
    ["https://mcp.test:8443/a", "https://mcp.test:8443/b", "https://mcp.test:8443/b"]
  ]
  for (const [from, to, there] of followed) {
    test.effect(`[T7] from ${from} to ${to}: followed, with the credentials`, function*() {
      const { error, first, others } = yield* redirected(from, 307, to)
      assert.strictEqual(first.authorization, "Bearer the-token")
      assert.deepStrictEqual(others, [{ ...first, url: there }])
      assert.strictEqual(error.reason, "protocol")
    })
  }

  for (const status of [301, 302, 307, 308]) {
    for (
      const [from, to] of [["/mcp", "/mcp/"], ["/mcp/", "/mcp"], ["/mcp?x=1", "https://mcp.test/mcp/?x=1"]] as const
    ) {
      test.effect(`[T7] ${status} from ${from} to ${to}: followed by the same POST, with its body`, function*() {
        const { first, others } = yield* redirected(`https://mcp.test${from}`, status, to)
        assert.deepInclude(first, { method: "POST", authorization: "Bearer the-token" })
        assert.isString(first.body)
        assert.deepStrictEqual(others, [{ ...first, url: new URL(to, "https://mcp.test").href }])
      })
    }
  }

  const elsewhere = [
    "http://b.test/a",
    "https://b.test:8443/a",
    "http://10.0.0.5:8080/a",
    "https://b.test/a?token=s3cret"
  ]
  for (const to of elsewhere) {
    const isAdvised = to.startsWith("https://b.test/")
    test.effect(`[T7] to ${to}: it is ${isAdvised ? "" : "not "}said that this address is to be configured`, function*() {
      const { error: { message } } = yield* redirected("http://mcp.test/a", 302, to)
      assert.include(message, `HTTP 302: redirected to ${to.replace(/\?.*/, "")}, another origin`)
      assert.strictEqual(message.includes("configure that address"), isAdvised)
    })
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
      const { error, others } = yield* redirected(from, status, to)
      assert.deepStrictEqual(others, [])
      assert.strictEqual(error.reason, "redirect")
      assert.include(error.message, says)
      assert.notInclude(error.message, "password@")
      if (from.startsWith("https:")) assert.notMatch(error.message, /[Cc]onfigure (that address|http:)/)
    })
  }

  test.effect("[T7] five are followed, and no sixth", function*() {
    const { error, others } = yield* redirected("http://mcp.test/0", 307, "/1", "/2", "/3", "/4", "/5", "/6")
    assert.strictEqual(others.at(-1)?.url, "http://mcp.test/5")
    assert.strictEqual(error.reason, "redirect")
    assert.include(error.message, "again and again")
  })
})
