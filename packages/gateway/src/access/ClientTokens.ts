/**
 * Finds out who sends a request by its token: a client with a name, or the gateway's own operator.
 */
import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import { anyone, type Caller } from "@mcp-lifeline/http-server/Caller"
import type { Redacted } from "effect"
import * as NamedCaller from "./NamedCaller.js"

/** A client, and the tokens that stand for it now. */
export interface NamedTokens {
  readonly name: string
  readonly current: () => ReadonlyArray<Redacted.Redacted>
}

/** Whose token was sent. `undefined`: that of the gateway itself. */
type Owner = string | undefined

/** The owners of a token. Compares all, in a time that does not tell how close one is. */
const ownersOf = (
  sent: string,
  all: ReadonlyArray<NamedTokens>,
  ofGateway: ReadonlyArray<Redacted.Redacted>
): ReadonlyArray<Owner> => {
  const has = (tokens: ReadonlyArray<Redacted.Redacted>): boolean =>
    tokens.filter((token) => Authentication.isSame(sent, token)).length > 0
  return [
    ...all.flatMap(({ current, name }) => has(current()) ? [name] : []),
    ...(has(ofGateway) ? [undefined] : [])
  ]
}

const refusal = (owners: number, hasClients: boolean): string =>
  owners > 1
    ? "The bearer token is that of several clients of this gateway, so that nobody is let in with it: its operator has to give each its own"
    : `The bearer token is not that of this gateway${hasClients ? ", nor of one of its clients" : ""}`

/**
 * Lets in clients with names, and whoever has a token of the gateway itself. A token that several have, as after a wrong one was saved in a file, stands for
 * none of them: nobody is taken for somebody else. `all`: the clients that are let in now.
 */
export const authentication = (
  all: () => ReadonlyArray<NamedTokens>,
  ofGateway: () => ReadonlyArray<Redacted.Redacted> = () => []
): Authentication.Authentication => {
  /** The same object for each request of a client, so that what is known of it has to be found once. */
  const callers = new Map<string, Caller>()
  const callerOf = (owner: Owner): Caller => {
    if (owner === undefined) return anyone
    const known = callers.get(owner)
    if (known !== undefined) return known
    const caller = NamedCaller.of(owner)
    callers.set(owner, caller)
    return caller
  }
  return {
    isNeeded: true,
    check: ({ headers }) => {
      const sent = Authentication.bearer(headers.authorization)
      if (sent === "") return Authentication.noToken
      const owners = ownersOf(sent, all(), ofGateway())
      return owners.length === 1
        ? callerOf(owners[0])
        : Authentication.unauthorized(refusal(owners.length, all().length > 0))
    }
  }
}
