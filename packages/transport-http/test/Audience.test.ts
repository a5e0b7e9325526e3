import { describe, expect, it } from "@effect/vitest"
import type { OAuthClientProvider, OAuthDiscoveryState } from "@modelcontextprotocol/sdk/client/auth.js"
import type { OAuthClientInformationMixed, OAuthTokens } from "@modelcontextprotocol/sdk/shared/auth.js"
import { Effect } from "effect"
import * as HttpConnector from "../src/HttpConnector.js"

const server = "https://mcp.example/mcp"
const login = "https://login.example"
const root = "/.well-known/oauth-protected-resource"

const audience = async (
  said: string,
  path = `${root}/mcp`,
  options: { readonly own?: Partial<OAuthClientProvider>; readonly header?: boolean; readonly cached?: boolean } = {}
) => {
  const json = (status: number, value: unknown, headers: Record<string, string> = {}) =>
    new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json", ...headers } })
  const metadata = { resource: said, authorization_servers: [login] }
  const asked: Array<string> = []
  const fetch = (url: string | URL): Promise<Response> => {
    const { href, pathname } = new URL(url)
    asked.push(href)
    if (href === server) {
      const named = options.header === true ? ` resource_metadata="https://mcp.example${path}"` : ""
      return Promise.resolve(json(401, {}, { "www-authenticate": `Bearer${named}` }))
    }
    if (href === `https://mcp.example${path}`) return Promise.resolve(json(200, metadata))
    if (href === `${login}/.well-known/oauth-authorization-server`) {
      return Promise.resolve(json(200, {
        issuer: login,
        authorization_endpoint: `${login}/authorize`,
        token_endpoint: `${login}/token`,
        response_types_supported: ["code"],
        code_challenge_methods_supported: ["S256"]
      }))
    }
    return Promise.resolve(new Response(`<h1>no ${pathname}</h1>`, { status: 404 }))
  }
  let address: URL | undefined
  const state: OAuthDiscoveryState = { authorizationServerUrl: login, resourceMetadata: metadata }
  const client: OAuthClientInformationMixed = { client_id: "known", issuer: login }
  const authProvider: OAuthClientProvider = {
    redirectUrl: "http://localhost:1/callback",
    clientMetadata: { redirect_uris: ["http://localhost:1/callback"] },
    clientInformation: () => client,
    tokens: (): OAuthTokens | undefined => undefined,
    saveTokens: () => undefined,
    saveCodeVerifier: () => undefined,
    codeVerifier: () => "",
    redirectToAuthorization: (url) => void (address = url),
    ...(options.cached === true ? { discoveryState: () => state } : {}),
    ...options.own
  }
  const connector = HttpConnector.make({ url: server, fetch, authProvider })
  const error = await Effect.runPromise(
    Effect.scoped(
      Effect.flip(connector.connect({ clientInfo: { name: "test", version: "1" }, report: () => {} }))
    )
  )
  return address?.searchParams.get("resource") ?? error.message
}

describe("for whom an authProvider's tokens are asked", () => {
  it("[X2] for the server itself, whatever wider audience its metadata name", async () => {
    for (const said of [server, `${server}/`]) expect(await audience(said)).toBe(said)
    for (const said of ["https://mcp.example", "https://mcp.example/"]) {
      expect(await audience(said)).toBe(server)
      expect(await audience(said, "/somewhere", { header: true })).toBe(server)
    }
    for (
      const said of ["https://mcp.example/other", "https://mcp.example/mcp/deeper", "https://other.example/mcp"]
    ) {
      expect(await audience(said)).toContain("the metadata of the server is for")
    }
  })

  it("[X2] for its origin where the origin itself says so, as it is written", async () => {
    expect(await audience("https://mcp.example", root)).toBe("https://mcp.example")
    expect(await audience("https://mcp.example/", root, { header: true })).toBe("https://mcp.example/")
  })

  it("[X2] what a provider has remembered is no wider", async () => {
    expect(await audience("https://mcp.example", `${root}/mcp`, { cached: true })).toBe(server)
    expect(await audience("https://mcp.example", root, { cached: true })).toBe("https://mcp.example")
    expect(await audience(server, root, { cached: true })).toBe(server)
  })

  it("[T7] a provider that decides it itself does", async () => {
    const own = { validateResourceURL: async () => new URL("https://other.example/api") }
    expect(await audience("https://mcp.example", undefined, { own })).toBe("https://other.example/api")
  })
})
