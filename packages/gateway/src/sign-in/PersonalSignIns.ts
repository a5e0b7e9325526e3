/**
 * Each client that the gateway knows has its own login. Tokens are kept under a digest of its subject: all its sessions have the same
 * login, also after a restart, and nobody else has it.
 */
import { type Caller, ownerOf } from "@mcp-lifeline/http-server/Caller"
import type { PublicRedirects } from "@mcp-lifeline/sign-in/PublicRedirects"
import * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect, RcMap, type Scope } from "effect"
import * as NamedCaller from "../access/NamedCaller.js"
import { clean } from "../text/Text.js"
import { issuerOption } from "./options.js"

export interface PersonalSignIns {
  /** Until the scope closes. The client has a subject. */
  readonly of: (caller: Caller) => Effect.Effect<SignIn.SignIn, never, Scope.Scope>
  readonly inUse: (caller: Caller) => SignIn.SignIn | undefined
  /** Of clients that use the server now. */
  readonly counts: Effect.Effect<{ readonly signedIn: number; readonly waiting: number }>
}

/** Does not tell the subject. */
export const accountOf = (caller: Pick<Caller, "subject">): string => `client-${ownerOf({ claims: {}, ...caller })}`

/** As long as somebody may take to log in. */
const unusedTime = "10 minutes"

/** On a page, in characters. */
const maxName = 100

/** By its subject, which nobody can choose. What a client is called stands only beside that. */
export const personOf = (caller: Caller): SignIn.Person => {
  const client = NamedCaller.nameOf(caller)
  if (client !== undefined) return { identity: `the client ${client} of this gateway` }
  const name = caller.name === undefined ? undefined : clean(caller.name).slice(0, maxName)
  // That of a token is its issuer, without blanks, and its account there.
  const [issuer = "", ...account] = caller.subject.split(" ")
  return account.length === 0
    ? { identity: `the account ${clean(issuer)}` }
    : { identity: `the account ${clean(account.join(" "))} of ${clean(issuer)}`, name }
}

/** They end with the scope. `publicRedirects`: where people log in. Default: on this machine. */
export const make = (
  url: string,
  publicRedirects?: PublicRedirects
): Effect.Effect<PersonalSignIns, never, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const all = new Map<string, SignIn.SignIn>()
    const people = new Map<string, SignIn.Person>()
    const signIns = yield* RcMap.make({
      idleTimeToLive: unusedTime,
      lookup: (account: string) =>
        Effect.acquireRelease(
          Effect.tap(
            SignIn.make({
              url,
              account,
              person: people.get(account) ?? { identity: account },
              publicRedirects,
              issuerOption
            }),
            (signIn) => Effect.sync(() => void all.set(account, signIn))
          ),
          () =>
            Effect.sync(() => {
              all.delete(account)
              people.delete(account)
            })
        )
    })
    return {
      of: (caller) =>
        Effect.suspend(() => {
          const account = accountOf(caller)
          people.set(account, personOf(caller))
          return RcMap.get(signIns, account)
        }),
      inUse: (caller) => all.get(accountOf(caller)),
      counts: Effect.map(
        Effect.suspend(() => Effect.forEach([...all.values()], ({ state }) => state)),
        (states) => ({
          signedIn: states.filter(({ _tag }) => _tag === "SignedIn").length,
          waiting: states.filter(({ _tag }) => _tag === "LoginNeeded").length
        })
      )
    }
  })
