import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import { anyone, type Caller } from "@mcp-lifeline/http-server/Caller"
import type { Redacted } from "effect"
import * as NamedCaller from "./NamedCaller.js"

export interface NamedTokens {
  readonly name: string
  readonly current: () => ReadonlyArray<Redacted.Redacted>
}

/** `undefined`: the gateway itself. */
type Owner = string | undefined

/** Compares all tokens, in a time that does not tell how close one is. */
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

/** A token that several have, as after a mistake in a file, stands for none of them. */
export const authentication = (
  all: () => ReadonlyArray<NamedTokens>,
  ofGateway: () => ReadonlyArray<Redacted.Redacted> = () => []
): Authentication.Authentication => {
  /** One object for all requests of a client: what it may use is cached by it. */
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
