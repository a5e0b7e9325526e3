import { assert, describe, it } from "vitest"
import { masked } from "../src/wrap/Recorder.js"

const written = (value: unknown): string => JSON.stringify(value, masked)

describe("what --record writes", () => {
  const secrets: ReadonlyArray<object> = [
    { "X-API-Key": "hunter22" },
    { githubToken: "hunter22" },
    { auth_token: "hunter22" },
    { AWS_SECRET_ACCESS_KEY: "hunter22" },
    { dbPassword: "hunter22" },
    { private_key: "hunter22" },
    { pin: { password: 22_222_222 } },
    { text: "Authorization: Basic aHVudGVyMjI=" },
    { text: "see postgres://ada:hunter22@db.example/x" },
    { uri: "https://example.com/mcp?x=1&access_token=hunter22&y=2" },
    { text: "eyJhbGciOiJIUzI1NiJ9.aHVudGVyMjI.c2ln" },
    { text: "github_pat_hunter22hunter22hunter22" }
  ]
  for (const secret of secrets) {
    it(`[W1] masks ${JSON.stringify(secret)}`, () => {
      assert.notMatch(written(secret), /hunter22|22222222|aHVudGVyMjI/)
      assert.include(written(secret), "[masked]")
    })
  }

  it("[W1] leaves what is no secret", () => {
    const message = {
      method: "sampling/createMessage",
      params: { maxTokens: 5, _meta: { progressToken: "mine" }, nextCursor: "abc", keyboard: "x", author: "y" },
      schema: { properties: { password: { type: "string" }, token: { type: "string" } } },
      text: "a monkey=1, https://example.com/a?monk=1, basic words here"
    }
    assert.strictEqual(written(message), JSON.stringify(message))
  })
})
