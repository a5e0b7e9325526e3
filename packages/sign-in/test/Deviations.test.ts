import { Effect, Either, Redacted } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Registration from "../src/Registration.js"
import * as TokenEndpoint from "../src/TokenEndpoint.js"
import { json, StubNetwork } from "./support/StubNetwork.js"

const login = "https://login.example"

const metadata = { issuer: login, token_endpoint: `${login}/token`, registration_endpoint: `${login}/register` }

describe("an authorization server that deviates from what is specified", () => {
  const asker = (network: StubNetwork): TokenEndpoint.Asker => ({
    fetch: network.fetch,
    metadata,
    client: { origin: "registered", id: "a client", redirects: [] },
    signingKey: undefined,
    resource: undefined
  })
  const answered = (answer: () => Response) => {
    const network = new StubNetwork().at(`${login}/token`, answer)
    return Effect.either(TokenEndpoint.tokens(asker(network), { grant_type: "x" }))
  }
  const good = { access_token: "a", token_type: "Bearer" }

  test.effect("[A1] tokens are taken with any status of success, of any type, with null for nothing, and whatever id_token comes along", function*() {
    const answers = [
      () => json(201, good),
      () => json(200, good, { "content-type": "text/plain" }),
      () => json(200, good, { "www-authenticate": "Bearer" }),
      () => json(200, { ...good, expires_in: null, refresh_token: null, scope: null }),
      () => json(200, { ...good, refresh_token: "" }),
      () => json(200, { ...good, id_token: "no.jwt.at-all" }),
      () => json(200, { ...good, id_token: 1 })
    ]
    for (const answer of answers) {
      const tokens = Either.getOrThrow(yield* answered(answer))
      expect({ ...tokens, access: Redacted.value(tokens.access) }).toEqual({
        access: "a",
        refresh: undefined,
        scope: undefined,
        expiresAt: undefined
      })
    }
    for (const never of ["1e999", `"NaN"`, `"Infinity"`]) {
      const text = `{"access_token":"a","token_type":"Bearer","expires_in":${never}}`
      expect(Either.getOrThrow(yield* answered(() => new Response(text))).expiresAt).toBeUndefined()
    }
  })

  test.effect("[A2] the code of an error counts with any status and type, also beside a challenge for other credentials", function*() {
    const answers = [
      () => json(401, { error: "invalid_client" }, { "www-authenticate": `Basic realm="clients"` }),
      () => json(400, { error: "invalid_client" }, { "content-type": "text/html" }),
      () => json(403, { error: "invalid_client" })
    ]
    for (const answer of answers) {
      expect(yield* answered(answer)).toMatchObject({ left: { _tag: "Refused", code: "invalid_client" } })
    }
  })

  test.effect("[A1] a client is registered with any status of success, and with a secret that does not say when it ends", function*() {
    const answers = [
      [200, { client_id: "c", client_secret: "s" }, "s"],
      [201, { client_id: "c", client_secret: "s", client_secret_expires_at: null }, "s"],
      [201, { client_id: "c", client_secret: null }, undefined]
    ] as const
    for (const [status, answer, secret] of answers) {
      const client = yield* Registration.choose({
        fetch: new StubNetwork().at(`${login}/register`, () => json(status, answer)).fetch,
        discovered: { issuer: login, metadata, resource: undefined, isGuessed: false, scopes: undefined },
        configured: {},
        kept: undefined,
        redirect: "http://localhost:1/callback",
        scope: undefined,
        now: 1000
      })
      expect([client.id, client.secret && Redacted.value(client.secret), client.expiresAt]).toEqual([
        "c",
        secret,
        undefined
      ])
    }
  })
})
