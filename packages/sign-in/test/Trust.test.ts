import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Either, Redacted } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Challenge from "../src/Challenge.js"
import * as Discovery from "../src/Discovery.js"
import type * as SignIn from "../src/SignIn.js"
import { grant, keep } from "./support/grants.js"
import * as SignIns from "./support/SignIns.js"
import { grantsIn, server } from "./support/SignIns.js"
import { json, StubNetwork } from "./support/StubNetwork.js"

const corp = "https://login.corp.example"
const evil = "https://login.evil.example"

const robot = { id: "robot", secret: Redacted.make("robot-secret") }

const make = (network: StubNetwork, options: Partial<SignIn.Options> = {}, state?: string) =>
  Effect.gen(function*() {
    const path = state ?? (yield* folder)
    const made = yield* SignIns.make(network, path, { method: "credentials", ...options })
    return { ...made, path, grants: grantsIn(path) }
  })

/** A network whose server names one authorization server; there are more. */
const networkOf = (issuer: string, ...others: ReadonlyArray<string>) =>
  [issuer, ...others].reduce((network, one) => network.authServer(one), new StubNetwork()).resource(server, issuer)

const sent = (network: StubNetwork, text: string) =>
  network.asked.filter(({ body, headers, url }) =>
    [url, body, ...headers.values()].some((one) =>
      one.includes(text) || one.includes(Buffer.from(`robot:${text}`).toString("base64"))
    )
  ).map(({ url }) => url)

const detailOf = (outcome: Either.Either<unknown, unknown>): string =>
  Either.isLeft(outcome) ? String((outcome.left as { detail: string }).detail) : "none"

describe("to whom a secret is sent", () => {
  test.scoped("[X2] a client's secret goes to the issuer that the user has named for it, and to no other", function*() {
    const network = networkOf(corp, evil)
    const { renew } = yield* make(network, { client: { ...robot, issuer: corp } })
    expect(yield* renew).toEqual(Either.right(true))
    expect(sent(network, "robot-secret")).toEqual([`${corp}/token`])
    network.resource(server, evil)
    expect(detailOf(yield* renew)).toBe(
      `the server names the authorization server ${evil}, and you have named ${corp} (client.issuer), so that no login is started: correct the one that is wrong`
    )
    network.at("https://mcp.example/.well-known/oauth-protected-resource/mcp", () => json(404, {}))
    expect(detailOf(yield* renew)).toContain("https://mcp.example, and you have named")
    expect(sent(network, "robot-secret")).toEqual([`${corp}/token`])
    expect(network.to(`${evil}/token`).concat(network.to(`${evil}/register`))).toEqual([])
  })

  test.scoped("[X2] a secret or a key for nobody in particular is sent to nobody, and the message says how to name the issuer", function*() {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const key = Redacted.make(privateKey.export({ type: "pkcs8", format: "pem" }).toString())
    const clients = { "client secret": robot, "client's key": { id: "robot", signingKey: { key, algorithm: "ES256" } } }
    for (const method of ["credentials", "browser"] as const) {
      for (const [what, client] of Object.entries(clients)) {
        const network = networkOf(evil)
        const { renew } = yield* make(network, { client, method })
        expect(detailOf(yield* renew)).toBe(
          `the ${what} is not used, because it is for one authorization server, and you have not said which: if it is ${evil}, which the server names, add client.issuer ${evil}`
        )
        expect(network.asked.filter((asked) => asked.method === "POST")).toEqual([])
      }
    }
  })

  test.scoped("[X2] a secret of the environment that no client uses keeps nobody from a login, nor does an id without a secret", function*() {
    for (const client of [{ secret: robot.secret }, { id: "public" }]) {
      const network = networkOf(corp)
      const { renew, signIn } = yield* make(network, { client, method: "browser" })
      yield* renew
      expect((yield* signIn.state)._tag).toBe("LoginNeeded")
      expect(sent(network, "robot-secret")).toEqual([])
    }
  })

  test.scoped("[X2] of several issuers the one that the user has named is taken, with or without a slash", function*() {
    for (const issuer of [corp, `${corp}/`]) {
      const network = networkOf(evil, corp).resource(server, evil, { authorization_servers: [evil, corp] })
      const { renew } = yield* make(network, { client: { ...robot, issuer } })
      expect(yield* renew).toEqual(Either.right(true))
      expect(network.to(evil)).toEqual([])
      expect(sent(network, "robot-secret")).toEqual([`${corp}/token`])
    }
  })

  test.scoped("[X2] an issuer that is named is the only one, also for a client that is registered by itself", function*() {
    const network = networkOf(evil)
    const { renew, signIn } = yield* make(network, { client: { issuer: corp }, method: "browser" })
    expect(detailOf(yield* renew)).toContain("you have named")
    expect(network.to(`${evil}/register`)).toEqual([])
    expect((yield* signIn.state)._tag).toBe("Refused")
  })

  test.scoped("[A1] a machine's tokens are renewed at their own issuer, by processes that know no secret", function*() {
    const network = networkOf(corp)
    const first = yield* make(network, { client: { ...robot, issuer: corp } })
    yield* first.renew
    const second = yield* make(network, { method: undefined }, first.path)
    yield* second.tokens
    expect(yield* second.renew).toEqual(Either.right(true))
    expect(sent(network, "robot-secret")).toHaveLength(2)
    network.authServer(evil).resource(server, evil)
    yield* second.tokens
    const third = yield* second.renew
    expect(detailOf(third)).not.toBe("none")
    expect(sent(network, "robot-secret")).toHaveLength(2)
    expect(network.to(`${evil}/token`)).toEqual([])
    const other = yield* make(network, { client: { ...robot, issuer: evil } }, first.path)
    yield* other.tokens
    expect((yield* other.grants).map(({ issuer }) => issuer)).toEqual([corp])
  })

  test.scoped("[A1] a server that moves to another authorization server gets nothing there of the one before", function*() {
    const network = new StubNetwork().authServer(corp, {}, "corp").authServer(evil, {}, "evil").resource(server, corp)
    const path = yield* folder
    const kept = grant({
      issuer: corp,
      metadata: { issuer: corp, token_endpoint: `${corp}/token` },
      resource: server,
      client: { origin: "registered", id: "at corp", secret: Redacted.make("corp-secret"), redirects: [] },
      access: Redacted.make("corp-access"),
      refresh: Redacted.make("corp-refresh")
    })
    yield* keep(StateFolder.make(path), { grants: [kept] })
    network.resource(server, evil)
    const { grants, renew, signIn } = yield* make(network, { method: "browser" }, path)
    yield* renew
    expect(yield* SignIns.addressOf(signIn)).toContain(`${evil}/authorize`)
    for (const secret of ["corp-refresh", "corp-secret", "corp-access", "at corp"]) {
      expect(sent(network, secret)).toEqual([])
    }
    expect(network.to(`${evil}/token`)).toEqual([])
    expect(yield* grants).toHaveLength(1)
  })

  test.scoped("[A1] a token request is not sent on to another origin, nor by plain http", function*() {
    const otherPath = "https://user@login.corp.example/other"
    for (const location of [`${evil}/token`, "http://login.corp.example/token", otherPath]) {
      for (const status of [307, 308, 302]) {
        const network = networkOf(corp, evil).at(`${corp}/token`, () => json(status, {}, { location }))
        const { renew, signIn } = yield* make(network, { client: { ...robot, issuer: corp } })
        expect(detailOf(yield* renew)).not.toBe("none")
        expect((yield* signIn.state)._tag).not.toBe("SignedIn")
        expect([location, sent(network, "robot-secret")]).toEqual([location, [`${corp}/token`]])
      }
    }
  })

  test.scoped("[A1] only bearer tokens are taken, and only with a text", function*() {
    const good = { access_token: "a", token_type: "bEARER" }
    const answers = [
      [{ ...good, token_type: "DPoP" }, "no bearer token"],
      [{ ...good, access_token: "" }, "something that is no token"],
      [{ token_type: "Bearer" }, "something that is no token"],
      [[], "something that is no token"]
    ] as const
    for (const [answer, said] of answers) {
      const network = networkOf(corp).at(`${corp}/token`, () => json(200, answer))
      const { grants, renew, signIn } = yield* make(network, { client: { ...robot, issuer: corp } })
      expect(detailOf(yield* renew)).toContain(said)
      expect((yield* signIn.state)._tag).toBe("Refused")
      expect(yield* grants).toEqual([])
    }
    const network = networkOf(corp).at(`${corp}/token`, good)
    const { renew } = yield* make(network, { client: { ...robot, issuer: corp } })
    expect(yield* renew).toEqual(Either.right(true))
  })
})

describe("for whom tokens are asked", () => {
  const audience = (said: unknown, at = "/.well-known/oauth-protected-resource/mcp", header = false, url = server) =>
    Effect.gen(function*() {
      const network = new StubNetwork().authServer(corp)
      network.at(`https://mcp.example${at}`, { resource: said, authorization_servers: [corp] })
      const challenge = header ? { ...Challenge.none, metadata: new URL(`https://mcp.example${at}`) } : Challenge.none
      const found = yield* Effect.either(Discovery.discover(network.fetch, new URL(url), challenge, undefined))
      return Either.isRight(found) ? found.right.resource : found.left._tag
    })

  test.effect("[A1] metadata of anything but the server, and of what contains it, is refused", function*() {
    const paths = ["/mcp/deeper", "/other", "/mc", "/mcp2"].map((path) => `https://mcp.example${path}`)
    const origins = ["https://other.example", "https://mcp.example:8443", "http://mcp.example"]
    const others = [...origins, "https://mcp.example.evil.example"].map((origin) => `${origin}/mcp`)
    for (const said of [...paths, ...others, "mcp", "", "urn:mcp", 1]) {
      expect([said, yield* audience(said)]).toEqual([said, "Refused"])
    }
  })

  test.effect("[X2] tokens are for the server itself, whatever wider audience it names; for its origin only where that says so", function*() {
    const root = "/.well-known/oauth-protected-resource"
    for (const said of [server, `${server}/`, "HTTPS://MCP.example/mcp"]) expect(yield* audience(said)).toBe(said)
    for (const said of ["https://mcp.example", "https://mcp.example/", "https://mcp.example?a=b"]) {
      expect([said, yield* audience(said)]).toEqual([said, server])
      expect([said, yield* audience(said, "/mcp/metadata", true)]).toEqual([said, server])
    }
    expect(yield* audience("https://mcp.example", root)).toBe("https://mcp.example")
    expect(yield* audience("https://mcp.example/", root, true)).toBe("https://mcp.example/")
    expect(yield* audience(server, root)).toBe(server)
    // A folder is no origin, wherever it is said.
    const deep = "https://mcp.example/a/b/mcp"
    for (const at of [root, `${root}/a/b/mcp`]) {
      expect(yield* audience("https://mcp.example/a", at, false, deep)).toBe(deep)
    }
    expect(yield* audience("https://mcp.example/", `${root}/`, true)).toBe(server)
  })
})

describe("where a server's metadata lead", () => {
  const attack = (
    change: (network: StubNetwork, address: string) => string | undefined,
    address: string,
    options: Partial<SignIn.Options> = {},
    url = server
  ) =>
    Effect.gen(function*() {
      const network = new StubNetwork().authServer(evil).resource(url, evil)
      const challenge = change(network, address)
      network.at(url, () => json(401, {}, challenge === undefined ? {} : { "www-authenticate": challenge }))
      const { signIn } = yield* SignIns.make(network, yield* folder, { url, ...options })
      const { connect } = HttpConnector.make({ url, authorization: signIn.authorization, fetch: network.fetch })
      const client = { clientInfo: { name: "test", version: "1" }, report: () => {} }
      const { message } = yield* Effect.scoped(Effect.flip(connect(client)))
      return { hits: network.to(address).map((asked) => asked.url), state: yield* signIn.state, message }
    })

  const metadata = (name: string) => (network: StubNetwork, address: string) => {
    network.authServer(evil, { [name]: `${address}/api/servers/good/disable` })
    return undefined
  }
  const places = {
    "the metadata of the resource": (_: StubNetwork, address: string) => `Bearer resource_metadata="${address}/meta"`,
    "the authorization server": (network: StubNetwork, address: string) => {
      network.resource(server, `${address}/issuer`)
      return undefined
    },
    "the registration": metadata("registration_endpoint"),
    "the address of a login": metadata("authorization_endpoint"),
    "a redirect": (network: StubNetwork, address: string) => {
      network.at(`${evil}/register`, () => json(307, {}, { location: `${address}/api/servers/good/disable` }))
      return undefined
    }
  }

  test.scopedLive("[X2] none of a server that is elsewhere leads to this machine, its link or its network", function*() {
    const names = ["http://localhost:7332", "http://a.localhost:7332", "http://127.0.0.1:7332"]
    const machine = [...names, "https://127.1", "https://[::1]", "https://0.0.0.0", "https://2130706433"]
    const network = ["10.0.0.1", "169.254.169.254", "[fd00::1]", "[::ffff:192.168.0.1]"].map((host) =>
      `https://${host}`
    )
    for (const [place, change] of Object.entries(places)) {
      for (const address of [...machine, ...network]) {
        const { hits, state } = yield* attack(change, new URL(address).origin)
        expect({ place, address, hits, tag: state._tag }).toEqual({
          place,
          address,
          hits: [],
          tag: expect.not.stringMatching("LoginNeeded|SignedIn")
        })
      }
    }
  })

  test.scopedLive("[X2] nor does what a login without a browser asks", function*() {
    const token = yield* attack(metadata("token_endpoint"), "http://127.0.0.1:7332", {
      method: "credentials",
      client: { ...robot, issuer: evil }
    })
    expect([token.hits, token.state._tag]).toEqual([[], "Refused"])
    const why = "127.0.0.1:7332 is an address of this machine, where the server mcp.example is not"
    expect(token.message).toContain(why)
    expect(token.message).toContain("name it with client.issuer")
  })

  test.scopedLive("[X2] a server on this machine may have its authorization server here, and the user may name any", function*() {
    const address = "http://127.0.0.1:7332"
    const local = (network: StubNetwork) => {
      network.authServer(address).resource("http://localhost:1/mcp", address)
      return undefined
    }
    const here = yield* attack(local, address, {}, "http://localhost:1/mcp")
    expect(here.state).toMatchObject({
      _tag: "LoginNeeded",
      address: expect.stringContaining(`${address}/authorize`)
    })
    const named = (network: StubNetwork, at: string) => {
      network.authServer(at).resource(server, at)
      return undefined
    }
    for (const at of [address, "https://10.0.0.1"]) {
      const { state } = yield* attack(named, at, { client: { issuer: at } })
      expect(state).toMatchObject({ _tag: "LoginNeeded", address: expect.stringContaining(`${at}/authorize`) })
    }
  })
})
