import { HttpConnector } from "@mcp-lifeline/transport-http"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect, Option } from "effect"
import { isSameIssuer } from "./addresses.js"
import { ask, endpoint, property } from "./ask.js"
import { Later, quoted, Refused } from "./Failures.js"
import * as WellKnown from "./WellKnown.js"

export interface Options {
  readonly issuer: string
  /** Default: where the metadata of the issuer say. */
  readonly jwksUri?: string | undefined
}

const named = (fetch: FetchLike, issuer: string): Effect.Effect<URL, Later | Refused> =>
  Effect.gen(function*() {
    const found = yield* WellKnown.issuer(fetch, new URL(issuer))
    if (Option.isNone(found)) {
      return yield* new Refused({ detail: `${issuer} has no metadata of an authorization server: check the address` })
    }
    const { json, url } = found.value
    const self = property(json, "issuer")
    if (typeof self !== "string" || !isSameIssuer(self, issuer)) {
      return yield* new Refused({
        detail: `${url.href} is of another authorization server, ${
          quoted(String(self))
        }: write that, or correct it there`
      })
    }
    return yield* endpoint(property(json, "jwks_uri"), "jwks_uri")
  })

/** The key set (RFC 7517), unchecked. Nothing is fetched from this machine or its network, unless the issuer or `jwksUri` is there itself. */
export const fetchKeys = ({ issuer, jwksUri }: Options): Effect.Effect<unknown, Later | Refused> =>
  Effect.gen(function*() {
    const chosen = new Set([issuer, jwksUri ?? issuer].map((address) => new URL(address).origin))
    const fetch = yield* HttpConnector.fetchFor(new URL(issuer), ({ origin }) => chosen.has(origin))
    const url = jwksUri === undefined ? yield* named(fetch, issuer) : new URL(jwksUri)
    const answer = yield* ask(fetch, url, { headers: { accept: "application/json" } })
    if (answer.ok && answer.json !== undefined) return answer.json
    const what = answer.ok ? "no JSON" : `HTTP ${answer.status}`
    return yield* new Later({ detail: `${url.origin + url.pathname} answers with ${what}, and not with keys` })
  })
