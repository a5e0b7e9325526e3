/** `oidc-provider` for one resource. Its user agrees at once. */
import { type Configuration, errors, Provider, type ResourceServer } from "oidc-provider"

export interface Options {
  readonly resource: string
  readonly scopes: ReadonlyArray<string>
  /** How long access tokens live, in seconds. */
  readonly seconds: number
}

const lifetimes = { RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 600, AuthorizationCode: 60 }

export const make = (
  url: string,
  { resource, scopes, seconds }: Options,
  format: Pick<ResourceServer, "accessTokenFormat" | "jwt">,
  more: Configuration,
  user = () => "ann"
): Provider => {
  const scope = scopes.join(" ")
  const all = ["openid", "offline_access", ...scopes]
  const provider = new Provider(url, {
    cookies: { keys: ["a key for tests"] },
    scopes: all,
    ttl: { ...lifetimes, AccessToken: seconds },
    pkce: { required: () => true },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    loadExistingGrant: async ({ oidc: { client, provider, session } }) => {
      const grant = new provider.Grant({ clientId: client?.clientId ?? "", accountId: session?.accountId ?? "" })
      grant.addOIDCScope(all.join(" "))
      grant.addResourceScope(resource, scope)
      await grant.save()
      return grant
    },
    ...more,
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, asked) => {
          if (asked !== resource) throw new errors.InvalidTarget()
          return { scope, audience: resource, accessTokenTTL: seconds, ...format }
        }
      }
    }
  })
  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith("/interaction/")) return next()
    const result = { login: { accountId: user() }, consent: {} }
    ctx.redirect(await provider.interactionResult(ctx.req, ctx.res, result))
  })
  return provider
}
