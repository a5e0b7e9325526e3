import { Effect, Logger, Redacted } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Credentials from "../src/Credentials.js"
import { Exposure } from "../src/Exposure.js"
import { CredentialFailure } from "../src/HttpFailure.js"
import * as Harness from "./fixtures/Harness.js"

describe("what a server may repeat of our credentials", () => {
  test.effect("[C10:virtual] secrets of the options stay masked, however often a provider's token changes", function*() {
    let turn = 0
    const token = () => `rotating-token-${String(turn).padStart(4, "0")}`
    const credentials = Credentials.make({
      url: new URL("https://user-token-0123:password-0123@mcp.test/mcp?key=query-key-0123"),
      headers: { "x-key": "static-key-0123" },
      headerProvider: () => ({ authorization: `Bearer ${token()}` }),
      authorization: undefined,
      fetch: () => Promise.reject(new Error("not asked"))
    })
    for (; turn < 200; turn++) yield* credentials.headers
    turn = 199
    const secrets = ["user-token-0123", "password-0123", "query-key-0123", "static-key-0123", token()]
    assert.strictEqual(credentials.mask(secrets.join(" and ")), secrets.map(() => "***").join(" and "))
    assert.strictEqual(credentials.mask("rotating-token-0000"), "rotating-token-0000")
  })

  test.effect("[C10:virtual] the failure of a source of tokens shows neither a token nor a secret of the address", function*() {
    let works = true
    const secrets = "access-token-0123 refresh-token-0123 query-key-0123"
    const tokens = { access: Redacted.make("access-token-0123"), refresh: Redacted.make("refresh-token-0123") }
    const failing = (what: string) =>
      Effect.fail(new CredentialFailure({ detail: `${what} ${secrets}`, cause: undefined }))
    const credentials = Credentials.make({
      url: new URL("https://mcp.test/mcp?key=query-key-0123"),
      headers: {},
      headerProvider: undefined,
      authorization: Harness.authorization({
        tokens: () => works ? Effect.succeed(tokens) : failing("cannot renew"),
        renew: () => failing("refused")
      }),
      fetch: () => Promise.reject(new Error("not asked"))
    })
    const sent = yield* credentials.headers
    const refused = yield* Effect.flip(credentials.renew(sent, { status: 401, challenge: undefined }))
    works = false
    const failed = yield* Effect.flip(credentials.headers)
    assert.deepStrictEqual(
      [refused, failed].map((error) => "detail" in error && error.detail),
      ["refused *** *** ***", "cannot renew *** *** ***"]
    )
  })
})

describe("credentials over plain HTTP", () => {
  const warnings = (url: string, headers: Credentials.Headers, access?: string) =>
    Effect.gen(function*() {
      const said: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel._tag === "Warning") said.push(String(message))
      })
      const address = new URL(url)
      const exposure = new Exposure(address, address.origin, headers)
      const make = () =>
        exposure.watch(Credentials.make({
          url: address,
          headers,
          headerProvider: undefined,
          authorization: Harness.authorization({
            tokens: () =>
              Effect.succeed(access === undefined ? undefined : { access: Redacted.make(access), refresh: undefined })
          }),
          fetch: () => Promise.reject(new Error("not asked"))
        }))
      const [first, second] = [make(), make()]
      const sent = yield* Effect.all([first.headers, first.headers, second.headers]).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      assert.deepStrictEqual(sent[0], sent[2])
      assert.deepStrictEqual(said, exposure.warning === undefined ? [] : [`${exposure.warning} (this is logged once)`])
      return said
    })

  const remote = "http://mcp.test/mcp"
  const exposed: ReadonlyArray<readonly [string, string, Credentials.Headers, string?]> = [
    ["a token of OAuth", remote, {}, "access-token-0123"],
    ["a header with a secret's name", remote, { "X-Api-Key": "static-key-0123" }],
    ["a header that the options call secret", remote, { "x-team": Redacted.make("team-0123") }],
    ["user and password of the address", "http://user:password-0123@192.168.0.7:8080/mcp", {}]
  ]
  for (const [name, url, headers, access] of exposed) {
    test.effect(`[C10:virtual] ${name} to another machine: one warning, which shows no value`, function*() {
      const said = yield* warnings(url, headers, access)
      assert.strictEqual(said.length, 1)
      assert.match(
        said[0]!,
        /^http:\/\/[^@]+: credentials \((authorization|x-api-key|x-team)\) go there without encryption/
      )
      assert.notMatch(said[0]!, /0123/)
    })
  }

  test.effect("[C10:virtual] no warning where nobody can read along, or nothing is secret", function*() {
    const near = ["http://localhost:1", "http://127.0.0.1", "http://[::1]:2", "http://a.localhost"]
    for (const host of ["https://mcp.test", ...near]) {
      assert.deepStrictEqual(yield* warnings(`${host}/mcp`, { authorization: "Bearer 0123456789" }), [])
    }
    assert.deepStrictEqual(yield* warnings(remote, { "x-team": "blue" }), [])
  })
})
