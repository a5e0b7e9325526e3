import { assert, describe, it } from "vitest"
import { describe as textOf } from "../src/FailureText.js"
import { NetworkFailure, RedirectFailure, type StatusFailure } from "../src/HttpFailure.js"
import { status as failed } from "./fixtures/Played.js"

const x = (length: number): string => "x".repeat(length)

describe("what is said of a failed exchange", () => {
  it("[X5:unit] is one line of a bearable length, whatever the server has sent", () => {
    const status = failed(500, { detail: x(100_000) })
    const redirect = new RedirectFailure({ status: 302, to: `https://a.example/\n${x(100_000)}`, why: "origin" })
    for (const failure of [status, redirect]) {
      const text = textOf(failure)
      assert.isBelow(text.length, 4050)
      assert.match(text, /^HTTP \d+.*x… \[cut: \d{6} characters\]$/)
    }
  })

  const network = (
    kind: NetworkFailure["kind"],
    code: string,
    more: { readonly isProxied?: boolean; readonly proxyStatus?: number; readonly sent?: boolean } = {}
  ): string =>
    textOf(
      new NetworkFailure({
        kind,
        code,
        sent: more.sent ?? false,
        proxy: more.isProxied === true ? { address: "http://p:3128", variable: "HTTP_PROXY" } as never : undefined,
        proxyStatus: more.proxyStatus,
        cause: new Error("cause\nof it")
      })
    )

  it("[T3:unit] a failure of the network names what to look at, and its code", () => {
    const cases: ReadonlyArray<readonly [NetworkFailure["kind"], code: string, says: string]> = [
      ["refused", "ECONNREFUSED", "connection refused: is the server running, and on this port?"],
      ["unreachable", "ENOTFOUND", "the host name does not exist (DNS)"],
      ["unreachable", "EAI_AGAIN", "could not be looked up"],
      ["unreachable", "EAI_FAIL", "could not be looked up"],
      ["unreachable", "EHOSTUNREACH", "the host cannot be reached: check the address"],
      ["exhausted", "EMFILE", "raise the limit of open files (ulimit -n)"],
      ["exhausted", "ENFILE", "raise the limit of open files (ulimit -n)"],
      ["exhausted", "EADDRNOTAVAIL", "no address from which it can be reached (IPv6 may be off), or no free port"],
      ["exhausted", "ENOBUFS", "this machine has no socket left for it"],
      ["tls", "CERT_HAS_EXPIRED", "has expired"],
      ["tls", "ERR_TLS_CERT_ALTNAME_INVALID", "for another name"],
      ["tls", "DEPTH_ZERO_SELF_SIGNED_CERT", "NODE_EXTRA_CA_CERTS"],
      ["tls", "EPROTO", "not with a TLS version"],
      ["tls", "UND_ERR_PRX_TLS", "the TLS connection to the proxy failed"],
      ["tls", "CRL_HAS_EXPIRED", "the TLS connection failed: check the server's certificate"],
      ["timeout", "ETIMEDOUT", "no connection in time: check the address"],
      ["slow", "UND_ERR_HEADERS_TIMEOUT", "longer to answer than the dispatcher waits"],
      ["reset", "ECONNRESET", "closed before an answer came"],
      ["tooLarge", "UND_ERR_HEADERS_OVERFLOW", "the headers of the answer are larger"],
      ["tooLarge", "UND_ERR_RES_EXCEEDED_MAX_SIZE", "the answer is larger than the dispatcher accepts"],
      ["protocol", "HPE_INVALID_CONSTANT", "not with HTTP"]
    ]
    for (const [kind, code, says] of cases) {
      const text = network(kind, code)
      assert.include(text, says)
      assert.isTrue(text.endsWith(`(${code})`), text)
      assert.notInclude(text, "proxy http")
    }
    for (const code of ["UND_ERR_DESTROYED", "UND_ERR_CLOSED"]) {
      assert.strictEqual(network("reset", code), "the connection was closed on this side, before the request was sent")
    }
    assert.strictEqual(
      network("fault", "unknown"),
      "the HTTP client failed, and nothing was sent: Error: cause of it"
    )
    assert.include(network("fault", "unknown", { sent: true }), "it is not known whether the request was sent")
  })

  it("[T10:unit] behind a proxy it is the proxy that people are to look at", () => {
    const way = "the proxy http://p:3128 (HTTP_PROXY of the environment)"
    const isProxied = true
    assert.isTrue(network("refused", "ECONNREFUSED", { isProxied }).startsWith(`${way} refuses connections`))
    assert.isTrue(network("unreachable", "ENOTFOUND", { isProxied }).startsWith(`${way} cannot be reached`))
    assert.include(network("timeout", "ETIMEDOUT", { isProxied }), `in time by way of ${way}: check`)
    assert.include(
      network("unreachable", "x", { isProxied, proxyStatus: 407 }),
      `${way} does not connect to the server: HTTP 407: it wants credentials`
    )
    assert.include(
      network("unreachable", "x", { proxyStatus: 502 }),
      "the proxy does not connect to the server: HTTP 502: see its log"
    )
  })

  const status = (code: number, more: Partial<StatusFailure> = {}): string =>
    textOf(failed(code, { detail: "", ...more }))

  it("[T3:unit] a status says whose turn it is", () => {
    const cases: ReadonlyArray<readonly [code: number, more: Partial<StatusFailure>, says: string]> = [
      [401, {}, ": the server wants credentials, and none were sent"],
      [401, { authorized: true }, ": the server refuses the credentials"],
      [403, {}, ": the server does not allow this; no credentials were sent"],
      [403, { authorized: true }, ": the server does not allow this with these credentials"],
      [404, {}, ": nothing is served at this address"],
      [410, {}, ": nothing is served at this address"],
      [404, { session: true }, ": the server does not know the session any more"],
      [405, {}, ": this is not the address of an MCP endpoint"],
      [407, {}, ": a proxy wants credentials"],
      [429, {}, ": the server limits how often"],
      [502, {}, ": the server is not ready"],
      [503, {}, ": the server is not ready"],
      [504, {}, ": the server is not ready"],
      [500, {}, ": the server failed: see its log"],
      [501, {}, ": the server failed: see its log"],
      [499, {}, ": the server refuses the request"],
      [400, {}, ": the server refuses the request"]
    ]
    for (const [code, more, says] of cases) {
      const text = status(code, more)
      assert.isTrue(text.startsWith(`HTTP ${code}${says}`), text)
      assert.notInclude(text, "to wait")
    }
    assert.strictEqual(status(405, { session: true }), "HTTP 405")
    assert.strictEqual(
      status(429, { detail: "slow down", retryAfter: 1_001 }),
      "HTTP 429 (slow down): the server limits how often it may be asked; it asks to wait 2 s"
    )
  })
})
