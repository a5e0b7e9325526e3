import { Effect, Fiber, Option, Redacted, TestClock } from "effect"
import { createServer } from "node:http"
import { listening } from "../../testing/test/support/listening.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import type * as Client from "../src/Client.js"
import type * as Grant from "../src/Grant.js"
import { revoke } from "../src/Revocation.js"
import { bodyOf } from "./support/AuthServer.js"
import { grant } from "./support/grants.js"

const serving = (status: number | undefined) =>
  Effect.gen(function*() {
    const forms: Array<Record<string, string>> = []
    const server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        forms.push(Object.fromEntries(new URLSearchParams(body)))
        if (status !== undefined) response.writeHead(status).end("{}")
      })
    })
    return { forms, origin: yield* listening(server) }
  })

const grantAt = (origin: string, changes: Partial<Grant.Grant> = {}, client: Partial<Client.Client> = {}) =>
  grant({
    server: `${origin}/mcp`,
    issuer: origin,
    metadata: { issuer: origin, token_endpoint: `${origin}/token`, revocation_endpoint: `${origin}/revoke` },
    client: { origin: "registered", id: "lifeline", redirects: [], ...client },
    access: Redacted.make("the access token"),
    refresh: Redacted.make("the refresh token"),
    ...changes
  })

describe("the end of tokens", () => {
  test.scopedLive("[A2] the refresh token is revoked, with which all end that came of it; otherwise the access token", function*() {
    const { forms, origin } = yield* serving(200)
    expect(yield* revoke(grantAt(origin))).toBe(true)
    expect(yield* revoke(grantAt(origin, { refresh: undefined }))).toBe(true)
    expect(forms).toEqual([
      { token: "the refresh token", token_type_hint: "refresh_token", client_id: "lifeline" },
      { token: "the access token", token_type_hint: "access_token", client_id: "lifeline" }
    ])
  })

  test.scopedLive("[A2] what is not confirmed has not happened; where nobody is to be told, there is nothing to do", function*() {
    for (const status of [400, 401, 500, 503]) {
      const { forms, origin } = yield* serving(status)
      expect([status, yield* revoke(grantAt(origin)), forms.length]).toEqual([status, false, 1])
    }
    const { forms, origin } = yield* serving(200)
    const { revocation_endpoint: _, ...metadata } = grantAt(origin).metadata
    expect([yield* revoke(grantAt(origin, { metadata })), forms.length]).toEqual([true, 0])
  })

  test.scoped("[A2] an authorization server that is silent is waited for ten seconds", function*() {
    const { forms, origin } = yield* serving(undefined)
    const revoking = yield* Effect.fork(revoke(grantAt(origin)))
    yield* Effect.promise(() => expect.poll(() => forms.length).toBe(1))
    yield* TestClock.adjust("9999 millis")
    expect(Option.isNone(yield* Fiber.poll(revoking))).toBe(true)
    yield* TestClock.adjust("1 millis")
    expect(yield* Fiber.join(revoking)).toBe(false)
  })

  test.scopedLive("[X2] tokens of a server that is elsewhere are sent to this machine only where the user has named it", function*() {
    const { forms, origin } = yield* serving(200)
    const server = "https://203.0.113.7/mcp"
    for (const issuer of [undefined, "http://127.0.0.1:9", "https://login.example"]) {
      const revoked = yield* revoke(grantAt(origin, { server }, { issuer }))
      expect([issuer, revoked, forms.length]).toEqual([issuer, false, 0])
    }
    expect([yield* revoke(grantAt(origin, { server }, { issuer: origin })), forms.length]).toEqual([true, 1])
  })
})
