/**
 * Lets in clients with names, by their tokens.
 */
import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { Redacted } from "effect"
import * as NamedCaller from "./NamedCaller.js"

/** A client, and the tokens that stand for it now. */
export interface NamedTokens {
  readonly name: string
  readonly current: () => ReadonlyArray<Redacted.Redacted>
}

/**
 * Which client sends a token; none if several have it, as after a wrong token was saved in a file. Compares all, in a time that does not tell how close
 * one is.
 */
const find = (all: ReadonlyArray<NamedTokens>, sent: string): string | undefined => {
  const found = new Set<string>()
  for (const { current, name } of all) {
    for (const token of current()) if (Authentication.isSame(sent, token)) found.add(name)
  }
  const [name] = found
  return found.size === 1 ? name : undefined
}

/** `all`: the clients that are let in now. */
export const authentication = (all: () => ReadonlyArray<NamedTokens>): Authentication.Authentication => {
  /** The same object for each request of a client, so that what is known of it has to be found once. */
  const callers = new Map<string, Caller>()
  const callerOf = (name: string): Caller => {
    const known = callers.get(name)
    if (known !== undefined) return known
    const caller = NamedCaller.of(name)
    callers.set(name, caller)
    return caller
  }
  return {
    isNeeded: true,
    check: ({ headers }) => {
      const sent = Authentication.bearer(headers.authorization)
      const name = sent === "" ? undefined : find(all(), sent)
      return name === undefined
        ? Authentication.unauthorized(
          sent === ""
            ? "This gateway needs a token: send the header Authorization: Bearer <token>"
            : "The bearer token is neither that of this gateway nor that of one of its clients"
        )
        : callerOf(name)
    }
  }
}
