import type { LoginFailure } from "@mcp-lifeline/protocol"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Redacted } from "effect"
import { validateHeaderName, validateHeaderValue } from "node:http"
import type { Authorization, Refusal } from "./Authorization.js"
import { CredentialFailure, oneLine } from "./HttpFailure.js"

/** Secret values are `Redacted`. */
export type Headers = Readonly<Record<string, string | Redacted.Redacted<string>>>

/** Evaluated for each request. */
export type HeaderProvider = Effect.Effect<Headers, unknown> | (() => Headers | PromiseLike<Headers>)

/** Values that were read for one connection. */
export interface SecretHeaders {
  /** As last read. */
  readonly current: () => Readonly<Record<string, Redacted.Redacted>>
  /** Reads the values again, unless that was done a moment ago. Succeeds with whether they differ from the refused ones. */
  readonly renew: (refused: Readonly<Record<string, string>>) => Effect.Effect<boolean>
}

export interface Credentials {
  /** By lower-case name. The provider's win over static ones, the OAuth token over both. */
  readonly headers: Effect.Effect<Record<string, string>, CredentialFailure>
  /** Whether a refusal may pass by itself. */
  readonly renewable: boolean
  /** After a 401 or for want of a scope. Succeeds with whether to try once more. */
  readonly renew: (
    refused: Record<string, string>,
    refusal: Refusal
  ) => Effect.Effect<boolean, CredentialFailure | LoginFailure.LoginFailure>
  /** Whether they are tokens, and no login is pending. */
  readonly isRenewed: () => boolean
  /** Called when the server accepts a request that it had refused. */
  readonly accepted: () => void
  /** Replaces secret values of 8 characters or more: the configured ones, and the last 64 others. */
  readonly mask: (text: string) => string
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export const isHeader = (name: string, value: unknown): boolean => {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, String(Redacted.isRedacted(value) ? Redacted.value(value) : value))
    return true
  } catch {
    return false
  }
}

const basic = (url: URL): Headers =>
  url.username === "" && url.password === "" ? {} : {
    authorization: Redacted.make(
      `Basic ${Buffer.from(`${decode(url.username)}:${decode(url.password)}`).toString("base64")}`
    )
  }

/** `fetch`: for OAuth's own requests. */
export const make = (options: {
  readonly url: URL
  readonly headers: Headers
  /** They override `headers`. */
  readonly secretHeaders?: SecretHeaders | undefined
  readonly headerProvider: HeaderProvider | undefined
  readonly authorization: Authorization | undefined
  readonly fetch: FetchLike
}): Credentials => {
  const { authorization, headerProvider, secretHeaders } = options
  /** Bounded, because tokens rotate. */
  const configured = new Set<string>()
  const recent = new Set<string>()
  const remember = (value: string, secrets = recent) => {
    for (const part of [value, ...value.split(/[\s:;,=]+/)]) {
      if (part.length < 8) continue
      secrets.delete(part)
      secrets.add(part)
    }
    for (const oldest of recent) {
      if (recent.size <= 64) break
      recent.delete(oldest)
    }
  }
  for (const value of options.url.searchParams.values()) remember(value, configured)
  for (const part of [options.url.username, options.url.password]) remember(decode(part), configured)

  const mask = (text: string): string => {
    let masked = text
    for (const secret of [...configured, ...recent]) masked = masked.replaceAll(secret, "***")
    return masked
  }
  const failure = (what: string) => (cause: unknown) => {
    const why = oneLine(mask(cause instanceof Error ? cause.message : String(cause)))
    return new CredentialFailure({ detail: `${what}: ${why}`, cause })
  }

  const masked = ({ cause, detail }: CredentialFailure) => new CredentialFailure({ detail: mask(detail), cause })

  const plain = (headers: Headers, into: Record<string, string>, secrets = recent): Record<string, string> => {
    for (const [name, value] of Object.entries(headers)) {
      const text = Redacted.isRedacted(value) ? Redacted.value(value) : value
      into[name.toLowerCase()] = text
      remember(text, secrets)
    }
    return into
  }
  const fixed = plain({ ...basic(options.url), ...options.headers }, {}, configured)

  const provided: Effect.Effect<Headers, CredentialFailure> | undefined = headerProvider === undefined
    ? undefined
    : (Effect.isEffect(headerProvider)
      ? headerProvider
      : Effect.tryPromise(async () => await headerProvider())).pipe(
        Effect.mapError(failure("the header provider failed, so that nothing was sent"))
      )

  const withSecrets = (): Record<string, string> =>
    secretHeaders === undefined ? { ...fixed } : plain(secretHeaders.current(), { ...fixed })

  const headers = provided === undefined && authorization === undefined
    ? Effect.sync(withSecrets)
    : Effect.gen(function*() {
      const all = withSecrets()
      if (provided !== undefined) plain(yield* provided, all)
      if (authorization !== undefined) {
        const tokens = yield* Effect.mapError(authorization.tokens(options.fetch), masked)
        if (tokens !== undefined) {
          all["authorization"] = `Bearer ${Redacted.value(tokens.access)}`
          remember(Redacted.value(tokens.access))
          if (tokens.refresh !== undefined) remember(Redacted.value(tokens.refresh))
        }
      }
      const invalid = Object.keys(all).find((name) => !isHeader(name, all[name]))
      if (invalid === undefined) return all
      return yield* new CredentialFailure({
        detail: `${
          oneLine(JSON.stringify(invalid))
        } is not a valid HTTP header, so that nothing was sent: correct what ${
          invalid === "authorization" && authorization !== undefined ? "the auth provider" : "the header provider"
        } gives (no spaces in a name; one line of Latin-1 characters as a value)`,
        cause: undefined
      })
    })

  const renew: Credentials["renew"] = (refused, refusal) => {
    if (authorization === undefined && headerProvider === undefined) {
      return secretHeaders?.renew(refused) ?? Effect.succeed(false)
    }
    if (authorization === undefined) return Effect.succeed(true)
    return Effect.gen(function*() {
      const current = yield* headers
      // Renewed by another request meanwhile.
      if (current["authorization"] !== refused["authorization"]) return true
      return yield* authorization.renew(refusal, options.fetch).pipe(
        Effect.mapError((error) => error._tag === "CredentialFailure" ? masked(error) : error)
      )
    })
  }

  return {
    headers,
    renewable: headerProvider !== undefined || secretHeaders !== undefined || authorization !== undefined,
    renew,
    isRenewed: () => authorization !== undefined && authorization.needed?.() === undefined,
    accepted: () => authorization?.accepted?.(),
    mask
  }
}
