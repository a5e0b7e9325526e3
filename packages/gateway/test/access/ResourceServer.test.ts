import type { McpConfig } from "@mcp-lifeline/config"
import * as Caller from "@mcp-lifeline/http-server/Caller"
import * as Listener from "@mcp-lifeline/http-server/Listener"
import { Effect, Logger } from "effect"
import { createSecretKey } from "node:crypto"
import { eventually } from "../../../testing/test/support/Processes.js"
import * as ProtectedResource from "../../src/access/ProtectedResource.js"
import * as ResourceServer from "../../src/access/ResourceServer.js"
import * as Issuer from "../support/Issuer.js"
import { describe, expect, it, test } from "../support/vitest.js"

type Changes = Partial<McpConfig.Auth>

const gatewayOf = Effect.fnUntraced(function*(issuer: Issuer.Issuer, changes: Changes = {}) {
  const lines: Array<string> = []
  const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => lines.push(String(message))))
  let auth = Issuer.authOf({ issuers: [issuer.url], algorithms: ["ES256", "RS256", "EdDSA"], ...changes })
  const place = { host: "127.0.0.1" }
  const server = yield* Effect.provide(ResourceServer.make({ auth: () => auth, place }), logger)
  const isPublic = (path: string): boolean => ProtectedResource.paths(place).has(path)
  const listener = yield* Listener.listen({ ...place, port: 0, authentication: server, isPublic })
  yield* listener.serve((request, response, path) =>
    isPublic(path) ? server.metadata(request, response, path) : void response.end(JSON.stringify(Caller.of(request)))
  )
  const url = `${listener.url}/mcp`
  const get = (path: string, headers: Record<string, string> = {}) =>
    Effect.promise(async () => {
      const response = await fetch(new URL(path, url), { headers })
      return {
        status: response.status,
        challenge: response.headers.get("www-authenticate"),
        retryAfter: response.headers.get("retry-after"),
        body: await response.json() as Record<string, any>
      }
    })
  return {
    url,
    lines,
    server,
    get,
    change: (changes: Changes): void => {
      auth = { ...auth, ...changes }
    },
    send: (token: string) => get("/mcp", { authorization: `Bearer ${token}` }),
    sign: (claims?: Readonly<Record<string, unknown>>, signed?: Issuer.Signed) =>
      Effect.promise(() => issuer.sign(url, claims, signed))
  }
})

const started = Effect.fnUntraced(function*(changes?: Changes) {
  const issuer = yield* Issuer.make
  const gateway = yield* gatewayOf(issuer, changes)
  return { issuer, ...gateway }
})

const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from

describe("the places of the document", () => {
  const place = "/.well-known/oauth-protected-resource"
  it.each([
    [undefined, [`${place}/mcp`, place]],
    ["https://mcp.example.com", [`${place}/mcp`, place]],
    // RFC 9728, section 3.1: before the whole path.
    ["https://example.com/tools", [`${place}/mcp`, place, `${place}/tools/mcp`, `${place}/tools`]],
    ["https://example.com/a/b", [`${place}/mcp`, place, `${place}/a/b/mcp`, `${place}/a/b`]]
  ])("[G21] at the public URL %s", (publicUrl, paths) => {
    expect([...ProtectedResource.paths({ host: "127.0.0.1", publicUrl })]).toEqual(paths)
  })
})

describe("what is said of the gateway to those who need a token", () => {
  const auth = { issuers: ["https://issuer"], requiredScopes: ["a", "b"] } as never as McpConfig.Auth
  const open = { ...auth, requiredScopes: [] }
  const asked = { headers: { host: "asked.example:8080" }, socket: {} } as never
  const place = { host: "0.0.0.0", publicUrl: "https://mcp.example.com/tools" }

  it("[G21:unit] is under its public URL, whatever a request says, and else under the name that the request has", () => {
    const cases = [
      [place, "https://mcp.example.com/tools"],
      [{ host: "0.0.0.0" }, "http://asked.example:8080"]
    ] as const
    for (const [given, base] of cases) {
      const { authorization_servers: servers, resource } = ProtectedResource.metadata(asked, given, auth)
      expect([resource, servers]).toEqual([`${base}/mcp`, ["https://issuer"]])
      const document = `resource_metadata="${base}/.well-known/oauth-protected-resource/mcp"`
      expect(ProtectedResource.tokenMissing(asked, given, auth).headers)
        .toEqual({ "WWW-Authenticate": `Bearer ${document}, scope="a b"` })
      expect(ProtectedResource.tokenMissing(asked, given, open).headers)
        .toEqual({ "WWW-Authenticate": `Bearer ${document}` })
      expect(ProtectedResource.refusal({ _tag: "Invalid", why: "why" }, asked, given, auth).headers).toEqual({
        "WWW-Authenticate": `Bearer error="invalid_token", error_description="why", ${document}, scope="a b"`
      })
    }
  })

  it.each([
    [place, ["https://mcp.example.com/tools/mcp"]],
    [{ host: "0.0.0.0" }, []],
    [{ host: "::" }, []],
    [{ host: "[::]" }, []],
    [{ host: "gateway.example" }, ["http://gateway.example:7/mcp"]],
    [{ host: "2001:db8::1" }, ["http://[2001:db8::1]:7/mcp"]],
    [{ host: "127.0.0.1" }, ["127.0.0.1", "localhost", "[::1]"].map((name) => `http://${name}:7/mcp`)],
    [{ host: "::1" }, ["[::1]", "localhost", "127.0.0.1"].map((name) => `http://${name}:7/mcp`)],
    [{ host: "localhost" }, ["localhost", "127.0.0.1", "[::1]"].map((name) => `http://${name}:7/mcp`)]
  ])("[G21 X1:unit] is for whom tokens are, at %j", (given, audiences) => {
    expect(ProtectedResource.defaultAudiences(given, 7)).toEqual(audiences)
  })
})

describe("access tokens", () => {
  test.scopedLive("[G21:real] without one a client learns where to get one, and its document is public", function*() {
    const { get, issuer, url } = yield* started({ requiredScopes: ["mcp:read", "mcp:write"] })
    const refused = yield* get("/mcp")
    const document = `${new URL(url).origin}/.well-known/oauth-protected-resource/mcp`
    expect([refused.status, refused.challenge])
      .toEqual([401, `Bearer resource_metadata="${document}", scope="mcp:read mcp:write"`])
    for (const path of [document, "/.well-known/oauth-protected-resource"]) {
      expect(yield* get(path)).toMatchObject({
        status: 200,
        body: {
          resource: url,
          authorization_servers: [issuer.url],
          scopes_supported: ["mcp:read", "mcp:write"],
          bearer_methods_supported: ["header"]
        }
      })
    }
    // A client that knows the gateway by another of its names uses no document of this one.
    const { port } = new URL(url)
    expect((yield* get(`http://localhost:${port}/.well-known/oauth-protected-resource`)).body)
      .toMatchObject({ resource: `http://localhost:${port}/mcp` })
  })

  test.scopedLive("[G21:real] the document is for reading, and is not kept by what is in between", function*() {
    const { url } = yield* started()
    const document = `${new URL(url).origin}/.well-known/oauth-protected-resource/mcp`
    const ask = (method: string) =>
      Effect.promise(async () => {
        const response = await fetch(document, { method })
        const { headers, status } = response
        const known = ["allow", "content-type", "cache-control"].map((name) => headers.get(name))
        return [method, status, ...known, (await response.text()) === ""]
      })
    const json = ["application/json", "no-store"] as const
    for (const method of ["POST", "PUT", "DELETE"]) {
      expect(yield* ask(method)).toEqual([method, 405, "GET, HEAD", ...json, true])
    }
    expect(yield* ask("HEAD")).toEqual(["HEAD", 200, null, ...json, true])
    expect(yield* ask("GET")).toEqual(["GET", 200, null, ...json, false])
  })

  test.scopedLive("[G21:real G22] a good one says who its sender is, by issuer and subject, and with a name for people", function*() {
    const { issuer, send, sign, url } = yield* started({ requiredScopes: ["mcp:read"] })
    const scope = "openid mcp:read"
    const answer = yield* send(yield* sign({ scope, email: "ann@example.com", groups: ["staff"] }))
    expect(answer).toMatchObject({
      status: 200,
      body: { subject: `${issuer.url} ann`, name: "ann@example.com", claims: { groups: ["staff"] } }
    })
    expect(answer.body["expiresAt"]).toBeGreaterThan(Date.now())
    // As other issuers write scopes, audiences and types.
    const cases = [
      [{ scope: undefined, scp: "a mcp:read" }, { typ: "JWT" }],
      [{ scp: ["mcp:read"], aud: ["else", url] }, { typ: null }],
      [{ scope, aud: url.replace("127.0.0.1", "localhost") }, { typ: "application/at+JWT" }]
    ] as const
    for (const [claims, signed] of cases) {
      expect((yield* send(yield* sign(claims, signed))).status).toBe(200)
    }
  })

  test.scopedLive("[G21:real X1] every other one is refused, with a reason that has nothing of it", function*() {
    const { get, issuer, lines, send, sign, url } = yield* started()
    const other = yield* Issuer.make
    const stranger = yield* Effect.promise(() => Issuer.newKey())
    const rsa = yield* Effect.promise(() => Issuer.newKey("RS512"))
    const none = `${btoa(JSON.stringify({ alg: "none" }))}.${
      btoa(JSON.stringify({ iss: issuer.url, sub: "ann", aud: url, exp: seconds(300) }))
    }.`.replaceAll("=", "")
    const good = yield* sign()
    const [header, , signature] = good.split(".")
    const forged = Buffer.from(JSON.stringify({ iss: issuer.url, sub: "eve", aud: url, exp: seconds(300) }))
    const publicKey = createSecretKey(Buffer.from(JSON.stringify(issuer.key().jwk)))
    const bad: ReadonlyArray<readonly [string, string]> = [
      ["not a JSON Web Token", "secret-of-somebody"],
      ["not a JSON Web Token", `${good}.more`],
      ["algorithm", none],
      ["algorithm", yield* sign({}, { key: { ...issuer.key(), alg: "HS256", secret: publicKey } })],
      ["algorithm", yield* sign({}, { key: rsa, kid: issuer.key().kid })],
      ["signature", yield* sign({}, { key: stranger, kid: issuer.key().kid })],
      ["signature", `${header}.${forged.toString("base64url")}.${signature}`],
      ["names a key that its issuer does not have", yield* sign({}, { key: stranger })],
      ["expired", yield* sign({ exp: seconds(-60) })],
      ["not valid yet", yield* sign({ nbf: seconds(60) })],
      ["another audience", yield* sign({ aud: "https://other.example/mcp" })],
      ["another audience", yield* sign({ aud: `${url}/` })],
      ["another audience", yield* sign({ aud: undefined })],
      ["another issuer", yield* Effect.promise(() => other.sign(url))],
      ["another issuer", yield* sign({ iss: undefined })],
      ["when it expires", yield* sign({ exp: undefined })],
      ["no subject", yield* sign({ sub: undefined })],
      ["no subject", yield* sign({ sub: "" })],
      ["another type", yield* sign({}, { typ: "logout+jwt" })],
      ["login or logout", yield* sign({ at_hash: "x" }, { typ: "JWT" })]
    ]
    for (const [why, token] of bad) {
      const answer = yield* send(token)
      expect([answer.status, answer.body["error"]["message"]]).toEqual([401, expect.stringContaining(why)])
      expect(answer.challenge)
        .toMatch(/^Bearer error="invalid_token", error_description="[^"\\]+", resource_metadata="h/)
    }
    // The keys were fetched at the start, and once more for the unknown ones.
    expect(issuer.asked.filter((path) => path === "/jwks")).toHaveLength(2)
    expect(other.asked).toEqual([])
    for (const query of [`access_token=${good}`, `a=b&ACCESS_TOKEN=${good}`]) {
      const inAddress = yield* get(`/mcp?${query}`, { authorization: `Bearer ${good}` })
      expect([inAddress.status, inAddress.challenge]).toEqual([400, `Bearer error="invalid_request"`])
    }
    for (const authorization of ["Bearer", "Bearer ", `Basic ${good}`]) {
      const without = yield* get("/mcp", { authorization })
      expect([without.status, without.challenge]).toEqual([401, expect.stringMatching(/^Bearer resource_metadata="h/)])
    }
    // What only looks like it is no token.
    expect((yield* get("/mcp?my_access_token=x", { authorization: `Bearer ${good}` })).status).toBe(200)
    expect((yield* send(good)).status).toBe(200)
    const log = lines.join("\n")
    expect(log).toContain(`an access token of ${issuer.url} was refused: it is for another audience`)
    expect(log).not.toMatch(/secret-of-somebody|eyJ|other\.example|ann/)
  })

  test.scopedLive("[G21:real] a scope that is missing is asked for, with all others; a claim is named in the log only", function*() {
    const { issuer, lines, send, sign } = yield* started({
      requiredScopes: ["mcp:read", "mcp:write"],
      claims: { groups: ["staff", "admins"], "realm_access.roles": ["mcp"], verified: [true] }
    })
    const scope = "mcp:read mcp:write"
    const good = { scope, groups: ["guests", "staff"], realm_access: { roles: ["mcp"] }, verified: true }
    expect((yield* send(yield* sign(good))).status).toBe(200)
    expect((yield* send(yield* sign({ ...good, groups: "admins" }))).status).toBe(200)
    expect((yield* send(yield* sign({ ...good, scope: "mcp:read mcp:writer" }))).challenge).toMatch(
      /^Bearer error="insufficient_scope", error_description="[^"]+", resource_metadata="[^"]+", scope="mcp:read mcp:write"$/
    )
    const cases = [
      ["groups", { groups: ["guests"] }],
      ["groups", { groups: undefined }],
      ["realm_access.roles", { realm_access: { roles: [] } }],
      ["verified", { verified: "true" }]
    ] as const
    for (const [claim, claims] of cases) {
      const answer = yield* send(yield* sign({ ...good, ...claims }))
      expect([answer.status, answer.challenge]).toEqual([403, null])
      expect(JSON.stringify(answer.body)).not.toMatch(/groups|realm|verified|staff/)
      expect(lines.join("\n"))
        .toContain(`of ${issuer.url} was refused: its claim ${claim} is missing, or has none of the values`)
    }
    expect(lines.join("\n")).not.toMatch(/guests|staff|admins/)
  })

  test.scopedLive("[G21:real] a new key is found without a restart, and an old one does not count; an unknown one is not looked for each time", function*() {
    const { issuer, send, sign } = yield* started()
    const old = yield* sign()
    expect((yield* send(old)).status).toBe(200)
    yield* Effect.promise(issuer.rotate)
    expect((yield* send(yield* sign())).status).toBe(200)
    expect((yield* send(old)).status).toBe(401)
    const before = issuer.asked.length
    const unknown = yield* sign({}, { kid: "unknown" })
    const answers = yield* Effect.all(Array.from({ length: 20 }, () => send(unknown)), { concurrency: 20 })
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 401))
    expect(issuer.asked).toHaveLength(before)
  })

  test.scopedLive("[G21:real] while keys cannot be fetched nobody gets in, it says so once, and works again by itself", function*() {
    const issuer = yield* Issuer.make
    yield* Effect.promise(issuer.stop)
    const { get, lines, send, server, sign } = yield* gatewayOf(issuer)
    const token = yield* sign()
    for (const token of [yield* sign(), yield* sign({ sub: "eve" })]) {
      expect(yield* send(token)).toMatchObject({ status: 503, retryAfter: "5" })
    }
    expect((yield* get("/mcp")).status).toBe(401)
    expect([yield* server.isUsable, server.problem()]).toEqual([
      false,
      expect.stringMatching(/^keys cannot be fetched: http:\/\/127\.0\.0\.1:\d+\/.* cannot be reached/)
    ])
    yield* Effect.promise(issuer.start)
    yield* eventually(() => server.problem() === undefined ? true : undefined)
    expect([(yield* send(token)).status, yield* server.isUsable]).toEqual([200, true])
    expect(lines).toEqual([
      expect.stringMatching(/^the keys of .* cannot be fetched/),
      expect.stringMatching(/^the keys of .* can be fetched again/)
    ])
    // It goes away again: the keys that are known count, and one that is not cannot be told from a new one.
    yield* Effect.promise(issuer.stop)
    expect((yield* send(token)).status).toBe(200)
    expect((yield* send(yield* sign({}, { kid: "unknown" }))).status).toBe(503)
    expect((yield* send(token)).status).toBe(200)
    expect([yield* server.isUsable, server.problem()]).toEqual([true, expect.stringContaining("cannot be reached")])
  })

  test.scopedLive.each<[string, (issuer: Issuer.Issuer) => void, RegExp]>([
    [
      "another issuer's metadata",
      (issuer) => issuer.say((response) => response.end(JSON.stringify({ issuer: "https://other.example" }))),
      /is of another authorization server, https:\/\/other\.example/
    ],
    [
      "metadata without keys",
      (issuer) => issuer.say((response) => response.end(JSON.stringify({ issuer: issuer.url }))),
      /names no valid jwks_uri/
    ],
    [
      "keys of its network elsewhere",
      (issuer) =>
        issuer.say((response) =>
          response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: "https://192.168.7.1/keys" }))
        ),
      /192\.168\.7\.1/
    ],
    ["errors", (issuer) => issuer.say((response) => response.writeHead(500).end()), /HTTP 500/],
    ["what is no key set", (issuer) => issuer.offer([1] as never), /are no JSON Web Key Set/]
  ])("[G21:real X2] an issuer that gives %s vouches for nobody", function*([, break_, problem]) {
    const issuer = yield* Issuer.make
    break_(issuer)
    const { send, server, sign } = yield* gatewayOf(issuer)
    expect((yield* send(yield* sign())).status).toBe(503)
    expect(server.problem()).toMatch(problem)
  })

  test.scopedLive("[G21:real G5] other options count from the next request on", function*() {
    const { change, get, issuer, send, sign, url } = yield* started()
    const second = yield* Issuer.make
    const [one, other] = [yield* sign(), yield* Effect.promise(() => second.sign(url))]
    const both = Effect.map(Effect.all([send(one), send(other)]), (all) => all.map(({ status }) => status))
    expect(yield* both).toEqual([200, 401])
    change({ issuers: [issuer.url, second.url] })
    expect(yield* both).toEqual([200, 200])
    change({ issuers: [second.url], audiences: ["api://else", url] })
    expect(yield* both).toEqual([401, 200])
    change({ audiences: ["api://else"] })
    expect(yield* both).toEqual([401, 401])
    change({ requiredScopes: ["a"] })
    expect((yield* get("/.well-known/oauth-protected-resource")).body)
      .toMatchObject({ authorization_servers: [second.url], scopes_supported: ["a"] })
    change({ requiredScopes: [] })
    expect((yield* get("/.well-known/oauth-protected-resource")).body).not.toHaveProperty("scopes_supported")
    change({ issuers: [`${issuer.url}/`], jwksUri: `${issuer.url}/jwks`, audiences: [] })
    expect(yield* both).toEqual([200, 401])
  })
})
