import { Backend } from "@mcp-lifeline/core"
import { HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"

import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { Cookies } from "../src/Cookies.js"

const url = new URL("https://a.example:8443/mcp/v1")

const after = (set: ReadonlyArray<string>, to = url, users?: string, now = 0): string | undefined => {
  const cookies = new Cookies(url.origin)
  cookies.take({ headers: { "set-cookie": set } }, url, 0)
  return cookies.header(to, users, now)
}

describe("the cookies of a connection", () => {
  it("[R12] go back to their origin, below their path, until they end", () => {
    assert.strictEqual(after(["A=1; Path=/; HttpOnly; Secure", "B=2", "A=3; Path=/"]), "B=2; A=3")
    assert.strictEqual(after(["A=1; Path=/mcp"], new URL("https://a.example:8443/mcpx")), undefined)
    assert.strictEqual(after(["A=1; Path=/mcp"], new URL("https://a.example:8443/mcp")), "A=1")
    for (const other of ["https://a.example/mcp/v1", "http://a.example:8443/mcp/v1", "https://b.example:8443/mcp/v1"]) {
      assert.strictEqual(after(["A=1; Path=/"], new URL(other)), undefined)
    }
    assert.strictEqual(after(["A=1; Domain=.example"]), "A=1")
    assert.strictEqual(after(["A=1; Domain=other.example"]), undefined)
    assert.strictEqual(after(["A=1; Max-Age=60"], url, undefined, 59_999), "A=1")
    assert.strictEqual(after(["A=1; Max-Age=60"], url, undefined, 60_000), undefined)
    assert.strictEqual(after(["A=1", "A=1; Max-Age=0"]), undefined)
    assert.strictEqual(after(["A=1; Expires=Thu, 01 Jan 1970 00:01:00 GMT"], url, undefined, 60_000), undefined)
  })

  it("[R12] stand behind the user's own, are bounded, and are no header of anything else", () => {
    assert.strictEqual(after(["A=1", "B=2"], url, "B=mine; C=3"), "B=mine; C=3; A=1")
    assert.strictEqual(after(["A=a\r\nX: 1", "B b=1", "", "=1", `C=${"x".repeat(5000)}`]), undefined)
    const many = Array.from({ length: 100 }, (_, index) => `N${index}=${index}`)
    assert.lengthOf(after(many)!.split("; "), 32)
  })

  test.scopedLive("[R12:real] keep a session at its replica, behind a balancer that sets one", function*() {
    const server = yield* HttpFaultServer.make()
    let turn = 0
    const seen: Array<string | undefined> = []
    server.hook = ({ headers, response }) => {
      const cookie = headers.cookie
      seen.push(cookie)
      if (cookie?.includes("AFFINITY=replica-one") === true) return undefined
      if (headers["mcp-session-id"] === undefined) {
        response.setHeader("set-cookie", "AFFINITY=replica-one; Path=/; HttpOnly")
        return undefined
      }
      turn++
      response.writeHead(404).end("Session not found")
      return true
    }
    const backend = yield* Backend.make("one", { connector: HttpConnector.make({ url: server.url }) })
    for (let count = 0; count < 5; count++) yield* backend.callTool({ name: "echo", arguments: {} })
    assert.strictEqual((yield* backend.status).generation, 1)
    assert.isAbove(seen.filter((one) => one !== undefined).length, 5)
    assert.strictEqual(turn, 0)
  })
})
