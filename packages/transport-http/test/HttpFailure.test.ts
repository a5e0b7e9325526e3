import { assert, describe, it } from "vitest"
import * as Failure from "../src/HttpFailure.js"
import { status } from "./fixtures/Played.js"

const error = (code: string, more: object = {}) => Object.assign(new Error(code), { code }, more)

const read = (...given: Parameters<typeof Failure.fromNetwork>) => {
  const { kind, sent } = Failure.fromNetwork(...given)
  return [kind, sent] as const
}

describe("what an error of the HTTP client means", () => {
  it("[T3:unit] its code says what happened, and whether the request may have left", () => {
    const cases: ReadonlyArray<readonly [code: string, kind: Failure.NetworkFailure["kind"], sent: boolean]> = [
      ["ECONNREFUSED", "refused", false],
      ["CERT_HAS_EXPIRED", "tls", false],
      ["EPROTO", "tls", false],
      ["UND_ERR_PRX_TLS", "tls", false],
      ["UND_ERR_CONNECT_TIMEOUT", "timeout", false],
      ["ETIMEDOUT", "reset", true],
      ["ENOTFOUND", "unreachable", true],
      ["UND_ERR_HEADERS_TIMEOUT", "slow", true],
      ["UND_ERR_BODY_TIMEOUT", "slow", true],
      ["UND_ERR_HEADERS_OVERFLOW", "tooLarge", true],
      ["UND_ERR_DESTROYED", "reset", false],
      ["UND_ERR_CLOSED", "reset", false],
      ["UND_ERR_INVALID_ARG", "fault", false],
      ["ECONNRESET", "reset", true]
    ]
    for (const [code, kind, sent] of cases) {
      assert.deepStrictEqual(read(error(code)), [kind, sent], code)
      assert.strictEqual(Failure.fromNetwork(error(code)).code, code)
    }
    for (const syscall of ["connect", "getaddrinfo"]) {
      assert.deepStrictEqual(read(error("ETIMEDOUT", { syscall })), ["timeout", false])
      assert.deepStrictEqual(read(error("ENOTFOUND", { syscall })), ["unreachable", false])
      assert.deepStrictEqual(read(error("EPIPE", { syscall })), ["reset", false])
      for (const code of ["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS"]) {
        assert.deepStrictEqual(read(error(code, { syscall })), ["exhausted", false], code)
      }
    }
    // Of a socket that was open.
    assert.deepStrictEqual(read(error("ENOBUFS", { syscall: "write" })), ["reset", true])
    assert.deepStrictEqual(read(new Error("before secure TLS connection was established")), ["tls", false])
    assert.deepStrictEqual(read(error("HPE_INVALID", { name: "HTTPParserError" })), ["protocol", true])
    assert.deepStrictEqual(read(error("HPE_CLOSED_CONNECTION", { name: "HTTPParserError" })), ["reset", true])
  })

  it("[C19:unit] what was given to no socket was not sent; that of what has no code nobody knows", () => {
    assert.deepStrictEqual(read(error("ECONNRESET"), undefined, true), ["reset", false])
    for (const unsent of [true, false]) {
      for (const thrown of [new TypeError("of a dispatcher"), "text", null, undefined, { code: 7 }]) {
        assert.deepStrictEqual(read(thrown, undefined, unsent), ["fault", true])
        assert.strictEqual(Failure.fromNetwork(thrown).code, "unknown")
      }
    }
  })

  it("[T3:unit] the code is found in causes and in the errors of several addresses, as far down as they go", () => {
    const inner = error("ECONNREFUSED")
    assert.deepStrictEqual(read(new TypeError("fetch failed", { cause: inner })), ["refused", false])
    assert.deepStrictEqual(read(new AggregateError([new Error("no code"), inner])), ["refused", false])
    assert.deepStrictEqual(
      read(new TypeError("fetch failed", { cause: new AggregateError([inner, error("ECONNRESET")]) })),
      ["refused", false]
    )
    assert.deepStrictEqual(read(Object.assign(new AggregateError([]), { cause: inner })), ["refused", false])
    const circle: { cause?: unknown } = {}
    circle.cause = circle
    assert.deepStrictEqual(read(circle), ["fault", true])
    const deep = (levels: number): unknown => levels === 0 ? inner : { cause: deep(levels - 1) }
    assert.deepStrictEqual(read(deep(4)), ["refused", false])
    assert.deepStrictEqual(read(deep(5)), ["fault", true])
    const wide = (levels: number): unknown => levels === 0 ? inner : { errors: [wide(levels - 1)] }
    assert.deepStrictEqual(read(wide(4)), ["refused", false])
    assert.deepStrictEqual(read(wide(5)), ["fault", true])
  })

  it("[T10:unit] what a proxy answered is kept, and nothing went to the server", () => {
    const proxy = { address: "http://proxy.example:3128", variable: "HTTP_PROXY" } as never
    const refused = new Error("Proxy response (407) !== 200 when HTTP Tunneling")
    assert.deepInclude(Failure.fromNetwork(error("UND_ERR_ABORTED", { message: refused.message }), proxy), {
      kind: "unreachable",
      sent: false,
      proxyStatus: 407,
      proxy
    })
    assert.isUndefined(Failure.fromNetwork(error("ECONNRESET"), proxy).proxyStatus)
  })
})

describe("what an answer asks for and says", () => {
  it("[T3:unit] Retry-After is seconds or a date, and nothing else", () => {
    const now = Date.UTC(2026, 0, 1)
    const read = (header: string | undefined) => Failure.retryAfter(header, now)
    assert.strictEqual(read("7"), 7_000)
    assert.strictEqual(read(" 1.0005 "), 1_001)
    assert.strictEqual(read("0"), 0)
    assert.strictEqual(read("123456789"), 123_456_789_000)
    assert.strictEqual(read(new Date(now + 5_000).toUTCString()), 5_000)
    assert.strictEqual(read(new Date(now - 5_000).toUTCString()), 0)
    for (const none of [undefined, "", "-1", "+1", "1.", "1234567890", "2026-01-01", "soon", "7 s"]) {
      assert.isUndefined(read(none), none)
    }
  })

  it("[X3:unit] what is shown is one line of at most 200 characters", () => {
    assert.strictEqual(Failure.oneLine("a\nb"), "a b")
    assert.strictEqual(Failure.oneLine("x".repeat(200)), "x".repeat(200))
    assert.strictEqual(Failure.oneLine("x".repeat(201)), `${"x".repeat(199)}…`)
    // Of what is longer only the beginning is looked at.
    assert.strictEqual(Failure.oneLine(`${"\u0000".repeat(1_000)}end`), "")
  })

  it("[R12:unit] only a bare 404 or 410 to a request of a session says that it is lost", () => {
    const failure = (more: Partial<Failure.StatusFailure>) => status(404, { session: true, ...more })
    assert.isTrue(Failure.namesLostSession(failure({})))
    assert.isTrue(Failure.namesLostSession(failure({ error: { code: -32001, data: undefined }, isResponse: false })))
    assert.isFalse(Failure.namesLostSession(failure({ error: { code: -32001, data: undefined }, isResponse: true })))
    assert.isFalse(Failure.namesLostSession(failure({ session: false })))
    assert.isFalse(Failure.namesLostSession(failure({ status: 500 })))
  })
})
