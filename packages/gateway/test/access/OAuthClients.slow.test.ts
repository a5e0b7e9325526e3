import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import * as JwtIssuer from "../../../sign-in/test/support/JwtIssuer.js"
import { everything } from "../../../testing/test/support/Built.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { opened } from "../support/TestClient.js"
import { reconnectionOptions } from "../support/Unaware.js"
import { describe, expect, test } from "../support/vitest.js"

/** What the test needs of an `OAuthClientProvider` of either client: it keeps everything in memory, and opens no browser. */
const providerOf = (client?: { readonly client_id: string }) => {
  let [known, tokens, verifier]: [unknown, any, string] = [client, undefined, ""]
  const sentTo: Array<URL> = []
  return {
    sentTo,
    redirectUrl: JwtIssuer.redirectUrl,
    clientMetadata: { client_name: "test", redirect_uris: [JwtIssuer.redirectUrl] },
    clientInformation: () => known as any,
    saveClientInformation: (given: unknown) => void (known = given),
    tokens: () => tokens,
    saveTokens: (given: unknown) => void (tokens = given),
    redirectToAuthorization: (url: URL) => void sentTo.push(url),
    saveCodeVerifier: (given: string) => void (verifier = given),
    codeVerifier: () => verifier
  }
}

type Provider = ReturnType<typeof providerOf>

interface Signed {
  readonly connect: () => Promise<void>
  readonly finish: (returned: URLSearchParams) => Promise<void>
  readonly echo: (message: string) => Promise<string>
  readonly session: () => string | undefined
  readonly close: () => Promise<void>
}

const echoed = (result: unknown): string => (result as { content: [{ text: string }] }).content[0].text

const v1 = (url: URL, authProvider: Provider): Signed => {
  const transport = new HttpV1(url, { authProvider, reconnectionOptions })
  let client = new ClientV1({ name: "v1", version: "1" })
  return {
    connect: async () => {
      // One that could not connect is not used again.
      client = new ClientV1({ name: "v1", version: "1" })
      await client.connect(new HttpV1(url, { authProvider, reconnectionOptions }) as Transport)
    },
    finish: (returned) => transport.finishAuth(returned.get("code") ?? ""),
    echo: async (message) => echoed(await client.callTool({ name: "every__echo", arguments: { message } })),
    session: () => (client.transport as HttpV1 | undefined)?.sessionId,
    close: () => client.close()
  }
}

const v2 = (mode: "legacy" | "auto") => (url: URL, authProvider: Provider): Signed => {
  const make = () => new HttpV2(url, { authProvider, reconnectionOptions })
  const transport = make()
  let client = new ClientV2({ name: "v2", version: "1" })
  return {
    connect: async () => {
      client = new ClientV2({ name: "v2", version: "1" }, { versionNegotiation: { mode } })
      await client.connect(make())
    },
    finish: (returned) => transport.finishAuth(returned),
    echo: async (message) => echoed(await client.callTool({ name: "every__echo", arguments: { message } })),
    session: () => (client.transport as HttpV2 | undefined)?.sessionId,
    close: () => client.close()
  }
}

const kinds = { v1, "v2 with sessions": v2("legacy"), "v2 without sessions": v2("auto") }

const serving = Effect.fnUntraced(function*(issuerOptions: Partial<JwtIssuer.Options> = {}, auth: object = {}) {
  const place = yield* Gateway.place(Program.start)
  const url = new URL(`${place.base}/mcp`)
  const scopes = ["mcp:read", "mcp:write"]
  const issuer = yield* JwtIssuer.make({ resource: url.href, scopes, seconds: 300, ...issuerOptions })
  const every = { command: process.execPath, args: [everything, "stdio"] }
  const usual = { issuer: issuer.url, requiredScopes: ["mcp:read"], clockTolerance: 0 }
  const save = (auth: object): void => place.save({ every }, { auth: { ...usual, ...auth } })
  save(auth)
  return { url, issuer, save, program: yield* place.serve() }
})

type Serving = Effect.Effect.Success<ReturnType<typeof serving>>

const signedIn = (kind: keyof typeof kinds, { issuer, url }: Serving, provider = providerOf()) =>
  opened(async () => {
    const client = kinds[kind](url, provider)
    await expect(client.connect()).rejects.toThrow(/Unauthorized/i)
    await client.finish(await issuer.login(provider.sentTo.at(-1)!))
    await client.connect()
    return { ...client, provider }
  }, (client) => client.close().catch(() => undefined))

describe("clients sign in to the gateway", { timeout: 240_000 }, () => {
  test.scopedLive.each(Object.keys(kinds) as Array<keyof typeof kinds>)(
    "[G21:real] %s: 401, discovery, registration, login, call; and with a renewed token in the same session",
    function*(kind) {
      const served = yield* serving({ seconds: 5 })
      const { issuer, program } = served
      const client = yield* signedIn(kind, served)
      const [asked] = client.provider.sentTo
      expect(asked?.searchParams.get("resource")).toBe(served.url.href)
      expect(asked?.searchParams.get("scope")?.split(" ")).toContain("mcp:read")
      expect(issuer.asked).toContain("POST /reg")
      expect(yield* Effect.promise(() => client.echo("one"))).toContain("one")
      const session = client.session()
      const { access_token: first } = client.provider.tokens()
      for (let renewed = 0; renewed < 2;) {
        const { access_token: before } = client.provider.tokens()
        expect(yield* Effect.promise(() => client.echo("more"))).toContain("more")
        if (client.provider.tokens().access_token !== before) renewed++
        yield* Effect.sleep("500 millis")
      }
      expect(client.session()).toBe(session)
      expect(client.provider.sentTo).toHaveLength(1)
      const expired = yield* Effect.promise(() => fetch(served.url, { headers: { authorization: `Bearer ${first}` } }))
      expect(expired.status).toBe(401)
      const log = program.stdout() + program.stderr()
      expect(log).toContain(`an access token of ${issuer.url} was refused: it has expired`)
      expect(log).not.toMatch(/eyJ|\bann\b/)
    }
  )

  test.scopedLive("[G21:real] a session belongs to who began it, and to nobody else; keys may change meanwhile", function*() {
    const served = yield* serving()
    const ann = yield* signedIn("v1", served)
    served.issuer.user("bob")
    const bob = yield* signedIn("v2 with sessions", served)
    const [ofAnn, ofBob] = [ann, bob].map(({ provider }) => String(provider.tokens().access_token))
    const ping = (token: string | undefined, session: string | undefined) =>
      Effect.promise(async () => {
        const headers = { authorization: `Bearer ${token}`, "mcp-session-id": String(session) }
        const answered = await Raw.send(served.url.href, "POST", headers, { id: 1, method: "ping" })
        await answered.body
        return answered.status
      })
    expect(yield* ping(ofAnn, ann.session())).toBe(200)
    expect(yield* ping(ofBob, ann.session())).toBe(404)
    expect(yield* ping(ofBob, bob.session())).toBe(200)
    expect(yield* ping(undefined, bob.session())).toBe(401)
    const ofAnother = { authorization: `Bearer ${ofBob}`, "mcp-session-id": String(ann.session()) }
    const stream = yield* Effect.promise(() =>
      fetch(served.url, { headers: { ...ofAnother, accept: "text/event-stream" } })
    )
    expect(stream.status).toBe(404)
    served.issuer.rotate()
    // With the old key until the new one is known; then its tokens do not count any more.
    served.issuer.user("eve")
    const eve = yield* signedIn("v1", served)
    expect(yield* ping(eve.provider.tokens().access_token, eve.session())).toBe(200)
    expect(yield* ping(ofAnn, ann.session())).toBe(401)
  })

  test.scopedLive.each<[string, keyof typeof kinds, Partial<JwtIssuer.Options>]>([
    ["v1, which has no refresh token", "v1", { refreshes: false }],
    ["v2", "v2 with sessions", {}]
  ])("[G21:real] %s asks its user for a scope that the gateway comes to need", function*([, kind, options]) {
    const served = yield* serving({ clients: ["known"], ...options })
    const client = yield* signedIn(kind, served, providerOf({ client_id: "known" }))
    expect(yield* Effect.promise(() => client.echo("one"))).toContain("one")
    served.save({ requiredScopes: ["mcp:read", "mcp:write"] })
    const { sentTo } = client.provider
    while (sentTo.length < 2) {
      yield* Effect.promise(() => client.echo("two").catch(() => undefined))
      yield* Effect.sleep("100 millis")
    }
    expect(sentTo.at(-1)?.searchParams.get("scope")?.split(" "))
      .toEqual(expect.arrayContaining(["mcp:read", "mcp:write"]))
    const before = client.session()
    yield* Effect.promise(async () => client.finish(await served.issuer.login(sentTo.at(-1)!)))
    expect(yield* Effect.promise(() => client.echo("three"))).toContain("three")
    expect(client.session()).toBe(before)
  })
})
