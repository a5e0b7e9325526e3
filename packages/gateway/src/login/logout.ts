import * as Client from "@mcp-lifeline/sign-in/Client"
import * as Grant from "@mcp-lifeline/sign-in/Grant"
import * as PendingLogin from "@mcp-lifeline/sign-in/PendingLogin"
import { revoke } from "@mcp-lifeline/sign-in/Revocation"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import * as NamedCaller from "../access/NamedCaller.js"
import { accountOf } from "../sign-in/PersonalSignIns.js"
import type { StartError, UsageError } from "../text/Errors.js"
import type { Output } from "../text/Output.js"
import * as Target from "./Target.js"

export interface Options {
  /** A URL, or a name in `config`. Default: all servers. */
  readonly target: string | undefined
  readonly config: string | undefined
  /** Default: all. */
  readonly account: string | undefined
  /** By its name in `lifeline.clients` or its subject. Default: all. */
  readonly client: string | undefined
}

export const run = (
  { account, client, config, target }: Options,
  output: Output
): Effect.Effect<void, StartError | UsageError, StateFolder> =>
  Effect.gen(function*() {
    const folder = yield* StateFolder
    const server = target === undefined ? undefined : Target.storedUrl((yield* Target.find(target, config)).url)
    const isMeant = (one: { readonly server: string; readonly account: string }): boolean =>
      (server === undefined || one.server === server) && (account === undefined || one.account === account) &&
      (client === undefined ||
        [client, NamedCaller.of(client).subject].some((subject) => one.account === accountOf({ subject })))
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
    if (found.length === 0) yield* output.line(`No login is stored${server === undefined ? "" : ` for ${server}`}`)
  })
