import { assert, describe, it } from "@effect/vitest"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import { auth } from "@modelcontextprotocol/sdk/client/auth.js"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"
import * as Harness from "./fixtures/Harness.js"

const answer = (response: ServerResponse, status: number, headers: Record<string, string> = {}, body = "") => {
  response.writeHead(status, headers).end(body)
  return true
}

/** A server that wants a login, and the provider of a program whose user logs in with a browser. */
const setup = Effect.gen(function*() {
  const server = yield* Harness.server
  const origin = new URL(server.url).origin
  /** What a token has to be, and what is said to those who have another. */
  const demand = { token: "token-1", status: 401, challenge: "Bearer" }
  const grant = { token: "token-1" }
  server.hook = ({ headers, response, url }) => {
    const json = (value: unknown) =>
      answer(response, 200, { "content-type": "application/json" }, JSON.stringify(value))
    if (url.startsWith("/.well-known/oauth-protected-resource")) {
      return json({ resource: server.url, authorization_servers: [origin] })
    }
    if (url.startsWith("/.well-known/")) {
      return json({
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        response_types_supported: ["code"],
        code_challenge_methods_supported: ["S256"]
      })
    }
    if (url === "/token") return json({ access_token: grant.token, token_type: "bearer" })
    if (headers["authorization"] === `Bearer ${demand.token}`) return undefined
    return answer(response, demand.status, { "www-authenticate": demand.challenge })
  }

  let verifier = ""
  let tokens: ReturnType<OAuthClientProvider["tokens"]>
  const logins: Array<URL> = []
  const provider = {
    redirectUrl: "http://127.0.0.1/callback",
    clientMetadata: { redirect_uris: ["http://127.0.0.1/callback"] },
    clientInformation: () => ({ client_id: "me", issuer: origin }),
    tokens: () => tokens,
    saveTokens: (saved) => {
      tokens = saved
    },
    redirectToAuthorization: (url: URL): void | Promise<void> => {
      logins.push(url)
    },
    saveCodeVerifier: (saved) => {
      verifier = saved
    },
    codeVerifier: () => verifier
  } satisfies OAuthClientProvider
  /** What the program does when the browser comes back. */
  const finish = () => auth(provider, { serverUrl: server.url, authorizationCode: "code" })
  const connector = HttpConnector.make({ url: server.url, authProvider: provider })
  return { connector, demand, finish, grant, logins, provider, server }
})

describe("logging in", () => {
  it.scopedLive("[T7] a login that is under way is asked for once, and used when it is over", () =>
    Effect.gen(function*() {
      const { connector, finish, logins } = yield* setup
      for (let attempt = 0; attempt < 3; attempt++) {
        const error = yield* Effect.flip(Harness.connect(connector))
        assert.deepStrictEqual([error.reason, error.incurable], ["unauthorized", false])
      }
      assert.strictEqual(logins.length, 1)
      yield* Effect.promise(finish)
      const { call } = yield* Harness.connect(connector)
      yield* call()
      assert.strictEqual(logins.length, 1)
    }))

  it.scopedLive("[T7] a provider that waits for the login until it is over: the attempt itself succeeds", () =>
    Effect.gen(function*() {
      const { connector, finish, logins, provider } = yield* setup
      const ask = provider.redirectToAuthorization
      provider.redirectToAuthorization = async (url) => {
        await ask(url)
        await finish()
      }
      const { call } = yield* Harness.connect(connector)
      yield* call()
      assert.strictEqual(logins.length, 1)
    }))

  it.scopedLive("[T7] a token that is refused after a login leads to the next login", () =>
    Effect.gen(function*() {
      const { connector, demand, finish, grant, logins } = yield* setup
      yield* Effect.flip(Harness.connect(connector))
      yield* Effect.promise(finish)
      const { call } = yield* Harness.connect(connector)
      demand.token = grant.token = "token-2"
      assert.strictEqual((yield* Effect.flip(call())).reason, "unauthorized")
      assert.strictEqual((yield* Effect.flip(call())).reason, "unauthorized")
      assert.strictEqual(logins.length, 2)
      yield* Effect.promise(finish)
      yield* call()
      assert.strictEqual(logins.length, 2)
    }))

  it.scopedLive("[T7] more rights are asked for once: a scope that is not granted is not asked for with every call", () =>
    Effect.gen(function*() {
      const { connector, demand, finish, grant, logins } = yield* setup
      yield* Effect.flip(Harness.connect(connector))
      yield* Effect.promise(finish)
      const { call } = yield* Harness.connect(connector)
      const want = (scope: string) => `Bearer error="insufficient_scope", scope="${scope}"`
      Object.assign(demand, { token: "never", status: 403, challenge: want("admin") })
      for (let login = 0; login < 3; login++) {
        const error = yield* Effect.flip(call())
        assert.deepStrictEqual([error.fate, error.reason], ["rejected", "unauthorized"])
        grant.token = `token-${login + 2}`
        if (login === 0) yield* Effect.promise(finish)
      }
      assert.strictEqual(logins.length, 2)
      assert.strictEqual(logins[1]?.searchParams.get("scope"), "admin")
      demand.challenge = want("write")
      yield* Effect.flip(call())
      assert.strictEqual(logins.length, 3)
      assert.strictEqual(logins[2]?.searchParams.get("scope"), "write")
    }))
})
