import { Effect, TestClock } from "effect"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as OAuth from "../src/OAuth.js"

describe("OAuth", () => {
  test.effect("[T7:virtual] a login that nobody finishes is not asked for again within 10 minutes, and then it is", function*() {
    let asked = 0
    const oauth = OAuth.make({
      redirectUrl: "http://127.0.0.1/callback",
      clientMetadata: { redirect_uris: ["http://127.0.0.1/callback"] },
      clientInformation: () => ({ client_id: "me" }),
      tokens: () => undefined,
      saveTokens: () => {},
      redirectToAuthorization: () => {
        asked++
      },
      saveCodeVerifier: () => {},
      codeVerifier: () => ""
    }, new URL("http://mcp.test/mcp"))
    const renew = Effect.flip(
      oauth.renew({ status: 401, challenge: undefined }, () => Promise.resolve(new Response("", { status: 404 })))
    )
    assert.strictEqual((yield* renew)._tag, "LoginFailure")
    yield* TestClock.adjust("599 seconds")
    assert.strictEqual((yield* renew)._tag, "LoginFailure")
    assert.strictEqual(asked, 1)
    yield* TestClock.adjust("1 seconds")
    assert.strictEqual((yield* renew)._tag, "LoginFailure")
    assert.strictEqual(asked, 2)
  })
})
