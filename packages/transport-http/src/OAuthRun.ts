/**
 * One run of the official SDK's `auth()`. What is corrected here:
 * - It takes every failed renewal for the end of the login, even an outage of the authorization server.
 * - It renews the token if more rights are wanted, which brings the same rights.
 * - It does not register the client's type, which 2026-07-28 requires.
 * - It believes one refusal of a refresh token, makes the provider forget a login before there is another, and offers none after
 *   an unexpected error code.
 * - It accepts any origin or folder above the server as audience, unless the provider decides that itself.
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
  readonly needsLogin: boolean
  readonly fetch: FetchLike
  readonly sleep: (milliseconds: number) => Promise<void>
}

export interface Run {
  readonly redirected: () => boolean
  /** Never rejects. */
  readonly outcome: Promise<Outcome>
}

export type Outcome =
  | { readonly _tag: "Authorized" }
  | { readonly _tag: "Redirected" }
  | { readonly _tag: "Failed"; readonly cause: unknown }

/** Loaded only for OAuth. */
export const sdk = (): Promise<typeof import("@modelcontextprotocol/sdk/client/auth.js")> =>
  import("@modelcontextprotocol/sdk/client/auth.js")

/** The SDK registers a client anew after these. */
const unknownClient: ReadonlySet<unknown> = new Set(["invalid_client", "unauthorized_client"])

const isRefresh = (init: RequestInit | undefined): boolean =>
  new URLSearchParams(String(init?.body ?? "")).get("grant_type") === "refresh_token"

/** A redirect to a program on the same machine: loopback, or its own scheme. */
const isNative = (uri: string): boolean => {
  const url = parseUrl(uri)
  if (url?.protocol === "https:") return false
  return url !== undefined && (url.protocol !== "http:" || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname))
}

/** Adds a missing `application_type`, derived from the redirects. */
const withType = <A extends { readonly redirect_uris?: ReadonlyArray<string | URL> | undefined }>(metadata: A): A => {
  const redirects = metadata.redirect_uris ?? []
  if (redirects.length === 0 || "application_type" in metadata) return metadata
  return { ...metadata, application_type: redirects.some((uri) => isNative(String(uri))) ? "native" : "web" }
}

export const start = ({ fetch, needsLogin, provider, scope, sleep, ...request }: Request): Run => {
  /** A passing reason why the token was not renewed. */
  let outage: Error | undefined
  let redirected = false
  /** Until something else is saved. */
  let deadTokens = false
  let deadClient = false

  /** Where the server's metadata was last looked for. */
  let metadata: URL | undefined
  const { resourceMetadataUrl, serverUrl } = request
  const isMetadata = ({ href, origin, pathname }: URL): boolean =>
    href === resourceMetadataUrl?.href || (origin === serverUrl.origin && pathname.startsWith(Audience.wellKnown))

  /** Whether the origin itself names an audience that the provider has remembered. */
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
    // Not a URL, which may add a slash: authorization servers compare it as it is written.
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
      // Renewed by another process meanwhile.
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
    // A saved verifier would invalidate a pending login.
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
      // The next login overwrites the tokens. Without a person, the provider has to act itself.
      return provider.redirectUrl === undefined ? provider.invalidateCredentials?.(what) : undefined
    },
    // The authorization server may have changed.
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
  // Methods of a provider with private members need it as `this`.
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

const codeOf = (text: string): unknown => {
  const said: unknown = Wire.parse(text)
  return Predicate.isRecord(said) ? said["error"] : undefined
}

/** The reason of a `fetch` error is in its cause. */
const messageOf = (error: Error): string =>
  error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message
