import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Redacted } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, it, test, vi } from "../../testing/test/support/vitest.js"
import { isAddress, isSameIssuer, isSecure } from "../src/addresses.js"
import { ask, endpoint, property, refusal } from "../src/ask.js"
import * as Challenge from "../src/Challenge.js"
import * as Client from "../src/Client.js"
import * as Discovery from "../src/Discovery.js"
import { quoted, reasonOf } from "../src/Failures.js"
import * as Grant from "../src/Grant.js"
import * as scopes from "../src/scopes.js"
import * as State from "../src/State.js"
import * as grants from "./support/grants.js"
import { json, StubNetwork } from "./support/StubNetwork.js"

describe("what a refusal says", () => {
  const read = (challenge: string | undefined) => Challenge.read({ status: 401, challenge })

  it("[A1] scope and metadata are read, quoted or not, in any case, and only whole parameters", () => {
    const metadata = new URL("https://a.example/m")
    const quoted = read(`Bearer scope="a b", resource_metadata="https://a.example/m"`)
    expect(quoted).toEqual({ status: 401, scope: "a b", metadata })
    const plain = read("bearer SCOPE=a,Resource_Metadata = https://a.example/m")
    expect(plain).toEqual({ status: 401, scope: "a", metadata })
    expect(read(`Bearer scope=""`).scope).toBe("")
    const none = { status: 401, scope: undefined, metadata: undefined }
    expect(read(`Bearer xscope="a", other_resource_metadata="https://a.example/m"`)).toEqual(none)
    expect(read(`Bearer scope="a, resource_metadata=https://b.example, scope=b`)).toEqual(none)
    expect([read("Bearer resource_metadata=no-address"), read(undefined), Challenge.none]).toEqual([none, none, none])
    const described =
      `Bearer error_description="say \\"a\\", scope=b, resource_metadata=https://b.example", scope="c\\d"`
    expect(read(described)).toMatchObject({ scope: "cd", metadata: undefined })
    expect(Challenge.read({ status: 403, challenge: "Bearer" }).status).toBe(403)
  })
})

describe("which addresses may get secrets", () => {
  it("[X2] https anywhere, http on this machine only", () => {
    const here = ["http://localhost:1", "http://a.localhost", "http://127.0.0.1", "http://127.9.9.9", "http://[::1]:5"]
    const posing = ["http://localhost.example", "http://127.0.0.1.example", "http://evillocalhost", "ftp://localhost"]
    const secure = (one: string) => isSecure(new URL(one))
    expect(["https://a.example", ...here].filter((one) => !secure(one))).toEqual([])
    expect(["http://a.example", "http://10.0.0.1", ...posing].filter(secure)).toEqual([])
    expect(["https://a.example", "http://a.example", "a.example"].map(isAddress)).toEqual([true, false, false])
  })

  test.effect("[A1] an endpoint that cannot be used is named without its query", function*() {
    const detail = (value: unknown) =>
      Effect.map(Effect.flip(endpoint(value, "token endpoint")), (error) => error.detail)
    for (const value of [undefined, 1, "", "no address"]) {
      expect(yield* detail(value)).toBe("the authorization server names no valid token endpoint")
    }
    expect(yield* detail("http://a.example/token?key=secret")).toBe(
      "the authorization server names a token endpoint that is not https, to which nothing is sent: http://a.example/token"
    )
    expect((yield* endpoint("https://a.example/t", "x")).href).toBe("https://a.example/t")
  })

  it("[A1] an issuer is the same with and without one slash", () => {
    const same = [["https://a", "https://a"], ["https://a/", "https://a"], ["https://a/b", "https://a/b/"]] as const
    const other = [["https://a", "https://b"], ["https://a", "https://a/b"], ["https://a//", "https://a"]] as const
    expect([...same, ...other].map(([a, b]) => isSameIssuer(a, b))).toEqual([true, true, true, false, false, false])
  })
})

describe("requests for a sign-in", () => {
  const answer = (response: () => Response | Promise<Response>) =>
    ask(async () => response(), new URL("https://a.example/x?secret=1"), {})

  test.effect("[A2] what passes by itself is told from what does not", function*() {
    for (const status of [408, 425, 429, 500, 502, 599]) {
      expect(yield* Effect.flip(answer(() => json(status, {})))).toMatchObject({
        _tag: "Later",
        detail: `https://a.example/x is not ready: HTTP ${status}`
      })
    }
    for (const status of [200, 201, 400, 401, 403, 404, 407, 409, 424, 426, 428, 430, 499]) {
      expect(yield* answer(() => json(status, { a: 1 }))).toEqual({ status, ok: status < 300, json: { a: 1 } })
    }
    expect(yield* answer(() => new Response("<p>"))).toEqual({ status: 200, ok: true, json: undefined })
    const unreachable = new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") })
    expect(yield* Effect.flip(answer(() => Promise.reject(unreachable)))).toMatchObject({
      _tag: "Later",
      detail: "https://a.example/x cannot be reached: ECONNREFUSED"
    })
  })

  test.scopedLive("[A3] a request that nobody waits for any more is given up, and each has a limit", function*() {
    const limit = vi.spyOn(AbortSignal, "timeout")
    yield* Effect.addFinalizer(() => Effect.sync(() => limit.mockRestore()))
    let signal: AbortSignal | null | undefined
    const silent: FetchLike = (_, init) => {
      signal = init?.signal
      return new Promise<Response>(() => {})
    }
    yield* Effect.ignore(Effect.timeout(ask(silent, new URL("https://a.example"), {}), "10 millis"))
    expect(signal?.aborted).toBe(true)
    expect(limit.mock.calls).toEqual([[30_000]])
  })

  it("[A1] an error of OAuth is told with its code, in one line of bearable length", () => {
    const detail = (json: unknown) => refusal("it gives no token", { status: 400, ok: false, json })
    expect(detail({ error: "invalid_grant", error_description: "used\u001b[2J\n twice" })).toMatchObject({
      _tag: "Refused",
      code: "invalid_grant",
      detail: "it gives no token: invalid_grant: used twice"
    })
    const nameless = detail({ error: "", error_description: "why" })
    expect(nameless).toMatchObject({ code: "", detail: "it gives no token: why" })
    for (const none of [undefined, null, "text", [], { error: 1 }]) {
      expect(detail(none)).toMatchObject({ code: undefined, detail: "it gives no token: HTTP 400" })
    }
    expect(detail({ error: "e".repeat(500) }).detail.length).toBeLessThan(200)
    expect([property(null, "a"), property("a", "length"), property({ a: 1 }, "a")]).toEqual([undefined, undefined, 1])
  })

  it("[X3] words of others are one line, and not long", () => {
    expect(quoted("  a\u0000\u200b\n\tb  ")).toBe("a b")
    expect(quoted("a".repeat(160))).toBe("a".repeat(160))
    expect(quoted("a".repeat(161))).toBe(`${"a".repeat(159)}…`)
    expect(reasonOf("x\ny")).toBe("x y")
    expect(reasonOf(new Error("outer", { cause: new Error("inner") }))).toBe("inner")
    expect(reasonOf(new Error("outer", { cause: new Error("") }))).toBe("outer")
    expect(reasonOf(new Error("outer", { cause: "text" }))).toBe("outer")
    expect(reasonOf(new RangeError(""))).toBe("RangeError")
  })
})

describe("where to log in", () => {
  const server = new URL("https://mcp.example/mcp")
  const login = "https://login.example"
  const discover = (network: StubNetwork, challenge: Partial<Challenge.Challenge> = {}, known?: string, url = server) =>
    Effect.either(Discovery.discover(network.fetch, url, { ...Challenge.none, ...challenge }, known))
  const wellKnown = "https://mcp.example/.well-known/oauth-protected-resource"

  test.effect("[A1] metadata are looked for where the refusal says, then at the server's path, then at its origin, once each", function*() {
    const network = new StubNetwork()
    yield* discover(network, { metadata: new URL("https://mcp.example/named") })
    const asked = () => network.asked.map(({ url }) => url)
    expect(asked().slice(0, 3)).toEqual(["https://mcp.example/named", `${wellKnown}/mcp`, wellKnown])
    network.asked.length = 0
    yield* discover(network, { metadata: new URL(`${wellKnown}/mcp`) })
    expect(asked().filter((url) => url.startsWith(wellKnown))).toEqual([`${wellKnown}/mcp`, wellKnown])
    network.asked.length = 0
    yield* discover(network, {}, undefined, new URL("https://mcp.example/"))
    expect(asked().filter((url) => url.startsWith(wellKnown))).toEqual([wellKnown])
    expect(
      network.asked.every(({ headers, method }) => method === "GET" && headers.get("accept") === "application/json")
    ).toBe(true)
  })

  test.effect("[A1] metadata by plain http, or that are no metadata, start no login", function*() {
    const refused = (detail: string) => ({ left: { _tag: "Refused", detail: expect.stringContaining(detail) } })
    const named = { metadata: new URL("http://mcp.example/named") }
    expect(yield* discover(new StubNetwork(), named)).toMatchObject(refused("that is not https"))
    const resource = (metadata: object, issuer = login, said: object = {}) =>
      new StubNetwork().authServer(login, { ...metadata }).resource(server.href, issuer, { ...said })
    const networks = [
      [resource({}, login, { authorization_servers: "x" }), "is not valid"],
      [resource({}, login, { scopes_supported: [1] }), "is not valid"],
      [resource({}, login, { resource: 1 }), "is not valid"],
      [resource({}, "http://login.example"), "issuer"],
      [resource({}, "no address"), "issuer"],
      [resource({}, "https://silent.example"), "has no metadata"],
      [resource({ issuer: "https://evil.example" }), "calls itself https://evil.example"],
      [resource({ token_endpoint: undefined }), "is not valid"]
    ] as const
    for (const [network, detail] of networks) expect(yield* discover(network)).toMatchObject(refused(detail))
  })

  test.effect("[A2] what is out of reach for a while is no reason to believe that there is none", function*() {
    const resource = new StubNetwork().at(`${wellKnown}/mcp`, () => json(503, {}))
    expect(yield* discover(resource)).toMatchObject({ left: { _tag: "Later" } })
    const issuer = new StubNetwork().resource(server.href, login)
      .at(`${login}/.well-known/oauth-authorization-server`, () => Promise.reject(new Error("away")))
    expect(yield* discover(issuer)).toMatchObject({ left: { _tag: "Later" } })
    const one = new StubNetwork().authServer(login).resource(server.href, login)
    const named = yield* discover(one.at("https://mcp.example/named", () => json(503, {})), {
      metadata: new URL("https://mcp.example/named")
    })
    expect(named).toMatchObject({ right: { issuer: login, isGuessed: false } })
  })

  test.effect("[A1] a server that says nothing of itself is its own, as in 2025-03-26; not another origin", function*() {
    const guessed = yield* discover(new StubNetwork())
    expect(guessed).toMatchObject({
      right: {
        issuer: "https://mcp.example",
        isGuessed: true,
        resource: undefined,
        metadata: {
          authorization_endpoint: "https://mcp.example/authorize",
          token_endpoint: "https://mcp.example/token",
          registration_endpoint: "https://mcp.example/register",
          code_challenge_methods_supported: ["S256"]
        }
      }
    })
    const page = new StubNetwork().at(`${wellKnown}/mcp`, { hello: "world" }).authServer("https://mcp.example")
    expect(yield* discover(page)).toMatchObject({ right: { issuer: "https://mcp.example", isGuessed: false } })
    for (const issuer of ["https://evil.example", "no address"]) {
      const network = new StubNetwork().authServer("https://mcp.example", { issuer })
      expect(yield* discover(network)).toMatchObject({
        left: { _tag: "Refused", detail: expect.stringContaining("another authorization server") }
      })
    }
    const unnamed = new StubNetwork().authServer("https://mcp.example")
      .resource(server.href, "", { authorization_servers: undefined, scopes_supported: ["a"] })
    expect(yield* discover(unnamed)).toMatchObject({ right: { resource: server.href, scopes: ["a"] } })
  })

  test.effect("[A1] of several issuers the known one is taken, otherwise the first", function*() {
    const network = new StubNetwork().authServer(login).authServer("https://b.example")
      .resource(server.href, "", { authorization_servers: [login, "https://b.example"], scopes_supported: ["s"] })
    expect(yield* discover(network)).toMatchObject({ right: { issuer: login, scopes: ["s"] } })
    expect(yield* discover(network, {}, "https://b.example")).toMatchObject({
      right: { issuer: "https://b.example" }
    })
    expect(yield* discover(network, {}, "https://c.example")).toMatchObject({ right: { issuer: login } })
  })
})

describe("which rights are asked for", () => {
  const none = {
    configured: undefined,
    challenge: undefined,
    resource: undefined,
    server: undefined,
    before: undefined
  }

  it("[A1] what is configured, or refused, or listed, in this order; with those there were for more", () => {
    expect(scopes.wanted(none)).toBeUndefined()
    expect(scopes.wanted({ ...none, resource: ["r", "s"] })).toBe("r s")
    expect(scopes.wanted({ ...none, challenge: "c", resource: ["r"] })).toBe("c")
    expect(scopes.wanted({ ...none, configured: "x", challenge: "c", resource: ["r"] })).toBe("x")
    expect(scopes.wanted({ ...none, configured: "x", challenge: "c", before: "b" })).toBe("b x c")
    expect(scopes.wanted({ ...none, before: "", challenge: "c" })).toBe("c")
    expect(scopes.wanted({ ...none, configured: " ", challenge: "", resource: ["r"] })).toBe("r")
  })

  it("[A1] offline_access is added where the authorization server knows it, and something is asked for", () => {
    expect(scopes.wanted({ ...none, configured: "a", server: ["offline_access"] })).toBe("a offline_access")
    expect(scopes.wanted({ ...none, configured: "a", server: ["other"] })).toBe("a")
    expect(scopes.wanted({ ...none, server: ["offline_access"] })).toBeUndefined()
    expect(scopes.split(" a  b\ta ")).toEqual(["a", "b"])
    expect([scopes.union(undefined, ""), scopes.union("a b", "b c")]).toEqual([undefined, "a b c"])
    expect([scopes.covers("a b", "a"), scopes.covers(undefined, undefined)]).toEqual([true, true])
    expect([scopes.covers("a", "a b"), scopes.covers(undefined, "a")]).toEqual([false, false])
  })
})

describe("what is kept", () => {
  const state = Effect.map(folder, StateFolder.make)
  const grant = (changes: Partial<Grant.Grant> = {}) =>
    grants.grant({
      server: "https://a.example/mcp",
      issuer: "https://i.example",
      client: { origin: "registered", id: "c", redirects: [] },
      ...changes
    })

  test.scoped("[A2] the newest tokens of a server and an account are found, and others stay", function*() {
    const kept = Grant.grants(yield* state)
    const [old, young] = [grant({ obtainedAt: 1 }), grant({ issuer: "https://j.example", obtainedAt: 2 })]
    yield* kept.set(Grant.key(young), young)
    yield* kept.set(Grant.key(old), old)
    const others = [grant({ account: "work" }), grant({ server: "https://b.example/mcp" })]
    for (const other of others) yield* Grant.save(kept, other)
    const find = (server: string, account: string) =>
      Effect.map(Grant.find(kept, server, account), (one) => one?.issuer)
    expect(yield* find("https://a.example/mcp", "default")).toBe("https://j.example")
    expect(yield* find("https://a.example/mcp", "nobody")).toBeUndefined()
    expect(yield* find("https://c.example/mcp", "default")).toBeUndefined()
    // Those of another authorization server go with new ones, and only those.
    yield* Grant.save(kept, grant({ issuer: "https://k.example", obtainedAt: 3 }))
    expect((yield* kept.entries).map(([, { account, issuer, server }]) => [server, account, issuer]).toSorted())
      .toEqual([
        ["https://a.example/mcp", "default", "https://k.example"],
        ["https://a.example/mcp", "work", "https://i.example"],
        ["https://b.example/mcp", "default", "https://i.example"]
      ])
  })

  it("[A2] tokens are the same by their text", () => {
    expect(Grant.isSame(grant(), grant({ obtainedAt: 9 }))).toBe(true)
    expect(Grant.isSame(grant(), grant({ access: Redacted.make("other") }))).toBe(false)
    expect(Grant.isSame(undefined, undefined)).toBe(true)
    expect([Grant.isSame(undefined, grant()), Grant.isSame(grant(), undefined)]).toEqual([false, false])
  })

  it("[A2] tokens are due when a fifth of their life is left, and at most five minutes, if they can be renewed", () => {
    const isDue = (life: number | undefined, left: number, changes: Partial<Grant.Grant> = {}) =>
      Grant.isDue(
        grant({
          refresh: Redacted.make("r"),
          obtainedAt: 1000,
          ...(life === undefined ? {} : { expiresAt: 1000 + life }),
          ...changes
        }),
        1000 + (life ?? 0) - left
      )
    const cases: ReadonlyArray<readonly [life: number | undefined, left: number, isDue: boolean]> = [
      [3_600_000, 300_001, false],
      [3_600_000, 300_000, true],
      [100_000, 20_001, false],
      [100_000, 20_000, true],
      [0, 1, false],
      [0, 0, true],
      [-5000, 1, false],
      [100_000, -1_000_000, true],
      [undefined, -1_000_000, false]
    ]
    for (const [life, left, wanted] of cases) expect([life, left, isDue(life, left)]).toEqual([life, left, wanted])
    expect(isDue(100_000, 0, { refresh: undefined })).toBe(false)
    expect(isDue(100_000, 0, { refresh: undefined, method: "credentials" })).toBe(true)
  })

  it("[A2] tokens are what a login would bring: by the same way and client, from the same place, for as much", () => {
    const isAskedFor = (
      changes: Partial<Grant.Grant>,
      { method = "browser", scope, ...client }: { method?: Grant.Method; scope?: string } & Client.Configured = {}
    ) => Grant.isAskedFor(grant(changes), { method, client, scope })
    const document = "https://a.example/client.json"
    const knowsDocuments = { ...grant().metadata, client_id_metadata_document_supported: true }
    expect([isAskedFor({}), isAskedFor({ method: "credentials", scope: "a" })]).toEqual([true, true])
    const machine = { method: "credentials" } as const
    expect([isAskedFor({}, machine), isAskedFor(machine, machine)]).toEqual([false, true])
    expect(isAskedFor(machine, { scope: "" })).toBe(false)
    expect([isAskedFor({}, { id: "c" }), isAskedFor({}, { id: "d" })]).toEqual([true, false])
    expect(isAskedFor({}, { document })).toBe(true)
    expect(isAskedFor({ metadata: knowsDocuments }, { document })).toBe(false)
    const described: Client.Client = { origin: "document", id: document, redirects: [] }
    expect(isAskedFor({ metadata: knowsDocuments, client: described }, { document })).toBe(true)
    expect(isAskedFor({ metadata: knowsDocuments, client: described }, { document, id: "c" })).toBe(false)
    expect(["https://i.example", "https://i.example/", "https://j.example"].map((issuer) => isAskedFor({}, { issuer })))
      .toEqual([true, true, false])
    for (const had of [{ asked: "a b" }, { scope: "a b" }, { asked: "a", scope: "b" }]) {
      expect([isAskedFor(had, { scope: "b a" }), isAskedFor(had, { scope: "a c" })]).toEqual([true, false])
    }
  })

  test.scoped("[A2] a registered client is forgotten alone", function*() {
    const folder = yield* state
    const { client } = grant()
    const owner = { issuer: "i", server: "s", account: "a" }
    const kept = Client.registered(folder)
    const owners = [owner, { ...owner, issuer: "j" }, { ...owner, server: "t" }, { ...owner, account: "b" }]
    for (const one of owners) yield* kept.set(Client.key(one), client)
    expect(yield* kept.entries).toHaveLength(4)
    yield* Client.forget(folder, { ...owner, issuer: "i/" })
    expect(yield* kept.entries).toHaveLength(3)
  })
})

describe("what a person sees of a sign-in", () => {
  it("[A3 G22] of the login of one of several people, others learn that there is one, and not where", () => {
    const address = "https://a.example/x"
    const waiting: State.State = { _tag: "LoginNeeded", address, until: 0, stepUp: false }
    expect(State.needed(waiting)).toEqual({ message: `a login is needed: open ${address}`, address })
    expect(State.needed(waiting, true)).toEqual({ message: "who uses it has to log in", address: "" })
    for (const state of [{ _tag: "NotAsked" }, { _tag: "Refused", detail: "no" }] as const) {
      expect([State.needed(state), State.needed(state, true)]).toEqual([undefined, undefined])
    }
  })

  it("[A3] each state in one line, and what there is to do", () => {
    const needed: State.State = { _tag: "LoginNeeded", address: "https://a.example/x", until: 0, stepUp: false }
    const more = "the server requires more scopes than the last login granted: open https://a.example/x"
    const states: ReadonlyArray<readonly [State.State, string, boolean, boolean]> = [
      [{ _tag: "NotAsked" }, "no login asked for", false, false],
      [State.signedIn(grants.grant({ issuer: "https://i" })), "signed in at https://i", false, false],
      [needed, "a login is needed: open https://a.example/x", true, true],
      [{ ...needed, stepUp: true }, more, true, false],
      [{ _tag: "Later", detail: "away" }, "away", false, false],
      [{ _tag: "Refused", detail: "no" }, "no", true, true]
    ]
    for (const [state, line, isToDo, isBlocking] of states) {
      const toDo = isToDo ? line : undefined
      expect([State.show(state), State.toDo(state), State.isBlocking(state)]).toEqual([line, toDo, isBlocking])
    }
  })
})
