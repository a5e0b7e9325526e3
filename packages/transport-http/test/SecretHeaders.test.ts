import { ConnectError } from "@mcp-lifeline/core"
import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Redacted, TestClock } from "effect"
import { taking } from "../../testing/test/support/taking.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Credentials from "../src/Credentials.js"
import * as SecretHeaders from "../src/SecretHeaders.js"

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

const rotating = () => {
  const state = { token: "first-token-0123", readings: 0, isLocked: false }
  const reading = Effect.suspend(() => {
    state.readings += 1
    return state.isLocked
      ? Effect.fail(new ConnectError({ backend: "", reason: "spawn", permanent: false, message: "locked" }))
      : Effect.succeed(Redacted.make(`Bearer ${state.token}`))
  })
  return { state, reading }
}

const credentialsOf = (secretHeaders: Credentials.SecretHeaders) =>
  Credentials.make({
    url: new URL("https://mcp.test/mcp"),
    headers: { authorization: "Bearer fixed", "x-fixed": "1" },
    secretHeaders,
    headerProvider: undefined,
    authorization: undefined,
    fetch: () => Promise.reject(new Error("not asked"))
  })

const refusal = { status: 401, challenge: undefined }

describe("headers with secrets that are read", () => {
  test.effect("[S14:virtual] are read once for a connection, and once more after a refusal, but not twice within 30 s", function*() {
    const { reading, state } = rotating()
    const credentials = credentialsOf(yield* SecretHeaders.read({ Authorization: reading }))
    expect(yield* credentials.headers).toEqual({ ...bearer("first-token-0123"), "x-fixed": "1" })
    yield* credentials.headers
    expect(state.readings).toBe(1)
    state.token = "second-token-0123"
    yield* TestClock.adjust(29_999)
    expect(yield* credentials.renew(bearer("first-token-0123"), refusal)).toBe(false)
    expect(state.readings).toBe(1)
    yield* TestClock.adjust(1)
    // However many requests were refused at once, one reading serves them all.
    const renewed = yield* Effect.all(
      Array.from({ length: 5 }, () => credentials.renew(bearer("first-token-0123"), refusal)),
      { concurrency: "unbounded" }
    )
    expect([renewed, state.readings]).toEqual([Array.from({ length: 5 }, () => true), 2])
    expect(yield* credentials.headers).toMatchObject(bearer("second-token-0123"))
    expect(credentials.mask("first-token-0123 second-token-0123")).toBe("*** ***")
    // The same value again is not worth another request, and a failure keeps what there is.
    yield* TestClock.adjust(30_000)
    expect(yield* credentials.renew(bearer("second-token-0123"), refusal)).toBe(false)
    yield* TestClock.adjust(30_000)
    state.isLocked = true
    expect(yield* credentials.renew(bearer("second-token-0123"), refusal)).toBe(false)
    expect(yield* credentials.headers).toMatchObject(bearer("second-token-0123"))
    expect(state.readings).toBe(4)
  })

  test.effect("[S14:virtual] a value that is no header is refused without being shown", function*() {
    const error = yield* Effect.flip(
      SecretHeaders.read({ "X-Key": Effect.succeed(Redacted.make("two\nlines-0123")) })
    )
    expect(error.message).toBe(
      "headers.X-Key: what was read is not the value of an HTTP header; accepted: one line of Latin-1 characters"
    )
  })

  test.scoped("[S14:virtual] an attempt says that it still reads them", function*() {
    let said: string | undefined
    const report = taking("Attempt", ({ describe }) => {
      said = describe()
    })
    const connector = HttpConnector.make({ url: "http://localhost:1/mcp", headers: { Authorization: Effect.never } })
    yield* Effect.forkScoped(connector.connect({ report }))
    yield* TestClock.adjust(0)
    expect(said).toBe("a value of headers is still being read")
  })

  test.scopedLive("[S14:real] after a 401 each attempt to connect reads them anew, and none is permanent", function*() {
    const { reading, state } = rotating()
    const server = yield* HttpFaultServer.make()
    server.fail(({ headers }) => headers["authorization"] !== "Bearer second-token-0123", HttpFault.status(401))
    const connector = HttpConnector.make({ url: server.url, headers: { Authorization: reading } })
    const connect = Effect.scoped(connector.connect({ report: () => {} }))
    expect(yield* Effect.flip(connect)).toMatchObject({ reason: "unauthorized", permanent: false })
    state.token = "second-token-0123"
    yield* connect
    expect(state.readings).toBe(2)
  })
})
