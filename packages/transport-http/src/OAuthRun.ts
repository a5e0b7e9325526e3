/**
 * One run of the official SDK's `auth()`, and what has to be put right about it.
 *
 * - It takes every failure to renew a token for the end of the login, and asks for the next one: also where the authorization
 *   server is only not there for a while.
 * - It renews a token also where more rights are wanted: what comes has the rights of the one before.
 * - It registers a client as it is described, and 2026-07-28 wants to know of what type it is.
 * - It believes one refusal of a refresh token, makes the provider forget a login before there is another, and offers none after a
 *   refusal with a code that it does not expect.
 * - It asks for tokens for whatever origin or folder above the server the server names, unless the provider decides that itself.
 */
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Predicate } from "effect"
import * as Audience from "./Audience.js"
import * as TokenRefusals from "./TokenRefusals.js"
import * as Wire from "./Wire.js"

export interface Request {
  readonly provider: OAuthClientProvider
  readonly serverUrl: URL
  readonly resourceMetadataUrl: URL | undefined
  readonly scope: string | undefined
  /** Only a login helps: more rights are wanted than the token has, or the server refuses what the refresh token brings. */
  readonly needsLogin: boolean
  readonly fetch: FetchLike
  readonly sleep: (milliseconds: number) => Promise<void>
}

/** A run that has begun. */
export interface Run {
  /** Whether the provider was given the address of a login, which a person has to finish. */
  readonly redirected: () => boolean
  /** Is never rejected. */
  readonly outcome: Promise<Outcome>
}

/** What came of a run: new tokens, a login that a person has to finish, or neither. */
export type Outcome =
  | { readonly _tag: "Authorized" }
  | { readonly _tag: "Redirected" }
  | { readonly _tag: "Failed"; readonly cause: unknown }

/** The SDK's module, which a program that has no use for OAuth never loads. */
export const sdk = (): Promise<typeof import("@modelcontextprotocol/sdk/client/auth.js")> =>
  import("@modelcontextprotocol/sdk/client/auth.js")

/** The codes after which the SDK registers a client anew. */
const unknownClient: ReadonlySet<unknown> = new Set(["invalid_client", "unauthorized_client"])

const isRefresh = (init: RequestInit | undefined): boolean =>
  new URLSearchParams(String(init?.body ?? "")).get("grant_type") === "refresh_token"

/** Where a browser leads back to a program on the same machine: loopback, or a scheme of its own. */
const isNative = (uri: string): boolean => {
  const url = parseUrl(uri)
  if (url?.protocol === "https:") return false
  return url !== undefined && (url.protocol !== "http:" || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname))
}

/** With `application_type`, by the redirects, where the provider does not say it. */
const withType = <A extends { readonly redirect_uris?: ReadonlyArray<string | URL> | undefined }>(metadata: A): A => {
  const redirects = metadata.redirect_uris ?? []
  if (redirects.length === 0 || "application_type" in metadata) return metadata
  return { ...metadata, application_type: redirects.some((uri) => isNative(String(uri))) ? "native" : "web" }
}

export const start = ({ fetch, needsLogin, provider, scope, sleep, ...request }: Request): Run => {
  /** Why the token could not be renewed, where that passes by itself. */
  let outage: Error | undefined
  let redirected = false
  /** What is not valid any more, until something else is saved. */
  let deadTokens = false
  let deadClient = false

  /** Where the metadata of the server was looked for last: there it was found, if it was. */
  let metadata: URL | undefined
  const { resourceMetadataUrl, serverUrl } = request
  const isMetadata = ({ href, origin, pathname }: URL): boolean =>
    href === resourceMetadataUrl?.href || (origin === serverUrl.origin && pathname.startsWith(Audience.wellKnown))

  /** Where an audience that a provider has remembered comes from: the origin itself, or who knows. */
  const sourceOf = async (resource: string): Promise<URL | undefined> => {
    const root = new URL(Audience.wellKnown, serverUrl)
    try {
      const said = await (await fetch(root)).json() as { readonly resource?: unknown } | null
      return said?.resource === resource ? root : undefined
    } catch {
      return undefined
    }
  }

  const validateResourceURL = async (_: unknown, resource?: string): Promise<URL | undefined> => {
    if (resource === undefined) return undefined
    const found = Audience.of(serverUrl, resource, metadata)
    const isNarrowed = metadata === undefined && found !== undefined && found !== resource
    const audience = isNarrowed ? Audience.of(serverUrl, resource, await sourceOf(resource)) : found
    if (audience === undefined) {
      throw new Error(`the metadata of the server is for ${resource}, and not for ${serverUrl.href}: check the URL`)
    }
    // As it is written: authorization servers compare it so, and a URL may have a slash more.
    return audience as unknown as URL
  }

  const fetchFn: FetchLike = async (url, init) => {
    if (isMetadata(new URL(url))) metadata = new URL(url)
    if (!isRefresh(init)) return fetch(url, init)
    const failed = (why: string, cause?: unknown) =>
      new Error(`the authorization server did not renew the token, and may do so later: ${String(url)}: ${why}`, {
        cause
      })
    const ask = async ([pause, ...later]: ReadonlyArray<number>): Promise<Response> => {
      const before = await provider.tokens()
      const response = await fetch(url, init)
      if (response.status < 400) return response
      const text = await response.text()
      if (TokenRefusals.isPassing(response.status)) outage = failed(`HTTP ${response.status}`)
      if (outage !== undefined || (pause === undefined && unknownClient.has(codeOf(text)))) {
        return new Response(text, { status: response.status })
      }
      // To the SDK, no other refusal says that the login has ended.
      if (pause === undefined) return Response.json({ error: "invalid_grant" }, { status: 400 })
      await sleep(pause)
      const now = await provider.tokens()
      // Another process has renewed them meanwhile.
      return now !== undefined && now.access_token !== before?.access_token ? Response.json(now) : ask(later)
    }
    return ask(TokenRefusals.pauses).catch((error: unknown) => {
      outage = failed(error instanceof Error ? messageOf(error) : String(error), error)
      throw error
    })
  }

  const overrides: Partial<OAuthClientProvider> = {
    get clientMetadata() {
      return withType(provider.clientMetadata)
    },
    clientInformation: () => deadClient ? undefined : provider.clientInformation(),
    tokens: async () => {
      const tokens = deadTokens ? undefined : await provider.tokens()
      if (tokens === undefined || !needsLogin) return tokens
      const { refresh_token: _, ...withoutRefresh } = tokens
      return withoutRefresh
    },
    saveTokens: (tokens) => {
      deadTokens = false
      return provider.saveTokens(tokens)
    },
    // A verifier that is saved makes that of a login under way useless.
    saveCodeVerifier: (verifier) => {
      if (outage !== undefined) throw outage
      return provider.saveCodeVerifier(verifier)
    },
    redirectToAuthorization: (url) => {
      redirected = true
      return provider.redirectToAuthorization(url)
    },
    invalidateCredentials: (what) => {
      deadTokens = true
      // A client that nobody can register again is kept: the error about it says more.
      deadClient = what === "all" && provider.saveClientInformation !== undefined
      // What the next login brings is saved over what there is. Without a person, the provider itself has to do something else.
      return provider.redirectUrl === undefined ? provider.invalidateCredentials?.(what) : undefined
    },
    // The authorization server may be another one by now.
    ...(provider.discoveryState === undefined ? {} : {
      discoveryState: () => deadClient ? undefined : provider.discoveryState?.()
    }),
    ...(provider.validateResourceURL === undefined ? { validateResourceURL } : {}),
    ...(provider.saveClientInformation === undefined ? {} : {
      saveClientInformation: (client) => {
        deadClient = false
        return provider.saveClientInformation?.(client)
      }
    })
  }
  // The provider may be an instance of a class with private members, so that its methods need it as `this`.
  const watched = new Proxy(provider, {
    get: (target, key) => {
      if (Object.hasOwn(overrides, key)) return overrides[key as keyof OAuthClientProvider]
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === "function" ? value.bind(target) : value
    }
  })

  const outcome = sdk().then(({ auth }) => auth(watched, { ...request, scope, fetchFn } as Parameters<typeof auth>[1]))
    .then(
      (result): Outcome => ({ _tag: result === "AUTHORIZED" ? "Authorized" : "Redirected" }),
      (cause: unknown): Outcome => ({ _tag: "Failed", cause: outage ?? cause })
    )
  return { redirected: () => redirected, outcome }
}

/** The code of an error answer, if it has one. */
const codeOf = (text: string): unknown => {
  const said: unknown = Wire.parse(text)
  return Predicate.isRecord(said) ? said["error"] : undefined
}

/** What an error of `fetch` says: the reason is in its cause. */
const messageOf = (error: Error): string =>
  error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message
