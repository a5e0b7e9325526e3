/**
 * `mcp-lifeline logout`: forgets what is kept of a sign-in, and says so to the authorization server.
 */
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Redacted } from "effect"
import type { StartError } from "../../Errors.js"
import { UsageError } from "../../Errors.js"
import type { Output } from "../../Output.js"
import { StateFolder } from "../../state/StateFolder.js"
import { endpoint } from "../ask.js"
import * as Client from "../Client.js"
import * as Grant from "../Grant.js"
import * as PendingLogin from "../PendingLogin.js"
import * as RefusedLogin from "../RefusedLogin.js"
import * as TokenEndpoint from "../TokenEndpoint.js"
import * as Target from "./Target.js"

/** What `logout` was asked for. */
export interface Options {
  /** An address, or a name in `config`; undefined for everything that is kept. */
  readonly target: string | undefined
  readonly config: string | undefined
  /** Undefined for every account. */
  readonly account: string | undefined
}

/** How long an authorization server may take to hear of it. */
const revocationTimeout = "10 seconds"

/** Revokes the tokens at the authorization server (RFC 7009); succeeds with whether the server has confirmed this. */
const revoke = (grant: Grant.Grant): Effect.Effect<boolean> =>
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

/** Forgets. */
export const run = (
  { account, config, target }: Options,
  output: Output
): Effect.Effect<void, StartError | UsageError, StateFolder> =>
  Effect.gen(function*() {
    const folder = yield* StateFolder
    const server = target === undefined ? undefined : Target.keptAs((yield* Target.find(target, config)).url)
    const isMeant = (one: { readonly server: string; readonly account: string }): boolean =>
      (server === undefined || one.server === server) && (account === undefined || one.account === account)
    const grants = Grant.grants(folder)
    const pending = PendingLogin.pendingLogins(folder)
    const found = (yield* grants.entries).filter(([, grant]) => isMeant(grant))
    for (const [key, grant] of found) {
      const revoked = yield* revoke(grant)
      yield* grants.remove(key)
      yield* Client.forget(folder, grant)
      yield* output.line(`Signed out of ${grant.server}${grant.account === "default" ? "" : ` (${grant.account})`}`)
      if (!revoked) {
        yield* output.problem(
          `mcp-lifeline: the tokens could not be revoked at ${grant.issuer}; they stay valid until they expire`
        )
      }
    }
    for (const [key, login] of yield* pending.entries) if (isMeant(login)) yield* pending.remove(key)
    yield* RefusedLogin.forget(folder, isMeant)
    if (found.length === 0) yield* output.line(`No login is stored${server === undefined ? "" : ` for ${server}`}`)
  })
