/** `oidc-provider`, which issues JSON Web Tokens for one resource. Its user, `ann` or whom the test names, agrees at once. */
import { Effect } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { createServer } from "node:http"
import { errors, Provider } from "oidc-provider"
import { listening } from "../../../testing/test/support/listening.js"

export interface Options {
  readonly resource: string
  readonly scopes: ReadonlyArray<string>
  /** How long access tokens live, in seconds. */
  readonly seconds: number
  readonly refreshes?: boolean
  /** Clients that it knows without a registration, by their ids; whatever address they return to. */
  readonly clients?: ReadonlyArray<string>
}

/** Where a test's clients have their users sent back. Nobody listens there. */
export const redirectUrl = "http://127.0.0.1:9/callback"

const newKey = (kid: string) => ({
  ...generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }),
  kid,
  alg: "ES256",
  use: "sig"
})

export const make = ({ clients = [], refreshes = true, resource, scopes, seconds }: Options) =>
  Effect.gen(function*() {
    const server = createServer()
    const url = yield* listening(server)
    const keys = [newKey("first")]
    let user = "ann"
    const scope = scopes.join(" ")
    const grant_types = refreshes ? ["authorization_code", "refresh_token"] : ["authorization_code"]
    const all = ["openid", "offline_access", ...scopes]
    const make = (): Provider => {
      const provider = new Provider(url, {
        jwks: { keys },
        cookies: { keys: ["a key for tests"] },
        scopes: all,
        clientAuthMethods: ["none"],
        clientDefaults: {
          grant_types,
          id_token_signed_response_alg: "ES256",
          token_endpoint_auth_method: "none"
        },
        clients: clients.map((id) => ({
          client_id: id,
          redirect_uris: [redirectUrl],
          token_endpoint_auth_method: "none",
          response_types: ["code"],
          grant_types
        })),
        ttl: {
          AccessToken: seconds,
          RefreshToken: 3600,
          Grant: 3600,
          Session: 3600,
          Interaction: 600,
          AuthorizationCode: 60
        },
        pkce: { required: () => true },
        issueRefreshToken: () => Promise.resolve(refreshes),
        interactions: { url: (_, { uid }) => `/interaction/${uid}` },
        findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
        loadExistingGrant: async ({ oidc: { client, provider, session } }) => {
          const grant = new provider.Grant({ clientId: client?.clientId ?? "", accountId: session?.accountId ?? "" })
          grant.addOIDCScope(all.join(" "))
          grant.addResourceScope(resource, scope)
          await grant.save()
          return grant
        },
        features: {
          devInteractions: { enabled: false },
          registration: { enabled: true },
          resourceIndicators: {
            enabled: true,
            defaultResource: () => resource,
            useGrantedResource: () => true,
            getResourceServerInfo: (_, asked) => {
              if (asked !== resource) throw new errors.InvalidTarget()
              return {
                scope,
                audience: resource,
                accessTokenTTL: seconds,
                accessTokenFormat: "jwt",
                jwt: { sign: { alg: "ES256" } }
              }
            }
          }
        }
      })
      provider.use(async (ctx, next) => {
        if (!ctx.path.startsWith("/interaction/")) return next()
        const result = { login: { accountId: user }, consent: {} }
        ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result))
      })
      return provider
    }
    let answer = make().callback()
    const asked: Array<string> = []
    server.on("request", (request, response) => {
      asked.push(`${request.method} ${request.url?.replace(/\?.*/s, "")}`)
      void answer(request, response)
    })
    return {
      url,
      asked,
      /** Signs with a new key from now on; the old one is not offered any more. Sessions and refresh tokens end. */
      rotate: (): void => {
        keys.splice(0, 1, newKey(`key ${asked.length}`))
        answer = make().callback()
      },
      user: (name: string): void => {
        user = name
      },
      login: async (address: URL): Promise<URLSearchParams> => {
        const cookies = new Map<string, string>()
        let next = address
        while (!next.href.startsWith(redirectUrl)) {
          const response = await fetch(next, {
            redirect: "manual",
            headers: { cookie: Array.from(cookies, ([name, value]) => `${name}=${value}`).join("; ") }
          })
          for (const cookie of response.headers.getSetCookie()) {
            const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
            cookies.set(name, value)
          }
          const to = response.headers.get("location")
          if (to === null) throw new Error(`the login ends with HTTP ${response.status}: ${await response.text()}`)
          next = new URL(to, next)
        }
        return next.searchParams
      }
    }
  })
