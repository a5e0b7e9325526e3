import { HttpExchange, type HttpFaultServer } from "@mcp-lifeline/testing"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import { auth } from "@modelcontextprotocol/sdk/client/auth.js"
import type { OAuthClientInformationMixed, OAuthTokens } from "@modelcontextprotocol/sdk/shared/auth.js"

export const askFor = (server: HttpFaultServer.HttpFaultServer) => {
  const origin = new URL(server.url).origin
  const demand = { token: "token-1", status: 401, challenge: "Bearer" }
  const grant = { token: "token-1" }
  let refuse: (asked: URLSearchParams) => readonly [status: number, error: string] | undefined = () => undefined
  const registrations: Array<string> = []
  server.hook = ({ body, headers, response, url }) => {
    const json = (value: unknown) =>
      HttpExchange.fault(response, 200, { "content-type": "application/json" }, JSON.stringify(value))
    if (url.startsWith("/.well-known/oauth-protected-resource")) {
      return json({ resource: server.url, authorization_servers: [origin] })
    }
    if (url.startsWith("/.well-known/")) {
      return json({
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        registration_endpoint: `${origin}/register`,
        response_types_supported: ["code"],
        code_challenge_methods_supported: ["S256"]
      })
    }
    if (url === "/register") {
      registrations.push(`client-${registrations.length + 1}`)
      return json({ client_id: registrations.at(-1), redirect_uris: ["http://127.0.0.1/callback"] })
    }
    if (url === "/token") {
      const refused = refuse(new URLSearchParams(body))
      if (refused === undefined) return json({ access_token: grant.token, token_type: "bearer" })
      const [status, error] = refused
      return HttpExchange.fault(response, status, { "content-type": "application/json" }, JSON.stringify({ error }))
    }
    if (headers["authorization"] === `Bearer ${demand.token}`) return undefined
    return HttpExchange.fault(response, demand.status, { "www-authenticate": demand.challenge })
  }

  let verifier = ""
  const kept: { tokens: OAuthTokens | undefined; client: OAuthClientInformationMixed | undefined } = {
    tokens: undefined,
    client: { client_id: "me", issuer: origin }
  }
  const logins: Array<URL> = []
  const provider = {
    redirectUrl: "http://127.0.0.1/callback",
    clientMetadata: { redirect_uris: ["http://127.0.0.1/callback"] },
    clientInformation: () => kept.client,
    saveClientInformation: (saved: OAuthClientInformationMixed) => {
      kept.client = saved
    },
    tokens: () => kept.tokens,
    saveTokens: (saved: OAuthTokens) => {
      kept.tokens = saved
    },
    redirectToAuthorization: (url: URL) => {
      logins.push(url)
    },
    saveCodeVerifier: (saved: string) => {
      verifier = saved
    },
    codeVerifier: () => verifier
  } as OAuthClientProvider & { redirectToAuthorization: (url: URL) => void | Promise<void> }
  const finish = () => auth(provider, { serverUrl: server.url, authorizationCode: "code" })
  const onToken = (refusal: typeof refuse) => {
    refuse = refusal
  }
  return { demand, finish, grant, kept, logins, onToken, origin, provider, registrations }
}
