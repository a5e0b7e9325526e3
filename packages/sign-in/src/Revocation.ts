import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Redacted } from "effect"
import { endpoint } from "./ask.js"
import type { Grant } from "./Grant.js"
import * as TokenEndpoint from "./TokenEndpoint.js"

const revocationTimeout = "10 seconds"

/**
 * Ends the tokens (RFC 7009). Succeeds with whether the server has confirmed this within 10 s, or has no such endpoint. The grant stays in the
 * state folder.
 */
export const revoke = (grant: Grant): Effect.Effect<boolean> =>
  Effect.gen(function*() {
    const { client, metadata, server } = grant
    if (metadata.revocation_endpoint === undefined) return true
    const url = yield* endpoint(metadata.revocation_endpoint, "revocation endpoint")
    const fetch = yield* HttpConnector.fetchFor(
      new URL(server),
      ({ origin }) => client.issuer !== undefined && new URL(client.issuer).origin === origin
    )
    const asker = { fetch, metadata, client, signingKey: undefined, resource: undefined }
    const token = grant.refresh ?? grant.access
    const answer = yield* TokenEndpoint.post(asker, url, {
      token: Redacted.value(token),
      token_type_hint: grant.refresh === undefined ? "access_token" : "refresh_token"
    })
    return answer.ok
  }).pipe(
    Effect.timeout(revocationTimeout),
    Effect.orElseSucceed(() => false)
  )
