/**
 * A login that was refused, as it is kept in the state folder: so that no process asks for it again by itself for a while.
 */
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Schema } from "effect"
import { isSameIssuer, issuerKey } from "./addresses.js"
import * as scopes from "./scopes.js"

/** How long what was refused is not asked for again, in milliseconds. */
export const lifetime = 600_000

/** A login that was refused; times are milliseconds since 1970. */
export const RefusedLogin = Schema.Struct({
  server: Schema.String,
  account: Schema.String,
  issuer: Schema.String,
  method: Schema.Literal("browser", "device"),
  scope: Schema.optional(Schema.String),
  /** One line: why, and how to be asked again. */
  detail: Schema.String,
  until: Schema.Number
})

export type RefusedLogin = typeof RefusedLogin.Type

export type Wanted = Pick<RefusedLogin, "account" | "issuer" | "method" | "scope" | "server">

type Folder = StateFolder.StateFolder["Type"]

const refusedLogins = (folder: Folder): StateFolder.Collection<RefusedLogin> =>
  folder.collection("refused", RefusedLogin)

/** Keeps it beside those for other scopes. */
export const save = (folder: Folder, refused: RefusedLogin): Effect.Effect<void> => {
  const { account, issuer, method, scope, server } = refused
  const rights = scopes.split(scope).toSorted()
  return refusedLogins(folder).set(StateFolder.key(server, account, issuerKey(issuer), method, ...rights), refused)
}

/** The refusal of a login that asked for no more than this one, if it is not over. */
export const find = (folder: Folder, wanted: Wanted): Effect.Effect<RefusedLogin | undefined> =>
  Effect.gen(function*() {
    const { account, issuer, method, scope, server } = wanted
    const now = yield* Clock.currentTimeMillis
    yield* forget(folder, ({ until }) => until <= now)
    return (yield* refusedLogins(folder).entries).map(([, one]) => one).find((one) =>
      one.server === server && one.account === account && isSameIssuer(one.issuer, issuer) && one.method === method &&
      scopes.covers(scope, one.scope)
    )
  })

/** Forgets the refusals of which this is true, so that these logins can be asked for at once. */
export const forget = (folder: Folder, isMeant: (refused: RefusedLogin) => boolean): Effect.Effect<void> => {
  const kept = refusedLogins(folder)
  return Effect.flatMap(
    kept.entries,
    Effect.forEach(([key, refused]) => isMeant(refused) ? kept.remove(key) : Effect.void, { discard: true })
  )
}
