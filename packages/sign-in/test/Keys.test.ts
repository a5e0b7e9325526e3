import { Effect, Either } from "effect"
import { createServer } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { listening } from "../../testing/test/support/listening.js"
import { describe, expect, test, vi } from "../../testing/test/support/vitest.js"
import { fetchKeys } from "../src/Keys.js"

type Page = unknown | ((origin: string) => unknown)

/** An authorization server on this machine with these pages: a number is a status, a text no JSON. */
const serving = (pages: Readonly<Record<string, Page>>) =>
  Effect.gen(function*() {
    const asked: Array<string> = []
    const server = createServer(({ headers, url = "" }, response) => {
      asked.push(`${url} ${headers.accept}`)
      const found = pages[url] ?? 404
      const page = typeof found === "function" ? found(origin) : found
      if (typeof page === "number") {
        response.writeHead(page, page === 302 ? { Location: "http://127.0.0.1:9/" } : {}).end()
      } else response.end(typeof page === "string" ? page : JSON.stringify(page))
    })
    const origin: string = yield* listening(server)
    return { server, asked, origin }
  })

const wellKnown = "/.well-known/oauth-authorization-server"
const keys = { keys: [{ kid: "one" }] }
const metadata = (changes: object = {}) => (origin: string) => ({
  issuer: origin,
  jwks_uri: `${origin}/keys`,
  ...changes
})

const fetched = (options: Parameters<typeof fetchKeys>[0]) =>
  Effect.map(
    Effect.either(fetchKeys(options)),
    Either.match({ onLeft: ({ _tag, detail }) => `${_tag}: ${detail}`, onRight: (found) => found })
  )

describe("the keys of an authorization server", () => {
  test.scopedLive("[G21:unit] are where its metadata say, or where the user says", function*() {
    const { asked, origin } = yield* serving({ [wellKnown]: metadata(), "/keys": keys, "/others": { keys: [] } })
    expect(yield* fetched({ issuer: origin })).toEqual(keys)
    expect(yield* fetched({ issuer: `${origin}/` })).toEqual(keys)
    expect(asked).toContain("/keys application/json")
    asked.length = 0
    expect(yield* fetched({ issuer: "https://login.example", jwksUri: `${origin}/others` })).toEqual({ keys: [] })
    expect(asked).toEqual(["/others application/json"])
  })

  test.scopedLive("[G21:unit] of another one than was asked for are not taken, nor those of one that says nothing of itself", function*() {
    for (const issuer of ["https://evil.example", "http://127.0.0.1:9", 7, undefined]) {
      const { asked, origin } = yield* serving({ [wellKnown]: metadata({ issuer }), "/keys": keys })
      expect(yield* fetched({ issuer: origin })).toContain("is of another authorization server")
      expect(asked.filter((one) => one.startsWith("/keys"))).toEqual([])
    }
    const silent = yield* serving({})
    expect(yield* fetched({ issuer: silent.origin })).toContain("has no metadata of an authorization server")
    for (const jwks_uri of [undefined, "no address", "http://login.example/keys"]) {
      const { origin } = yield* serving({ [wellKnown]: metadata({ jwks_uri }), "/keys": keys })
      expect(yield* fetched({ issuer: origin })).toMatch(/^Refused: .*jwks_uri/)
    }
  })

  test.scopedLive("[G21:unit] that are not there now may be later, and no redirect leads to those of others", function*() {
    for (const [page, why] of [[404, "HTTP 404"], [500, "HTTP 500"], ["<p>", "no JSON"], [302, ""]] as const) {
      const { origin } = yield* serving({ [wellKnown]: metadata(), "/keys": page })
      const found = yield* fetched({ issuer: origin })
      expect([page, found]).toEqual([page, expect.stringMatching(/^Later: /)])
      expect(found).toContain(why)
    }
  })

  test.scopedLive("[G21:unit] are not fetched from this machine or its network because an issuer elsewhere says so", function*() {
    const issuer = "http://issuer.example"
    const { asked, origin, server } = yield* serving({
      "/keys": keys,
      [wellKnown]: (at: string) => ({ issuer, jwks_uri: `${at}/keys` })
    })
    // It is its own proxy, and so the issuer, too.
    server.on("connect", (_, socket) => {
      const { port } = server.address() as AddressInfo
      const through = connect(port, "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"))
      for (const one of [socket, through]) one.on("error", () => {})
      socket.pipe(through).pipe(socket)
    })
    vi.stubEnv("http_proxy", origin)
    vi.stubEnv("no_proxy", "")
    yield* Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllEnvs()))
    expect(yield* fetched({ issuer })).toMatch(/^Refused: /)
    expect(asked).toEqual([`${wellKnown} application/json`])
    expect(yield* fetched({ issuer, jwksUri: `${origin}/keys` })).toEqual(keys)
  })
})
