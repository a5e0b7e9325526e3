import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { HttpConnector, TokenRefusals } from "@mcp-lifeline/transport-http"
import { fetchWithinOrigin } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import { isSecure } from "./addresses.js"
import { Later, quoted, reasonOf, Refused } from "./Failures.js"
import { IssuerOption } from "./IssuerOption.js"

/** Of one request, in milliseconds. */
const timeout = 30_000

/** `json`: the body as JSON, or the form that some servers write; undefined where it is neither. */
export interface Answer {
  readonly status: number
  readonly ok: boolean
  readonly json: unknown
}

export const property = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return /^[a-z_]+=[^\s<]*$/.test(text.trim()) ? Object.fromEntries(new URLSearchParams(text.trim())) : undefined
  }
}

const failureOf = (url: URL, cause: unknown, option: string): Later | Refused =>
  HttpConnector.isOutOfReach(cause)
    ? new Refused({
      detail: `${reasonOf(cause)}: if you know it as your authorization server, name it with ${option}`
    })
    : new Later({ detail: `${url.origin + url.pathname} cannot be reached: ${reasonOf(cause)}`, cause })

/**
 * Redirects stay within the origin. Fails with Later where no answer comes, or one that passes by itself, and with Refused where nothing
 * may be sent.
 */
export const ask = (fetch: FetchLike, url: URL, init: RequestInit): Effect.Effect<Answer, Later | Refused> =>
  Effect.flatMap(IssuerOption, (option) =>
    Effect.tryPromise({
      try: async (interrupted) => {
        const signal = AbortSignal.any([interrupted, AbortSignal.timeout(timeout)])
        const response = await fetchWithinOrigin(fetch)(url, { ...init, signal })
        return { status: response.status, ok: response.ok, json: parse(await response.text()) }
      },
      catch: (cause) => failureOf(url, cause, option)
    })).pipe(Effect.filterOrFail(
      ({ status }) => !TokenRefusals.isPassing(status),
      ({ status }) => new Later({ detail: `${url.origin + url.pathname} is not ready: HTTP ${status}` })
    ))

/** An endpoint to which secrets can be sent. */
export const endpoint = (value: unknown, what: string): Effect.Effect<URL, Refused> =>
  Effect.suspend(() => {
    const url = typeof value === "string" ? parseUrl(value) : undefined
    if (url !== undefined && isSecure(url)) return Effect.succeed(url)
    return new Refused({
      detail: url === undefined
        ? `the authorization server names no valid ${what}`
        : `the authorization server names a ${what} that is not https, to which nothing is sent: ${
          quoted(url.origin + url.pathname)
        }`
    })
  })

/** As RFC 6749 has it. */
export const refusal = (what: string, { json, status }: Answer): Refused => {
  const code = property(json, "error")
  const description = property(json, "error_description")
  const said = [code, description].filter((part) => typeof part === "string" && part !== "").map((part) =>
    quoted(String(part))
  )
  return new Refused({
    detail: `${what}: ${said.length === 0 ? `HTTP ${status}` : said.join(": ")}`,
    code: typeof code === "string" ? code : undefined,
    isAnswer: status >= 400 || typeof code === "string"
  })
}
