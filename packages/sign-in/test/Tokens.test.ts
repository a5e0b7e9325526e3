import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Chunk, Clock, Effect, Either, Fiber, Redacted, TestClock } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { folder } from "../../testing/test/support/folder.js"
import { listening } from "../../testing/test/support/listening.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Client from "../src/Client.js"
import type { Discovered } from "../src/Discovery.js"
import * as Grant from "../src/Grant.js"
import * as Login from "../src/Login.js"
import { placesFor } from "../src/places.js"
import * as Registration from "../src/Registration.js"
import * as SignIn from "../src/SignIn.js"
import * as TokenEndpoint from "../src/TokenEndpoint.js"
import { grant, keep } from "./support/grants.js"
import * as SignIns from "./support/SignIns.js"
import { addressOf, clientsIn, grantsIn, inTime, login, network, reaches, server, turn } from "./support/SignIns.js"
import { json, metadataOf as metadataAt, StubNetwork } from "./support/StubNetwork.js"

const metadataOf = (more: Partial<Discovered["metadata"]> = {}): Discovered["metadata"] => ({
  ...metadataAt(login),
  ...more
})

const discoveredOf = (more: Partial<Discovered> = {}): Discovered => ({
  issuer: login,
  metadata: metadataOf(),
  resource: server,
  isGuessed: false,
  scopes: undefined,
  ...more
})

const clientOf = (more: Partial<Client.Client> = {}): Client.Client => ({
  origin: "registered",
  id: "a client",
  redirects: [],
  ...more
})

const detailOf = (outcome: Either.Either<unknown, { readonly detail: string }>) =>
  Either.isLeft(outcome) ? outcome.left.detail : "none"

describe("the token endpoint", () => {
  const ask = (client: Client.Client, methods?: ReadonlyArray<string>, signingKey?: Client.SigningKey) =>
    Effect.gen(function*() {
      const network = new StubNetwork().authServer(login)
      const metadata = metadataOf({ token_endpoint_auth_methods_supported: methods })
      const asker = { fetch: network.fetch, metadata, client, signingKey, resource: server }
      const outcome = yield* Effect.either(
        TokenEndpoint.tokens(asker, { grant_type: "refresh_token", scope: undefined, refresh_token: "r" })
      )
      const [asked] = network.asked
      const [form] = network.forms(`${login}/token`)
      return { outcome, form, authorization: asked?.headers.get("authorization"), asked }
    })

  test.effect("[A1] a client shows who it is as was agreed, and each of its texts is encoded", function*() {
    const secret = Redacted.make("s:e c+ä")
    const known = clientOf({ id: "a:b", secret })
    const basic = `Basic ${Buffer.from("a%3Ab:s%3Ae+c%2B%C3%A4").toString("base64")}`
    const form = { grant_type: "refresh_token", refresh_token: "r", resource: server }
    const [post, none] = [["client_secret_post"], { ...form, client_id: "a client" }]
    const posted = { ...form, client_id: "a:b", client_secret: "s:e c+ä" }
    const clients = [
      [known, undefined, basic, form],
      [known, post, null, posted],
      [{ ...known, authentication: "client_secret_post" }, [...post, "client_secret_basic"], null, posted],
      [clientOf(), undefined, null, none],
      [clientOf({ secret, authentication: "none" }), ["none"], null, none]
    ] as const
    for (const [client, methods, authorization, form] of clients) {
      const { asked, ...sent } = yield* ask(client, methods)
      expect(sent).toEqual({ outcome: expect.objectContaining({ _tag: "Right" }), authorization, form })
      expect(asked).toMatchObject({ method: "POST" })
      expect(asked?.headers.get("content-type")).toBe("application/x-www-form-urlencoded")
      expect(asked?.headers.get("accept")).toBe("application/json")
    }
  })

  test.scoped("[A1] a key signs in place of a secret; one that cannot be read or used is told", function*() {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString()
    const key = { key: Redacted.make(pem), algorithm: "ES256" }
    const signed = yield* ask(clientOf({ secret: Redacted.make("s") }), undefined, key)
    expect(signed.authorization).toBeNull()
    expect(signed.form?.["client_assertion_type"]).toContain("jwt-bearer")
    expect(signed.form).not.toHaveProperty("client_secret")
    const claims = Buffer.from(signed.form?.["client_assertion"]?.split(".")[1] ?? "", "base64url").toString()
    expect(JSON.parse(claims)).toMatchObject({ iss: "a client", sub: "a client", aud: login })
    const signing = { file: join(yield* folder, "key.pem"), algorithm: "ES256" }
    const unread = yield* ask(clientOf(), undefined, signing)
    expect(detailOf(unread.outcome)).toContain(`the private key ${signing.file} cannot be read`)
    writeFileSync(signing.file, pem)
    expect((yield* ask(clientOf(), undefined, signing)).form).toHaveProperty("client_assertion")
    expect((yield* ask(clientOf({ signing }))).form).toHaveProperty("client_assertion")
    const wrong = yield* ask(clientOf(), undefined, { key: Redacted.make("no key"), algorithm: "ES256" })
    expect(detailOf(wrong.outcome)).toContain("the private key cannot sign with ES256")
    expect(wrong.asked).toBeUndefined()
  })

  test.effect("[A2] tokens live from when they came, if they say how long", function*() {
    yield* TestClock.adjust("1 hour")
    const network = new StubNetwork()
    const known = { metadata: metadataOf(), client: clientOf() }
    const asker = { ...known, fetch: network.fetch, signingKey: undefined, resource: undefined }
    const answers = [
      [{ expires_in: 60 }, 3_660_000],
      [{ expires_in: "60" }, 3_660_000],
      [{ expires_in: null }, undefined],
      [{}, undefined]
    ] as const
    for (const [more, expiresAt] of answers) {
      const token = { access_token: "a", token_type: "Bearer", refresh_token: "r", scope: "s", ...more }
      network.at(`${login}/token`, token)
      const tokens = { access: Redacted.make("a"), refresh: Redacted.make("r"), scope: "s", expiresAt }
      expect(yield* TokenEndpoint.tokens(asker, { grant_type: "x" })).toEqual(tokens)
    }
    expect(network.forms(`${login}/token`)[0]).not.toHaveProperty("resource")
    network.at(`${login}/token`, { access_token: "a", token_type: "bearer" })
    expect(yield* TokenEndpoint.tokens(asker, { grant_type: "x" })).toMatchObject({
      refresh: undefined,
      scope: undefined
    })
    const away = { ...asker, metadata: metadataOf({ token_endpoint: "http://login.example/token" }) }
    expect(detailOf(yield* Effect.either(TokenEndpoint.tokens(away, { grant_type: "x" })))).toContain("is not https")
  })
})

describe("an authorization server that deviates from what is specified", () => {
  const answered = (answer: () => Response) => {
    const { fetch } = new StubNetwork().at(`${login}/token`, answer)
    const known = { metadata: metadataOf(), client: clientOf(), signingKey: undefined, resource: undefined }
    return Effect.either(TokenEndpoint.tokens({ ...known, fetch }, { grant_type: "x" }))
  }
  const good = { access_token: "a", token_type: "Bearer" }

  test.effect("[A1] tokens are taken with any status of success, of any type, with null for nothing, and whatever id_token comes along", function*() {
    const none = { access: Redacted.make("a"), refresh: undefined, scope: undefined, expiresAt: undefined }
    const endless = ["1e999", `"NaN"`, `"Infinity"`].map((never) => () =>
      new Response(`{"access_token":"a","token_type":"Bearer","expires_in":${never}}`)
    )
    const answers = [
      () => json(201, good),
      () => json(200, good, { "content-type": "text/plain" }),
      () => json(200, good, { "www-authenticate": "Bearer" }),
      () => json(200, { ...good, expires_in: null, refresh_token: null, scope: null }),
      () => json(200, { ...good, refresh_token: "" }),
      () => json(200, { ...good, id_token: "no.jwt.at-all" }),
      () => json(200, { ...good, id_token: 1 }),
      ...endless
    ]
    for (const answer of answers) expect(Either.getOrThrow(yield* answered(answer))).toEqual(none)
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
})

describe("the client of a login", () => {
  const choose = (
    options: Partial<Parameters<typeof Registration.choose>[0]> = {},
    network = new StubNetwork().authServer(login)
  ) =>
    Effect.map(
      Effect.either(Registration.choose({
        fetch: network.fetch,
        discovered: discoveredOf(),
        configured: {},
        kept: undefined,
        redirect: "http://localhost:1/callback",
        scope: undefined,
        now: 1000,
        ...options
      })),
      (outcome) => ({ outcome, network, client: Either.getOrUndefined(outcome) })
    )

  test.effect("[A1] is the configured one, one with a document, one that was registered, or a new one, in this order", function*() {
    const document = "https://lifeline.example/client.json"
    const withDocuments = discoveredOf({ metadata: metadataOf({ client_id_metadata_document_supported: true }) })
    const kept = clientOf({ id: "kept", redirects: ["http://localhost:1/callback"] })
    const both = yield* choose({ configured: { id: "mine", document }, discovered: withDocuments, kept })
    expect(both.client).toMatchObject({ origin: "configured", id: "mine" })
    const described = yield* choose({ configured: { document }, discovered: withDocuments, kept })
    expect(described.client).toEqual({ origin: "document", id: document, authentication: "none", redirects: [] })
    expect((yield* choose({ configured: { document }, kept })).client).toEqual(kept)
    const fresh = yield* choose()
    expect(fresh.client).toMatchObject({
      origin: "registered",
      id: `registered at ${login}`,
      redirects: ["http://localhost:1/callback"]
    })
    for (const used of [both, described]) expect(used.network.asked).toEqual([])
    const origins = ["https://lifeline.example", "https://lifeline.example/"]
    for (const wrong of [...origins, "http://lifeline.example/client.json", "client.json"]) {
      const { outcome } = yield* choose({ configured: { document: wrong }, discovered: withDocuments })
      expect(detailOf(outcome)).toContain("cannot be a client id")
    }
  })

  test.effect("[A1] one that was registered is used with its redirect, and until it ends", function*() {
    const kept = clientOf({ id: "kept", redirects: ["http://localhost:1/callback"] })
    const idOf = (changes: Partial<Client.Client>) =>
      Effect.map(choose({ kept: { ...kept, ...changes } }), ({ client }) => client?.id)
    expect(yield* idOf({})).toBe("kept")
    expect(yield* idOf({ expiresAt: 1001 })).toBe("kept")
    expect(yield* idOf({ expiresAt: 1000 })).not.toBe("kept")
    expect(yield* idOf({ offeredUntil: 1001 })).toBe("kept")
    expect(yield* idOf({ offeredUntil: 1000 })).toBe(`registered at ${login}`)
    expect(yield* idOf({ redirects: ["http://localhost:2/callback"] })).not.toBe("kept")
  })

  test.effect("[A1] what is registered says what it needs, and no more", function*() {
    const sent = (options: Parameters<typeof choose>[0] = {}) =>
      Effect.map(
        choose(options),
        ({ network }) => JSON.parse(network.asked[0]?.body ?? "{}") as Record<string, unknown>
      )
    expect(yield* sent({ scope: "a b" })).toEqual({
      client_name: "Lifeline",
      application_type: "native",
      redirect_uris: ["http://localhost:1/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      scope: "a b"
    })
    expect(yield* sent()).not.toHaveProperty("scope")
    const methods = [
      [["client_secret_post", "none"], "none"],
      [["client_secret_post", "client_secret_basic"], "client_secret_basic"],
      [["client_secret_post"], "client_secret_post"],
      [["private_key_jwt"], undefined]
    ] as const
    for (const [token_endpoint_auth_methods_supported, method] of methods) {
      const metadata = metadataOf({ token_endpoint_auth_methods_supported })
      const body = yield* sent({ discovered: discoveredOf({ metadata }) })
      expect(body["token_endpoint_auth_method"]).toBe(method)
    }
  })

  const answered = (status: number, answer: unknown, discovered = discoveredOf()) =>
    choose({ discovered }, new StubNetwork().at(`${login}/register`, () => json(status, answer)))

  test.effect("[A1] is registered with any status of success, and with a secret that does not say when it ends", function*() {
    const answers = [
      [200, { client_id: "c", client_secret: "s" }, Redacted.make("s")],
      [201, { client_id: "c", client_secret: "s", client_secret_expires_at: null }, Redacted.make("s")],
      [201, { client_id: "c", client_secret: null }, undefined]
    ] as const
    for (const [status, answer, secret] of answers) {
      expect((yield* answered(status, answer)).client).toMatchObject({ id: "c", secret, expiresAt: undefined })
    }
  })

  test.effect("[A1] what was answered is kept; what is no answer is told", function*() {
    const { client } = yield* answered(201, {
      client_id: "c",
      client_secret: "s",
      client_secret_expires_at: 2000,
      token_endpoint_auth_method: "client_secret_post"
    })
    const secret = Redacted.make("s")
    expect(client).toMatchObject({ id: "c", secret, expiresAt: 2_000_000, authentication: "client_secret_post" })
    const endless = yield* answered(201, { client_id: "c", client_secret_expires_at: 0 })
    expect(endless.client).toMatchObject({ expiresAt: undefined, secret: undefined })
    const closed = discoveredOf({ metadata: metadataOf({ registration_endpoint: undefined }) })
    const refusals = [
      [yield* answered(200, { id: "c" }), "answers a registration with no client id"],
      [yield* answered(400, { error: "no" }), `${login} does not register a client: no`],
      [
        yield* answered(404, {}, discoveredOf({ isGuessed: true })),
        `the server wants credentials, and offers no login at ${login}: give it headers`
      ],
      [yield* choose({ discovered: closed }), "registers no clients by itself"]
    ] as const
    for (const [{ outcome }, detail] of refusals) expect(detailOf(outcome)).toContain(detail)
  })
})

describe("a login", () => {
  const request = (network: StubNetwork, more: Partial<Login.Request> = {}): Login.Request => ({
    fetch: network.fetch,
    server,
    account: "default",
    discovered: discoveredOf(),
    scope: "a b",
    configured: {},
    kept: undefined,
    places: [{ host: "localhost", port: 0, path: "/callback" }],
    ...more
  })
  const begin = (more: Partial<Login.Request> = {}, network = new StubNetwork().authServer(login)) =>
    Effect.either(Login.begin(request(network, more)))

  test.scopedLive("[A1] its address has all that it needs, and each has a state and a verifier of its own", function*() {
    const [one, two] = [Either.getOrThrow(yield* begin()), Either.getOrThrow(yield* begin())]
    const { login: first } = one
    const parameters = Object.fromEntries(new URL(first.address).searchParams)
    expect(first.address.startsWith(`${login}/authorize?`)).toBe(true)
    expect(parameters).toMatchObject({
      response_type: "code",
      client_id: `registered at ${login}`,
      code_challenge_method: "S256",
      scope: "a b",
      resource: server,
      redirect_uri: one.listener.redirect
    })
    expect(parameters["state"]).toMatch(/^[\w-]{32}$/)
    expect(first).toMatchObject({ opened: false, issuer: login, account: "default", resource: server })
    const other = new URL(two.login.address).searchParams
    for (const own of ["state", "code_challenge"]) expect(other.get(own)).not.toBe(parameters[own])
    const plain = Either.getOrThrow(
      yield* begin({ scope: undefined, discovered: discoveredOf({ resource: undefined }) })
    )
    const { searchParams } = new URL(plain.login.address)
    expect([searchParams.has("scope"), searchParams.has("resource")]).toEqual([false, false])
  })

  test.scopedLive("[A1] without S256, without codes, or with no free port there is none", function*() {
    const cases = [
      [{ code_challenge_methods_supported: undefined }, "PKCE with S256"],
      [{ code_challenge_methods_supported: ["plain"] }, "PKCE with S256"],
      [{ response_types_supported: ["token"] }, "offers no login with a code"],
      [{ response_types_supported: undefined }, "none"],
      [{ authorization_endpoint: undefined }, "no valid authorization endpoint"]
    ] as const
    for (const [metadata, detail] of cases) {
      expect(detailOf(yield* begin({ discovered: discoveredOf({ metadata: metadataOf(metadata) }) }))).toContain(detail)
    }
    const port = Number(new URL(yield* listening(createServer())).port)
    const place = { host: "localhost", port, path: "/callback" }
    expect(detailOf(yield* begin({ places: [place] }))).toContain(`port ${port} is taken`)
    expect(Either.isRight(yield* begin({ places: [place, { ...place, port: 0 }] }))).toBe(true)
  })
})

describe("tokens that are kept", () => {
  const grantOf = (more: Partial<Grant.Grant> = {}) =>
    grant({
      metadata: metadataOf(),
      resource: server,
      client: clientOf(),
      access: Redacted.make("access"),
      refresh: Redacted.make("refresh"),
      scope: "a",
      asked: "a",
      expiresAt: 1_000_000,
      ...more
    })
  const make = (kept: Grant.Grant, net = network("new"), options: Partial<SignIn.Options> = {}) =>
    Effect.gen(function*() {
      const path = yield* folder
      yield* keep(StateFolder.make(path), { grants: [kept] })
      const refreshes = () =>
        net.forms(`${login}/token`).filter((form) => form["grant_type"] === "refresh_token").length
      const all = Effect.all({ grants: grantsIn(path), clients: clientsIn(path) })
      return { ...yield* SignIns.make(net, path, options), network: net, refreshes, kept: all }
    })

  test.scoped("[A2] that cannot be renewed just now are used while they are good, and fail with why afterwards", function*() {
    const away = network().at(`${login}/token`, () => json(503, {}))
    const { kept, signIn, token } = yield* make(grantOf({ expiresAt: 100_000 }), away)
    yield* TestClock.adjust("90 seconds")
    expect(yield* token).toBe("access")
    expect((yield* signIn.state)._tag).toBe("Later")
    yield* TestClock.adjust("10 seconds")
    expect(yield* token).toContain("is not ready: HTTP 503")
    expect((yield* kept).grants).toHaveLength(1)
  })

  /** A client whose redirect is free, so that it need not be registered anew for a login. */
  const client = () =>
    clientOf({
      redirects: placesFor(StateFolder.key(server, "default")).map(({ port }) => `http://localhost:${port}/callback`)
    })

  const refusing = (times: number, refusal: () => Response) => {
    let count = 0
    const answer = () => ++count <= times ? refusal() : json(200, { access_token: "good again", token_type: "Bearer" })
    return network().at(`${login}/token`, answer)
  }

  /** Waits until a person is asked: that takes real time, for files and ports. */
  const isAsking = (signIn: SignIn.SignIn) => reaches(signIn, "LoginNeeded")

  const ofUnknownClients = ["invalid_client", "unauthorized_client"]
  const ofTokens = ["invalid_grant", "unsupported_grant_type", "invalid_scope", "invalid_target", "access_denied"]
  const codes = [...ofUnknownClients, ...ofTokens, "invalid_request", "server_error", "refresh_token_expired"]
  const refusals: ReadonlyArray<readonly [string, () => Response]> = [
    ...codes.map((error) => [error, () => json(400, { error })] as const),
    ["a text", () => new Response("Refresh token is expired", { status: 400 })],
    ["another object", () => json(401, { message: "revoked" })],
    ["404", () => new Response("", { status: 404 })],
    ["an error with 200", () => json(200, { error: "bad_refresh_token" })]
  ]

  test.scoped("[A2] whose refresh token is refused are renewed when it is taken at the second or third try, and nobody is asked", function*() {
    for (const [name, refusal] of refusals) {
      for (const times of [1, 2]) {
        const { kept, refreshes, renew, signIn, token } = yield* make(grantOf(), refusing(times, refusal))
        expect([name, yield* inTime(renew), refreshes()]).toEqual([name, Either.right(true), times + 1])
        expect([yield* token, (yield* signIn.state)._tag]).toEqual(["good again", "SignedIn"])
        expect((yield* kept).clients.map(({ id }) => id)).toEqual(["a client"])
      }
    }
  })

  test.scoped.each(
    [
      [1000, 2, "LoginNeeded"],
      [60_000, 2, "LoginNeeded"],
      [121_000, 3, "SignedIn"]
    ] as const
  )(
    "[A2] that are refused as soon as they are renewed lead to a login after two of them, and later ones do not: %s",
    function*([pause, times, tag]) {
      const { refreshes, renew, signIn } = yield* make(grantOf({ expiresAt: undefined }))
      for (let time = 0; time < 3; time++) {
        yield* inTime(renew)
        yield* TestClock.adjust(pause)
      }
      yield* reaches(signIn, tag)
      expect(refreshes()).toBe(times)
    }
  )

  test.scoped("[A2] that are refused as soon as they are renewed now and then, and good for two minutes in between, lead to no login", function*() {
    const { refreshes, renew, signIn } = yield* make(grantOf({ expiresAt: undefined }))
    for (let round = 1; round <= 4; round++) {
      for (const good of ["1 second", "121 seconds"] as const) {
        expect([round, yield* inTime(renew)]).toEqual([round, Either.right(true)])
        yield* TestClock.adjust(good)
      }
    }
    expect([refreshes(), (yield* signIn.state)._tag]).toEqual([8, "SignedIn"])
  })

  test.scoped("[A2] of a machine that are refused as soon as they are given are not asked for again and again", function*() {
    const { network, renew } = yield* make(grantOf({ method: "credentials", expiresAt: undefined }))
    const given = () => network.forms(`${login}/token`).length
    for (let time = 0; time < 10; time++) {
      yield* inTime(renew)
      yield* TestClock.adjust("5 seconds")
    }
    expect(given()).toBe(2)
    expect(yield* inTime(renew)).toMatchObject({
      left: { detail: expect.stringContaining("refuses each token") }
    })
  })

  test.scoped("[A1] a login is begun by itself only where the configuration has no credentials of its own", function*() {
    const made = (kept: Grant.Grant) => make(kept, network("new"), { isAutomatic: false })
    const other = yield* made(grantOf({ server: "https://other.example/mcp" }))
    expect(yield* inTime(other.renew)).toEqual(Either.right(false))
    expect([other.network.asked, (yield* other.signIn.state)._tag]).toEqual([[], "NotAsked"])
    const mine = yield* made(grantOf({ expiresAt: undefined }))
    expect([yield* mine.token, yield* inTime(mine.renew)]).toEqual(["access", Either.right(true)])
  })

  test.scoped("[A2] a refresh token that was refused is tried again 2 s and 10 s later", function*() {
    const { refreshes, renew } = yield* make(grantOf(), refusing(2, () => json(400, { error: "invalid_grant" })))
    const renewing = yield* Effect.fork(renew)
    for (const [time, tries] of [[2000, 1], [10_000, 2]] as const) {
      while (!Chunk.contains(yield* TestClock.sleeps(), time)) yield* turn
      expect(refreshes()).toBe(tries)
      yield* TestClock.setTime(time)
    }
    expect([yield* Fiber.join(renewing), refreshes()]).toEqual([Either.right(true), 3])
  })

  test.scoped.each(refusals)(
    "[A2] whose refresh token is refused each time lead to a login, whatever the refusal says, and are kept: %s",
    function*([name, refusal]) {
      const refuses = refusing(Infinity, refusal)
      const { kept, refreshes, renew, signIn } = yield* make(grantOf({ client: client() }), refuses)
      yield* inTime(renew)
      yield* isAsking(signIn)
      expect(refreshes()).toBe(3)
      const { clients, grants } = yield* kept
      expect(grants).toMatchObject([{ access: Redacted.make("access"), client: { id: "a client" } }])
      // A client that is not known any more could not log in.
      const id = ofUnknownClients.includes(name) ? `registered at ${login}` : "a client"
      expect(clients).toEqual([expect.objectContaining({ id })])
    }
  )

  test.scoped("[A1] a client with which nobody finishes a login is registered anew, by itself once a day, and when a person asks", function*() {
    let registered = 0
    const counted = refusing(Infinity, () => json(400, { error: "invalid_grant" }))
      .at(`${login}/register`, () => json(201, { client_id: `client ${++registered}` }))
    const { kept, renew, signIn } = yield* make(grantOf({ client: client() }), counted)
    const offered = Effect.gen(function*() {
      yield* inTime(renew)
      yield* isAsking(signIn)
      const { searchParams } = new URL(yield* addressOf(signIn))
      yield* TestClock.adjust("10 minutes")
      yield* reaches(signIn, "Refused")
      return searchParams.get("client_id")
    })
    expect([yield* offered, yield* offered]).toEqual(["a client", "client 1"])
    yield* TestClock.adjust("1 day")
    expect(yield* offered).toBe("client 2")
    yield* signIn.askAgain
    expect(yield* offered).toBe("client 3")
    expect((yield* kept).clients).toHaveLength(1)
  })

  test.scoped.each([undefined, 0])(
    "[A2] that were refused are not sent, and are tried once a minute while a person is asked (end: %s)",
    function*(expiresAt) {
      const refuses = refusing(4, () => json(400, { error: "invalid_grant" }))
      const made = yield* make(grantOf({ client: client(), expiresAt }), refuses)
      const { kept, refreshes, renew, signIn, token } = made
      if (expiresAt !== undefined) expect(yield* inTime(token)).toBeUndefined()
      yield* inTime(renew)
      yield* isAsking(signIn)
      const before = refreshes()
      yield* renew
      expect([yield* token, refreshes()]).toEqual([undefined, before])
      for (let minutes = 1; minutes <= 5 - before; minutes++) {
        expect((yield* signIn.state)._tag).toBe("LoginNeeded")
        yield* TestClock.adjust("1 minute")
        yield* renew
        expect(refreshes()).toBe(before + minutes)
      }
      expect([yield* token, (yield* signIn.state)._tag]).toEqual(["good again", "SignedIn"])
      expect((yield* kept).grants).toHaveLength(1)
    }
  )

  test.scoped("[A2] that cannot be renewed just now, or where no authorization server answers, lead to no login", function*() {
    const others = [
      [() => json(503, {}), "Later"],
      [() => json(429, { error: "slow_down" }), "Later"],
      [() => new Response("<html>Log in to this network</html>"), "Refused"]
    ] as const
    for (const [answer, tag] of others) {
      const { kept, refreshes, renew, signIn } = yield* make(grantOf(), refusing(Infinity, answer))
      yield* renew
      expect([(yield* signIn.state)._tag, refreshes(), (yield* kept).grants.length]).toEqual([tag, 1, 1])
    }
  })

  test.scoped("[A1] for more rights nothing is refreshed; what was asked for and not given is asked for again after 10 minutes", function*() {
    const challenge = `Bearer error="insufficient_scope", scope="write"`
    const more = yield* make(grantOf({ expiresAt: undefined }))
    yield* more.refused(403, challenge)
    expect(yield* more.signIn.state).toMatchObject({
      _tag: "LoginNeeded",
      stepUp: true,
      address: expect.stringContaining("scope=a+write")
    })
    expect(more.refreshes()).toBe(0)
    const start = yield* Clock.currentTimeMillis
    const vain = yield* make(grantOf({ asked: "a write", obtainedAt: start, expiresAt: undefined }))
    yield* TestClock.adjust("599999 millis")
    expect(yield* vain.refused(403, challenge)).toEqual(Either.right(false))
    expect((yield* vain.signIn.state)._tag).toBe("SignedIn")
    yield* TestClock.adjust("1 millis")
    yield* vain.refused(403, challenge)
    expect((yield* vain.signIn.state)._tag).toBe("LoginNeeded")
  })

  test.scoped("[A1] a login that is asked for before anything has connected reads no endless answer", function*() {
    let bytes = 0
    const endless = createServer((_, response) => {
      const write = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, " "))) bytes += 65_536
        if (!response.destroyed) response.once("drain", write)
      }
      response.writeHead(200, { "content-type": "application/json" })
      write()
    })
    const url = `${yield* listening(endless)}/mcp`
    const { signIn } = yield* SignIns.make(network(), yield* folder, { url })
    expect(yield* Effect.flip(signIn.login)).toMatchObject({
      _tag: "Later",
      detail: expect.stringContaining("longer than 1048576 bytes")
    })
    expect(bytes).toBeLessThan(64 * 1024 * 1024)
  })
})
