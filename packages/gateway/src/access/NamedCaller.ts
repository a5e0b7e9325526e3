/**
 * A client with a name as a caller.
 */
import type { Caller } from "@mcp-lifeline/http-server/Caller"

/** Callers of other kinds have subjects that begin otherwise. */
const prefix = "client:"

/** The caller that a client with a name is. */
export const of = (name: string): Caller => ({ subject: `${prefix}${name}`, name, claims: {} })

/** The name of a client; `undefined` if the caller is of another kind. */
export const nameOf = ({ subject }: Pick<Caller, "subject">): string | undefined =>
  subject.startsWith(prefix) ? subject.slice(prefix.length) : undefined
