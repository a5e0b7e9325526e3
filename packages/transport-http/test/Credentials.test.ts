import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Credentials from "../src/Credentials.js"

describe("what a server may repeat of our credentials", () => {
  it.effect("[C10:virtual] secrets of the options stay masked, however often a provider's token changes", () =>
    Effect.gen(function*() {
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
      // Of the provider's, the last ones.
      assert.strictEqual(credentials.mask("rotating-token-0000"), "rotating-token-0000")
    }))
})
